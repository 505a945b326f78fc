import { source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';

/** The platform's I/O APICs, as the hypervisor drives them. */

const { fn } = source('acrn', 'hypervisor/arch/x86/ioapic.c');

export const get_pic_pin_from_ioapic_pin = fn(
  'The pin of the 8259 pair that a device of the platform uses besides a pin of the I/O APIC: the same number, except that 0 and 2 change places, because the timer comes in at the I/O APIC’s pin 2.',
  function* get_pic_pin_from_ioapic_pin(pin_index: number) {
    at('pic_ioapic_pin_map');
    return pin_index === 0 ? 2 : pin_index === 2 ? 0 : pin_index;
  },
);

export const ioapic_gsi_unmask_irq = fn(
  'Opens a line of the physical I/O APIC again: a passed-through device may interrupt once more.',
  function* ioapic_gsi_unmask_irq(irq: number) {
    at('irq', `GSI ${irq}`);
  },
);
