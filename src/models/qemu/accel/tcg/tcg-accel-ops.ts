import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { TranslatedCode } from '../../../hardware/translated_code';
import type { CpusAccel } from '../../board';
import type { X86CPU } from '../../include/hw/core/cpu';
import type { Process } from '../../machine';
import { qemu_cpu_is_self, qemu_cpu_kick } from '../../softmmu/cpus';
import { cpu_exec } from './cpu-exec';
import { mttcg_kick_vcpu_thread } from './tcg-accel-ops-mttcg';

/** What TCG does in its own way to get a CPU's attention. */

const { fn, ops } = source('qemu', 'accel/tcg/tcg-accel-ops.c');

export const tcg_cpus_exec = fn('Runs a CPU’s code.', function* tcg_cpus_exec(q: Process, cpu: X86CPU, code: TranslatedCode) {
  return yield* cpu_exec(q, cpu, code);
});

const tcg_handle_interrupt = fn(
  'Notes the request. Another thread’s CPU is kicked; one’s own is told to come out of its code at the end of this block.',
  function* tcg_handle_interrupt(cpu: X86CPU, mask: number) {
    cpu.interrupt_request |= mask;
    atCall('qemu_cpu_is_self');
    if (qemu_cpu_is_self(cpu)) atCall('qatomic_set');
    else yield* qemu_cpu_kick(cpu);
  },
);

/** What tcg_accel_ops_init() fills in where each CPU has a thread. */
export const tcg_accel_ops_init = (): CpusAccel =>
  ops('tcg_accel_ops_init', { handle_interrupt: tcg_handle_interrupt, kick_vcpu_thread: mttcg_kick_vcpu_thread });
