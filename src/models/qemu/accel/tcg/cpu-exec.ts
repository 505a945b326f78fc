import { architecturally, source, through } from '../../../../engine/fn';
import { NO_STEP } from '../../../../engine/journal';
import { acquire, release } from '../../../../engine/mutex';
import { at, atCall, behind, causedBy, signal, until } from '../../../../engine/steps';
import type { TranslatedCode } from '../../../hardware/translated_code';
import { CPU_INTERRUPT_POLL, type X86CPU } from '../../include/hw/core/cpu';
import { cpu_reset_interrupt } from '../../hw/core/cpu-common';
import { apic_poll_irq } from '../../hw/intc/apic';
import type { Process } from '../../machine';
import { address_space_ld, address_space_st } from '../../softmmu/physmem';
import { pendingInterrupt } from '../../target/i386/cpu';
import { x86_tcg_ops } from '../../target/i386/tcg/tcg-cpu';
import { helper_hlt, helper_inb, helper_outb } from '../../target/i386/tcg/sysemu/misc_helper';

/** TCG's loop: look for interrupts, run a block of translated code, and again. */

export const EXCP_INTERRUPT = 0x10000;
export const EXCP_HLT = 0x10001;
export const EXCP_HALTED = 0x10003;

const { fn } = source('qemu', 'accel/tcg/cpu-exec.c');

const cpu_handle_halt = fn(
  'Whether the CPU stays halted: it goes on if there is something that it can take.',
  function* cpu_handle_halt(cpu: X86CPU) {
    if (!cpu.halted) return false;
    if (cpu.interrupt_request & CPU_INTERRUPT_POLL && cpu.apic_state !== undefined) {
      yield* acquire(cpu.board.qemu_global_mutex, 'qemu_mutex_lock_iothread');
      yield* apic_poll_irq(cpu.apic_state);
      yield* cpu_reset_interrupt(cpu, CPU_INTERRUPT_POLL);
      release(cpu.board.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    }
    atCall('cpu_has_work');
    if (pendingInterrupt(cpu, cpu.interrupt_request) === 0) return true;
    cpu.halted = false;
    return false;
  },
);

const cpu_handle_interrupt = fn(
  'Between two blocks: is there something to take? This is the only place where translated code can be interrupted.',
  function* cpu_handle_interrupt(cpu: X86CPU) {
    atCall('qatomic_mb_set');
    if (cpu.interrupt_request !== 0) {
      yield* acquire(cpu.board.qemu_global_mutex, 'qemu_mutex_lock_iothread');
      yield* through('function pointer', 'cpu_exec_interrupt', x86_tcg_ops.cpu_exec_interrupt)(cpu, cpu.interrupt_request);
      behind('cpu_exec_interrupt');
      release(cpu.board.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    }
    if (!cpu.exit_request) return false;
    atCall('qatomic_set');
    cpu.exit_request = false;
    return true;
  },
);

const cpu_tb_exec = fn(
  'Runs a block of translated code. It comes back when the code calls a helper, or ends.',
  function* cpu_tb_exec(q: Process, cpu: X86CPU, code: TranslatedCode) {
    code.enteredAt = signal('translated code', 'tcg_qemu_tb_exec');
    code.running = true;
    cpu.kickedAt = NO_STEP;
    yield* until(() => code.helper !== undefined || cpu.exit_request || pendingInterrupt(cpu, cpu.interrupt_request) !== 0);
    causedBy(code.helper === undefined ? cpu.kickedAt : code.stoppedAt);
    at('tb_exit');
    code.running = false;
    if (code.helper === undefined) return at('TB_EXIT_IDX1', 'somebody wants this CPU');
    yield* help(q, cpu, code);
  },
);

/** The helper that the code has called. */
function* help(q: Process, cpu: X86CPU, code: TranslatedCode) {
  const { helper } = code;
  switch (helper?.kind) {
    case undefined:
    case 'exit_tb':
      break;
    case 'outb':
      yield* architecturally('translated code', helper_outb)(q, helper.port, helper.data);
      break;
    case 'inb':
      code.result = yield* architecturally('translated code', helper_inb)(q, helper.port);
      break;
    case 'store':
      yield* address_space_st('tcg_qemu_tb_exec', q.qemu_global_mutex, q.address_space_memory, helper.addr, helper.data, helper.size);
      break;
    case 'load':
      code.result = yield* address_space_ld('tcg_qemu_tb_exec', q.qemu_global_mutex, q.address_space_memory, helper.addr, helper.size);
      break;
    case 'hlt':
      yield* architecturally('translated code', helper_hlt)(cpu);
  }
  code.helper = undefined;
}

const cpu_loop_exec_tb = fn('Runs the next block.', function* cpu_loop_exec_tb(q: Process, cpu: X86CPU, code: TranslatedCode) {
  yield* cpu_tb_exec(q, cpu, code);
});

export const cpu_exec = fn(
  'The loop of one CPU: until it halts, or somebody wants it out.',
  function* cpu_exec(q: Process, cpu: X86CPU, code: TranslatedCode) {
    if (yield* cpu_handle_halt(cpu)) return EXCP_HALTED;
    while (!(yield* cpu_handle_interrupt(cpu))) {
      yield* cpu_loop_exec_tb(q, cpu, code);
      if (cpu.halted) return EXCP_HLT;
    }
    return EXCP_INTERRUPT;
  },
);
