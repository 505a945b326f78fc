import { source } from '../../../../../../engine/fn';
import { atWrite, behind } from '../../../../../../engine/steps';
import { cpu_get_pic_interrupt } from '../../../../hw/i386/x86';
import { apic_poll_irq } from '../../../../hw/intc/apic';
import { CPU_INTERRUPT_HARD, CPU_INTERRUPT_NMI, CPU_INTERRUPT_POLL, CPU_INTERRUPT_SMI, type X86CPU } from '../../../../include/hw/core/cpu';
import { x86_cpu_pending_interrupt } from '../../cpu';
import { do_interrupt_x86_hardirq } from '../seg_helper';

const EXCP02_NMI = 2;

const { fn } = source('qemu', 'target/i386/tcg/sysemu/seg_helper.c');

export const x86_cpu_exec_interrupt = fn(
  'Takes one request: for a hardware interrupt this is the acknowledge cycle. One request only, so that runs can be repeated exactly.',
  function* x86_cpu_exec_interrupt(cpu: X86CPU, interrupt_request: number) {
    const request = yield* x86_cpu_pending_interrupt(cpu, interrupt_request);
    switch (request) {
      case 0:
        return false;
      case CPU_INTERRUPT_POLL:
        atWrite('interrupt_request', 'CPU_INTERRUPT_POLL');
        cpu.interrupt_request &= ~CPU_INTERRUPT_POLL;
        if (cpu.apic_state !== undefined) yield* apic_poll_irq(cpu.apic_state);
        break;
      case CPU_INTERRUPT_SMI:
        atWrite('interrupt_request', 'CPU_INTERRUPT_SMI');
        cpu.interrupt_request &= ~CPU_INTERRUPT_SMI;
        break;
      case CPU_INTERRUPT_NMI:
        atWrite('interrupt_request', 'CPU_INTERRUPT_NMI');
        cpu.interrupt_request &= ~CPU_INTERRUPT_NMI;
        yield* do_interrupt_x86_hardirq(cpu, EXCP02_NMI);
        break;
      case CPU_INTERRUPT_HARD: {
        atWrite('interrupt_request', 'CPU_INTERRUPT_HARD');
        cpu.interrupt_request &= ~CPU_INTERRUPT_HARD;
        const intno = yield* cpu_get_pic_interrupt(cpu);
        behind('cpu_get_pic_interrupt');
        yield* do_interrupt_x86_hardirq(cpu, intno);
      }
    }
    return true;
  },
);
