import { source } from '../../../../engine/fn';
import { qemu_set_irq, type IRQState } from '../core/irq';

/** The inputs of the interrupt chips, by GSI. */
export interface GSIState {
  readonly i8259_irq: readonly IRQState[];
  readonly ioapic_irq: readonly IRQState[];
}

export const ISA_NUM_IRQS = 16;

const { fn } = source('qemu', 'hw/i386/x86.c');

export const gsi_handler = fn(
  'Drives a GSI: below 16 the PIC’s input and the I/O APIC’s, from 16 on the I/O APIC’s alone. With both chips in the kernel, either call reaches both.',
  function* gsi_handler(s: GSIState, n: number, level: 0 | 1) {
    if (n < ISA_NUM_IRQS) yield* qemu_set_irq(s.i8259_irq[n], level);
    yield* qemu_set_irq(s.ioapic_irq[n], level);
  },
);
