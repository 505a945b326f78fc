import { source } from '../../../../engine/fn';
import { acquire, release } from '../../../../engine/mutex';
import { running } from '../../../../engine/running';
import { atCall, behind, preempt, until } from '../../../../engine/steps';
import type { TranslatedCode } from '../../../hardware/translated_code';
import { cpu_exit } from '../../hw/core/cpu-common';
import type { X86CPU } from '../../include/hw/core/cpu';
import type { Process } from '../../machine';
import { qemu_wait_io_event } from '../../softmmu/cpus';
import { tcg_cpus_exec } from './tcg-accel-ops';

/** TCG with one thread for each CPU. */

const { fn } = source('qemu', 'accel/tcg/tcg-accel-ops-mttcg.c');

export const mttcg_cpu_thread_fn = fn(
  'The thread of one virtual CPU: runs its code until it halts, and sleeps until there is something for it.',
  function* mttcg_cpu_thread_fn(q: Process, cpu: X86CPU, code: TranslatedCode) {
    // The main thread creates this one, and holds the BQL by then.
    yield* until(() => q.initialized);
    yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    cpu.thread = running().currentThread;
    for (;;) {
      release(q.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
      yield* preempt();
      yield* tcg_cpus_exec(q, cpu, code);
      behind('qemu_mutex_lock_iothread');
      yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
      atCall('qatomic_mb_set');
      if (cpu.exit_request) cpu.exit_request = false;
      yield* qemu_wait_io_event(cpu);
    }
  },
);

export const mttcg_kick_vcpu_thread = fn('Makes the CPU’s thread come out of its code.', function* mttcg_kick_vcpu_thread(cpu: X86CPU) {
  yield* cpu_exit(cpu);
});
