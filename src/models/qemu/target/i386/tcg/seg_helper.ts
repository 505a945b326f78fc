import { source } from '../../../../../engine/fn';
import { at, behind } from '../../../../../engine/steps';
import { IF_MASK, type X86CPU } from '../../../include/hw/core/cpu';

const { fn } = source('qemu', 'target/i386/tcg/seg_helper.c');

const do_interrupt64 = fn(
  'Delivers a vector: saves where the guest was, and goes on at the handler that its table names. An interrupt gate turns interrupts off.',
  function* do_interrupt64(cpu: X86CPU, intno: number) {
    cpu['env.eflags'] &= ~IF_MASK;
    if (cpu.code === undefined) return;
    behind('R_CS');
    at('eip', 'here the guest goes on');
    cpu.code.vector = intno;
  },
);

const do_interrupt_all = fn(
  'Delivers an interrupt or exception, in the way of the mode that the guest is in.',
  function* do_interrupt_all(cpu: X86CPU, intno: number) {
    yield* do_interrupt64(cpu, intno);
  },
);

export const do_interrupt_x86_hardirq = fn(
  'Delivers an interrupt that came from outside.',
  function* do_interrupt_x86_hardirq(cpu: X86CPU, intno: number) {
    yield* do_interrupt_all(cpu, intno);
  },
);
