import { source } from '../../../engine/fn';
import { at, signal } from '../../../engine/steps';
import type { KvmVcpu } from '../virt/kvm/kvm_types';

/** rcuwait: one task that waits for a condition, and those who make it true. */

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
