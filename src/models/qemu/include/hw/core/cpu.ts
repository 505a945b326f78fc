import { bit, bool, means, register, struct, type InstanceOf } from '../../../../../engine/cell';
import { NO_STEP } from '../../../../../engine/journal';
import type { KvmVcpu } from '../../../../linux/virt/kvm/kvm_types';
import type { TranslatedCode } from '../../../../hardware/translated_code';
import type { Board } from '../../../board';
import type { APICCommonState } from '../i386/apic_internal';

/** A CPU as QEMU knows it, whatever runs the guest's instructions. */

export const CPU_INTERRUPT_HARD = 0x0002;
export const CPU_INTERRUPT_SMI = 0x0040;
export const CPU_INTERRUPT_NMI = 0x0200;
export const CPU_INTERRUPT_POLL = 0x0400;
export const CPU_INTERRUPT_INIT = 0x0800;
export const CPU_INTERRUPT_SIPI = 0x1000;

const INTERRUPTS = [
  bit(1, 'CPU_INTERRUPT_HARD', 'An external interrupt waits for the CPU.'),
  bit(6, 'CPU_INTERRUPT_SMI', 'A system-management interrupt waits.'),
  bit(9, 'CPU_INTERRUPT_NMI', 'A non-maskable interrupt waits.'),
  bit(10, 'CPU_INTERRUPT_POLL', 'The local APIC is to be asked what there is.'),
  bit(11, 'CPU_INTERRUPT_INIT', 'The CPU is to be reset.'),
  bit(12, 'CPU_INTERRUPT_SIPI', 'The CPU is to start.'),
];

export const IF_MASK = 0x200;
const EFLAGS = [bit(9, 'IF_MASK', 'The CPU takes external interrupts.')];

const X86CPUCells = struct('X86CPU', 'A CPU as QEMU knows it: what asks for its attention, and whether its thread may sleep.', {
  interrupt_request: means('What asks for the CPU’s attention.', register(32, INTERRUPTS)),
  exit_request: bool(),
  halted: bool(),
  thread_kicked: bool(),
  'env.eflags': register(32, EFLAGS),
});

export type X86CPU = InstanceOf<typeof X86CPUCells> & {
  readonly cpu_index: number;
  readonly board: Board;
  /** The local APIC, if QEMU emulates it. */
  apic_state: APICCommonState | undefined;
  /** The step that woke its thread up since that last went to sleep. */
  kickedAt: number;
  /** The number of the thread that runs it, once that has started. */
  thread: number | undefined;
  /** KVM's side of it: kvm_fd and kvm_run. */
  readonly kvm: KvmVcpu | undefined;
  /** What TCG runs, where that runs it. */
  readonly code: TranslatedCode | undefined;
};

/** What carries a CPU's instructions out. */
export type Execution = { readonly kvm: KvmVcpu } | { readonly code: TranslatedCode };

/** Makes a CPU of a board. */
export function x86_cpu(board: Board, cpu_index: number, execution?: Execution): X86CPU {
  const cpu: X86CPU = Object.assign(X86CPUCells(`CPU ${cpu_index}`), {
    cpu_index,
    board,
    apic_state: undefined,
    kickedAt: NO_STEP,
    thread: undefined,
    kvm: undefined,
    code: undefined,
    ...execution,
  });
  board.cpus.push(cpu);
  return cpu;
}
