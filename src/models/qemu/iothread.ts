import { source, type Pointer } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { poll_wqueues, type PollWqueues } from '../linux/fs/select';
import { aio_context, type AioHandler, type BottomHalves } from './include/block/aio';
import { aio_poll } from './util/aio-posix';
import { fdmon_poll_ops } from './util/fdmon-poll';

/** I/O threads: event loops of their own, next to the main loop. */

/** The context of an I/O thread. The main loop’s has no bottom halves here, and is polled by GLib. */
export type IOThreadContext = BottomHalves & {
  readonly fdmon_ops: { readonly wait: Pointer<[ctx: IOThreadContext, ready_list: AioHandler[], timeout: number], number> };
  /** The thread’s poll. */
  readonly poll: PollWqueues;
};

export interface IOThread {
  readonly ctx: IOThreadContext;
}

/** `-object iothread,id=NAME,poll-max-ns=0`. */
export const iothread = (name: string): IOThread => ({
  ctx: Object.assign(aio_context(name), { bh_list: [], fdmon_ops: fdmon_poll_ops, poll: poll_wqueues(name) }),
});

const { fn } = source('qemu', 'iothread.c');

export const iothread_run = fn(
  'An I/O thread: serves its file descriptors and bottom halves for ever.',
  function* iothread_run({ ctx }: IOThread): Run {
    for (;;) yield* aio_poll(ctx);
  },
);
