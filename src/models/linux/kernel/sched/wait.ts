import { source, through, via, type Pointer } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';

/** Wait queues: lists of callbacks that a wake-up runs in the waker's own context. */

export const EPOLLIN = 0x1;
export const EPOLLHUP = 0x10;

/** A `wait_queue_entry`: `func` is called with the poll key; a positive result from an exclusive one ends the walk. */
export interface WaitQueueEntry {
  readonly func: Pointer<[key: number], number>;
  readonly exclusive: boolean;
}

/** A `wait_queue_head`, first to be woken first. */
export type WaitQueueHead = WaitQueueEntry[];

const { fn } = source('linux', 'kernel/sched/wait.c');

export const __wake_up_common = fn(
  'Walks the wait queue and calls every entry’s callback, in the context of whoever wakes.',
  function* __wake_up_common(wq_head: WaitQueueHead, nr_exclusive: number, key: number) {
    let left = nr_exclusive;
    // A callback may take itself off the queue.
    for (const curr of [...wq_head]) {
      const ret = yield* through('eventfd', 'func', curr.func)(key);
      if (ret > 0 && curr.exclusive && --left === 0) break;
    }
    return left;
  },
);

export const __wake_up_locked_key = fn(
  'Wakes a queue whose lock the caller holds already. What wake_up_locked_poll() expands to.',
  function* __wake_up_locked_key(wq_head: WaitQueueHead, key: number) {
    yield* __wake_up_common(wq_head, 1, key);
  },
);

export const __wake_up_common_lock = fn(
  'Takes the queue’s lock and wakes it.',
  function* __wake_up_common_lock(wq_head: WaitQueueHead, nr_exclusive: number, key: number) {
    yield* __wake_up_common(wq_head, nr_exclusive, key);
  },
);

export const __wake_up = fn(
  'Wakes whoever waits on the queue. What wake_up_poll() expands to.',
  function* __wake_up(wq_head: WaitQueueHead, key: number) {
    yield* __wake_up_common_lock(wq_head, 1, key);
  },
);

export const __wake_up_sync_key = fn(
  'Wakes whoever waits on the queue; the waker is about to sleep itself. What wake_up_interruptible_sync_poll() expands to.',
  function* __wake_up_sync_key(wq_head: WaitQueueHead, key: number) {
    yield* __wake_up_common_lock(wq_head, 1, key);
  },
);

export const add_wait_queue_priority = fn(
  'Puts an exclusive entry at the head of the queue, so that it is called before everybody else and can consume the event.',
  function* add_wait_queue_priority(wq_head: WaitQueueHead, wait: WaitQueueEntry) {
    at('WQ_FLAG_PRIORITY');
    wq_head.unshift(wait);
  },
);

export const add_wait_queue = fn('Puts an entry on the queue.', function* add_wait_queue(wq_head: WaitQueueHead, wait: WaitQueueEntry) {
  wq_head.push(wait);
});

/** wake_up_locked_poll(): the macro that eventfd uses under its own lock. */
export const wake_up_locked_poll = via('wake_up_locked_poll', __wake_up_locked_key);
/** wake_up_poll(). */
export const wake_up_poll = via('wake_up_poll', __wake_up);
