import { addressOf, bound, source } from '../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../engine/steps';
import { kvm_irqchip_add_irq_route, kvm_irqchip_commit_routes, kvm_set_irq } from '../../../accel/kvm/kvm-all';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE } from '../../../../linux/virt/kvm/kvm_types';
import type { KVMState } from '../../../include/sysemu/kvm_int';
import type { IRQState } from '../../core/irq';
import { apic_report_irq_delivered } from '../../intc/apic_common';
import type { RealizableIoapic } from '../x86';

/** The front of the kernel's I/O APIC, and the kernel's routing table as a PC needs it. */

const IOAPIC_NUM_PINS = 24;

const { fn, ops } = source('qemu', 'hw/i386/kvm/ioapic.c');

export const kvm_pc_setup_irq_routing = fn(
  'Tells the kernel where a PC’s GSIs lead: below 16 to the PIC and to the I/O APIC. The timer’s GSI 0 is pin 2 of the I/O APIC, and GSI 2, the cascade, is nobody’s.',
  function* kvm_pc_setup_irq_routing(s: KVMState, pci_enabled: boolean) {
    for (let i = 0; i < 8; i++) if (i !== 2) yield* kvm_irqchip_add_irq_route(s, i, KVM_IRQCHIP_PIC_MASTER, i);
    for (let i = 8; i < 16; i++) {
      behind('kvm_irqchip_add_irq_route');
      yield* kvm_irqchip_add_irq_route(s, i, KVM_IRQCHIP_PIC_SLAVE, i - 8);
    }
    if (pci_enabled) {
      for (let i = 0; i < IOAPIC_NUM_PINS; i++) {
        if (i === 2) continue;
        behind(i === 0 ? 'KVM_IRQCHIP_PIC_SLAVE' : 'KVM_IRQCHIP_IOAPIC');
        yield* kvm_irqchip_add_irq_route(s, i, KVM_IRQCHIP_IOAPIC, i === 0 ? 2 : i);
      }
    }
    yield* kvm_irqchip_commit_routes(s);
  },
);

const kvm_ioapic_set_irq = fn(
  'The I/O APIC is in the kernel: passes the level on.',
  function* kvm_ioapic_set_irq(s: KVMState, irq: number, level: 0 | 1) {
    atCall('ioapic_stat_update_irq');
    const delivered = yield* kvm_set_irq(s, irq, level);
    yield* apic_report_irq_delivered(delivered);
  },
);

/** What kvm_ioapic_realize() puts behind the I/O APIC's inputs. */
export const kvm_ioapic_inputs = ops('kvm_ioapic_realize', { handler: kvm_ioapic_set_irq });

const kvm_ioapic_realize = fn(
  'The chip’s registers are in the kernel; here are its pins, which lead there.',
  function* kvm_ioapic_realize(front: KVMIOAPICState) {
    at('version');
    atCall('qdev_init_gpio_in');
    const handler = addressOf(bound(kvm_ioapic_set_irq, () => front.s));
    front.gpio_in = Array.from({ length: IOAPIC_NUM_PINS }, (_, n) => ({ handler, n }));
  },
);

const kvm_ioapic_class_init = ops('kvm_ioapic_class_init', { realize: kvm_ioapic_realize });

interface KVMIOAPICState {
  readonly s: KVMState;
  readonly io_memory: undefined;
  gpio_in: readonly IRQState[];
}

/** qdev_new(TYPE_KVM_IOAPIC). */
export function kvm_ioapic(s: KVMState): RealizableIoapic {
  const state: KVMIOAPICState = { s, io_memory: undefined, gpio_in: [] };
  const { target, registration } = kvm_ioapic_class_init.realize;
  return { state, realize: { target: bound(target, () => state), registration } };
}
