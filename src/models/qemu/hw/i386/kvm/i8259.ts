import { addressOf, bound, source, through } from '../../../../../engine/fn';
import { atCall, behind } from '../../../../../engine/steps';
import { kvm_set_irq } from '../../../accel/kvm/kvm-all';
import type { PICCommonState } from '../../../include/hw/isa/i8259_internal';
import type { KVMState } from '../../../include/sysemu/kvm_int';
import { qemu_allocate_irqs } from '../../core/irq';
import { apic_report_irq_delivered } from '../../intc/apic_common';
import { i8259_common_class_init, i8259_init_chip } from '../../intc/i8259_common';
import type { ISABus } from '../../isa/isa-bus';

/** The front of the kernel's 8259 pair: QEMU keeps its registers only for migration, and passes the lines on. */

const ISA_NUM_IRQS = 16;

const { fn, ops } = source('qemu', 'hw/i386/kvm/i8259.c');

const kvm_pic_set_irq = fn(
  'The PIC is in the kernel: passes the level on.',
  function* kvm_pic_set_irq(s: KVMState, irq: number, level: 0 | 1) {
    atCall('pic_stat_update_irq');
    const delivered = yield* kvm_set_irq(s, irq, level);
    yield* apic_report_irq_delivered(delivered);
  },
);

/** What kvm_i8259_init() puts behind the PIC's inputs. */
export const kvm_pic_inputs = ops('kvm_i8259_init', { handler: kvm_pic_set_irq });

const kvm_pic_realize = fn(
  'The chip’s registers are in the kernel; here are only their places.',
  function* kvm_pic_realize(_s: PICCommonState, isa: ISABus) {
    atCall('memory_region_init_io');
    yield* through('function pointer', 'parent_realize', i8259_common_class_init.realize)(isa, undefined, undefined);
  },
);

const kvm_i8259_class_init = ops('kvm_i8259_class_init', { realize: kvm_pic_realize });

export const kvm_i8259_init = fn(
  'Makes the front of the kernel’s pair. Nobody raises the CPU’s line from here: the kernel’s chip does.',
  function* kvm_i8259_init(s: KVMState, bus: ISABus) {
    yield* i8259_init_chip(kvm_i8259_class_init.realize, bus, true);
    behind('i8259_init_chip');
    yield* i8259_init_chip(kvm_i8259_class_init.realize, bus, false);
    return yield* qemu_allocate_irqs(addressOf(bound(kvm_pic_set_irq, () => s)), ISA_NUM_IRQS);
  },
);
