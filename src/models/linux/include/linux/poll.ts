import { boundPointer, source, through, type Pointer } from '../../../../engine/fn';
import { eventfd_fops, type EventfdCtx, type PollTable } from '../../fs/eventfd';
import type { WaitQueueHead } from '../../kernel/sched/wait';

/** A file that can be polled: an eventfd, or one that brings its own `f_op->poll`. */
export type Pollable = EventfdCtx | { readonly poll: Pointer<[pt: PollTable], number> };

const pollOf = (file: Pollable): Pointer<[pt: PollTable], number> =>
  'poll' in file ? file.poll : boundPointer(eventfd_fops.poll, () => file);

const { fn } = source('linux', 'include/linux/poll.h');

export const poll_wait = fn(
  'Hands a wait queue to the poller’s own callback, which puts itself on it.',
  function* poll_wait(wait_address: WaitQueueHead, p: PollTable) {
    if (p !== undefined) yield* through('function pointer', '_qproc', p._qproc)(wait_address);
  },
);

export const vfs_poll = fn(
  'Asks a file what can be done with it now, and to call back when that changes.',
  function* vfs_poll(file: Pollable, pt: PollTable) {
    return yield* through('function pointer', 'poll', pollOf(file))(pt);
  },
);
