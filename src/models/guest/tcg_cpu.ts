import { interrupting, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { until } from '../../engine/steps';
import { call_helper, in_code } from '../hardware/translated_code';
import { IF_MASK, type X86CPU } from '../qemu/include/hw/core/cpu';
import type { PcCpu } from './pc';

/** A guest's CPU where TCG runs the guest. */

const { fn } = source('guest', 'tcg_cpu');

const sti = fn('The guest turns interrupts on, by itself: translated code does not call anybody for that.', function* sti(cpu: X86CPU) {
  cpu['env.eflags'] |= IF_MASK;
});

const cli = fn('The guest turns interrupts off.', function* cli(cpu: X86CPU) {
  cpu['env.eflags'] &= ~IF_MASK;
});

const interrupted = fn(
  'The guest goes on in the handler that its table names for the vector, and returns from it with interrupts on.',
  function* interrupted(cpu: X86CPU, vector: number, handle: (vector: number) => Run) {
    cpu.code!.vector = -1;
    yield* handle(vector);
    cpu['env.eflags'] |= IF_MASK;
  },
);

/** The CPU as the guest's drivers see it. */
export function tcg_cpu(cpu: X86CPU): PcCpu {
  const code = cpu.code!;
  return {
    *out(port, _size, data) {
      yield* call_helper(code, { kind: 'outb', port, data });
    },
    in: (port) => call_helper(code, { kind: 'inb', port }),
    *store(addr, size, data) {
      yield* call_helper(code, { kind: 'store', addr, data, size });
    },
    load: (addr, size) => call_helper(code, { kind: 'load', addr, size }),
    interrupts_on: () => (cpu['env.eflags'] & IF_MASK) !== 0,
    *set_interrupts(on) {
      yield* in_code(code);
      yield* on ? sti(cpu) : cli(cpu);
      // The loop looks for interrupts when a block ends, and STI ends one.
      if (on) yield* call_helper(code, { kind: 'exit_tb' });
    },
    *spin(done) {
      yield* until(done);
      yield* in_code(code);
    },
    *halt() {
      yield* call_helper(code, { kind: 'hlt' });
    },
    handle_with(handle) {
      code.idt = (vector) => interrupting(interrupted)(cpu, vector, handle);
    },
    started: () => code.running,
  };
}
