import { source } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import { IOAPIC_LVT_MASKED, type IOAPICCommonState } from '../../include/hw/i386/ioapic_internal';

const { fn } = source('qemu', 'hw/intc/ioapic_common.c');

export const ioapic_reset_common = fn('All pins masked, nothing requested.', function* ioapic_reset_common(s: IOAPICCommonState) {
  s.id = 0;
  s.ioregsel = 0;
  s.irr = 0;
  at('ioredtbl');
  for (const { low, high } of s.ioredtbl) {
    low.value = IOAPIC_LVT_MASKED;
    high.value = 0;
  }
});
