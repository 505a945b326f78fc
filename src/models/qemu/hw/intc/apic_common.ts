import { source, through } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import { type APICCommonState } from '../../include/hw/i386/apic_internal';
import { apic_class_init } from './apic';

const { fn } = source('qemu', 'hw/intc/apic_common.c');

export const cpu_set_apic_tpr = fn(
  'The CPU’s task priority may have changed: CR8 is its upper half.',
  function* cpu_set_apic_tpr(s: APICCommonState, val: number) {
    yield* through('function pointer', 'set_tpr', apic_class_init.set_tpr)(s, val);
  },
);

export const cpu_get_apic_tpr = fn('The task priority as CR8 shows it.', function* cpu_get_apic_tpr(s: APICCommonState) {
  return yield* through('function pointer', 'get_tpr', apic_class_init.get_tpr)(s);
});

export const apic_report_irq_delivered = fn(
  'Counts what was delivered, for timers that make up for ticks that were not.',
  function* apic_report_irq_delivered(_delivered: number) {
    atCall('trace_apic_report_irq_delivered');
  },
);
