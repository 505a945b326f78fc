import { source } from '../../../../engine/fn';
import { acquire, release } from '../../../../engine/mutex';
import { until } from '../../../../engine/steps';
import { running } from '../../../../engine/running';
import type { X86CPU } from '../../include/hw/core/cpu';
import type { Process } from '../../machine';
import { qemu_wait_io_event } from '../../softmmu/cpus';
import { kvm_cpu_exec } from './kvm-all';

const { fn } = source('qemu', 'accel/kvm/kvm-accel-ops.c');

export const kvm_vcpu_thread_fn = fn(
  'The thread of one virtual CPU: runs the guest for as long as QEMU lets it.',
  function* kvm_vcpu_thread_fn(q: Process, cpu: X86CPU) {
    // The main thread creates this one, and holds the BQL by then.
    yield* until(() => q.initialized);
    yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    cpu.thread = running().currentThread;
    while ((yield* kvm_cpu_exec(q, cpu)) >= 0) yield* qemu_wait_io_event(cpu);
    // vm_stop() leaves the thread waiting without the BQL for the machine to be started again.
    release(q.qemu_global_mutex, 'qemu_wait_io_event');
    yield* until(() => false);
  },
);
