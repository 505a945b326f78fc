import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { X86CPU } from '../../include/hw/core/cpu';

const { fn } = source('qemu', 'hw/core/cpu-common.c');

export const cpu_reset_interrupt = fn(
  'Withdraws a request for a CPU’s attention.',
  function* cpu_reset_interrupt(cpu: X86CPU, mask: number) {
    if (cpu.interrupt_request & mask) cpu.interrupt_request &= ~mask;
  },
);

export const cpu_exit = fn('Makes a CPU leave its loop as soon as it can.', function* cpu_exit(cpu: X86CPU) {
  atCall('qatomic_set');
  cpu.exit_request = true;
});
