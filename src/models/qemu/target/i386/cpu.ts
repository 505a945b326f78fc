import { source } from '../../../../engine/fn';
import {
  CPU_INTERRUPT_HARD,
  CPU_INTERRUPT_NMI,
  CPU_INTERRUPT_POLL,
  CPU_INTERRUPT_SIPI,
  CPU_INTERRUPT_SMI,
  IF_MASK,
  type X86CPU,
} from '../../include/hw/core/cpu';

/** The request that comes first, of those that the CPU can take as it is now; 0 if there is none. */
export function pendingInterrupt(cpu: X86CPU, interrupt_request: number): number {
  if (interrupt_request & CPU_INTERRUPT_POLL) return CPU_INTERRUPT_POLL;
  if (interrupt_request & CPU_INTERRUPT_SIPI) return CPU_INTERRUPT_SIPI;
  if (interrupt_request & CPU_INTERRUPT_SMI) return CPU_INTERRUPT_SMI;
  if (interrupt_request & CPU_INTERRUPT_NMI) return CPU_INTERRUPT_NMI;
  return interrupt_request & CPU_INTERRUPT_HARD && cpu['env.eflags'] & IF_MASK ? CPU_INTERRUPT_HARD : 0;
}

const { fn } = source('qemu', 'target/i386/cpu.c');

export const x86_cpu_pending_interrupt = fn(
  'Of all that was asked, what comes first. A hardware interrupt counts only while the guest has interrupts on.',
  function* x86_cpu_pending_interrupt(cpu: X86CPU, interrupt_request: number) {
    return pendingInterrupt(cpu, interrupt_request);
  },
);
