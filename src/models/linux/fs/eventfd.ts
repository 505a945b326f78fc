import { int, means, struct, type InstanceOf } from '../../../engine/cell';
import { addressOf, source, through, type Pointer } from '../../../engine/fn';
import { at, atCall } from '../../../engine/steps';
import { EPOLLHUP, EPOLLIN, wake_up_locked_poll, wake_up_poll, type WaitQueueHead } from '../kernel/sched/wait';
import { poll_wait } from '../include/linux/poll';

/** An eventfd: a counter with a wait queue. */
const EventfdCtxCells = struct(
  'eventfd_ctx',
  'An eventfd: a 64-bit counter and the queue of those who want to know that it is not zero. kref: who holds it; its file is the first.',
  {
    kref: means('Who holds it; its file is the first.', int(1)),
    count: means('How often it was signalled since it was last read; a read takes all of it.', int()),
  },
);

export type EventfdCtx = InstanceOf<typeof EventfdCtxCells> & { readonly wqh: WaitQueueHead };

/** The callback that a poll of the file hands its wait queue to. */
export type PollTable = { readonly _qproc: Pointer<[wqh: WaitQueueHead], void> } | undefined;

/** Makes an eventfd, as eventfd(2) does. */
export const eventfd_ctx = (name: string): EventfdCtx => Object.assign(EventfdCtxCells(name), { wqh: [] });

const { fn, ops } = source('linux', 'fs/eventfd.c');

export const eventfd_signal_mask = fn(
  'Adds to the counter and wakes the queue, under the queue’s lock: every callback runs here, in the signaller’s context.',
  function* eventfd_signal_mask(ctx: EventfdCtx) {
    ctx.count += 1;
    if (ctx.wqh.length > 0) yield* wake_up_locked_poll(ctx.wqh, EPOLLIN);
  },
);

export const eventfd_ctx_do_read = fn(
  'Takes the count, which becomes zero. The caller holds the queue’s lock.',
  function* eventfd_ctx_do_read(ctx: EventfdCtx) {
    const cnt = ctx.count;
    ctx.count = 0;
    return cnt;
  },
);

export const eventfd_ctx_fileget = fn('Takes a reference on the eventfd behind a file.', function* eventfd_ctx_fileget(ctx: EventfdCtx) {
  atCall('kref_get');
  ctx.kref += 1;
  return ctx;
});

export const eventfd_ctx_fdget = fn(
  'Takes a reference on the eventfd behind a file descriptor.',
  function* eventfd_ctx_fdget(fd: EventfdCtx) {
    return yield* eventfd_ctx_fileget(fd);
  },
);

const eventfd_free = fn('Nobody holds the eventfd any more: its memory is given back.', function* eventfd_free(_ctx: EventfdCtx) {
  atCall('eventfd_free_ctx');
});

export const eventfd_ctx_put = fn('Drops a reference. The last one frees the eventfd.', function* eventfd_ctx_put(ctx: EventfdCtx) {
  atCall('kref_put');
  ctx.kref -= 1;
  if (ctx.kref === 0) yield* through('function pointer', 'eventfd_free', addressOf(eventfd_free))(ctx);
});

export const eventfd_ctx_remove_wait_queue = fn(
  'Takes a waiter off the queue and drains the counter: an event that nobody handled yet is discarded.',
  function* eventfd_ctx_remove_wait_queue(ctx: EventfdCtx, wait: WaitQueueHead[number]) {
    yield* eventfd_ctx_do_read(ctx);
    at('__remove_wait_queue');
    const index = ctx.wqh.indexOf(wait);
    if (index >= 0) ctx.wqh.splice(index, 1);
  },
);

export const eventfd_poll = fn(
  'Offers the wait queue to the poller and says whether there is something to read.',
  function* eventfd_poll(ctx: EventfdCtx, wait: PollTable) {
    yield* poll_wait(ctx.wqh, wait);
    at('count');
    return ctx.count > 0 ? EPOLLIN : 0;
  },
);

export const eventfd_read = fn(
  'read(2) of an eventfd: takes the count. It does not block here: QEMU opens its eventfds non-blocking.',
  function* eventfd_read(ctx: EventfdCtx) {
    return ctx.count > 0 ? yield* eventfd_ctx_do_read(ctx) : 0;
  },
);

export const eventfd_write = fn(
  'write(2) of an eventfd: adds to the counter and wakes the queue.',
  function* eventfd_write(ctx: EventfdCtx, ucnt: number = 1) {
    ctx.count += ucnt;
    if (ctx.wqh.length > 0) yield* wake_up_locked_poll(ctx.wqh, EPOLLIN);
  },
);

export const eventfd_release = fn(
  'The last close of the eventfd: tells the waiters to let go of it.',
  function* eventfd_release(ctx: EventfdCtx) {
    yield* wake_up_poll(ctx.wqh, EPOLLHUP);
    yield* eventfd_ctx_put(ctx);
  },
);

export const eventfd_fops = ops('eventfd_fops', {
  release: eventfd_release,
  poll: eventfd_poll,
  // read goes through the iterator form.
  read_iter: eventfd_read,
  write: eventfd_write,
});
