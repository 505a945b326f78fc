import { source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import { EWOULDBLOCK } from '../../../errno';
import type { Kvm, KvmKernelIrqRoutingEntry } from '../../../virt/kvm/kvm_types';
import { kvm_pic_set_irq } from './i8259';
import { kvm_ioapic_set_irq } from './ioapic';
import { kvm_irq_delivery_to_apic_fast, type KvmLapicIrq } from './lapic';

/** Where a routed GSI goes: the emulated chips of a PC. */

const { fn, ops } = source('linux', 'arch/x86/kvm/irq_comm.c');

const kvm_set_pic_irq = fn(
  'The GSI’s entry is a pin of the 8259 pair.',
  function* kvm_set_pic_irq(e: KvmKernelIrqRoutingEntry, kvm: Kvm, irq_source_id: number, level: number) {
    return yield* kvm_pic_set_irq(kvm.vpic, e.irqchip.pin, irq_source_id, level);
  },
);

const kvm_set_ioapic_irq = fn(
  'The GSI’s entry is a pin of the I/O APIC.',
  function* kvm_set_ioapic_irq(e: KvmKernelIrqRoutingEntry, kvm: Kvm, irq_source_id: number, level: number) {
    return yield* kvm_ioapic_set_irq(kvm, e.irqchip.pin, irq_source_id, level);
  },
);

/** Where KVM_SET_GSI_ROUTING stores what an entry calls. */
export const kvm_set_routing_entry = ops('kvm_set_routing_entry', { pic: kvm_set_pic_irq, ioapic: kvm_set_ioapic_irq });

export const kvm_irq_delivery_to_apic = fn(
  'Delivers a message to the local APICs that it addresses. The result is the number that accepted it, or -1 if it addressed none.',
  function* kvm_irq_delivery_to_apic(kvm: Kvm, irq: KvmLapicIrq) {
    return yield* kvm_irq_delivery_to_apic_fast(kvm, irq);
  },
);

export const kvm_arch_set_irq_inatomic = fn(
  'Injects without sleeping, where the route allows it: an MSI can go straight to the local APIC; a pin of a chip cannot, because the chips’ locks and ack notifiers may take long.',
  function* kvm_arch_set_irq_inatomic(e: KvmKernelIrqRoutingEntry | undefined) {
    at('type', e === undefined ? 'The GSI reaches more than one chip: type is 0.' : 'KVM_IRQ_ROUTING_IRQCHIP: a worker has to do it.');
    return -EWOULDBLOCK;
  },
);
