import { source } from '../../../engine/fn';
import { at, atCall, signal } from '../../../engine/steps';
import { return_to_user, type FilesStruct } from '../fs/file_table';
import type { KvmVcpu } from '../virt/kvm/kvm_types';

/** The end of a process; and rcuwait, one task that waits for a condition, and those who make it true. */

const { fn } = source('linux', 'kernel/exit.c');

export const rcuwait_wake_up = fn(
  'Wakes the one task that waits here, if there is one. The waker made the condition true first, the waiter looks at it last: one of the two sees the other.',
  function* rcuwait_wake_up(vcpu: KvmVcpu) {
    at('task');
    if (!vcpu['wait.task']) return false;
    vcpu.wokenAt = signal('wake-up', 'wake_up_process');
    return true;
  },
);

export const do_exit = fn(
  'A process ends. The kernel closes its files, in the order of their descriptors: whatever they stood for is given back.',
  function* do_exit(process: FilesStruct) {
    atCall('exit_files');
    for (const fd of process.files) fd.f_count -= 1;
    atCall('exit_task_work');
    yield* return_to_user(process);
  },
);
