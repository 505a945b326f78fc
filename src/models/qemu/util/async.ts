import { source, through } from '../../../engine/fn';
import { at, atCall } from '../../../engine/steps';
import { BH_PENDING, BH_SCHEDULED, type AioContext, type BottomHalves, type QEMUBH } from '../include/block/aio';
import { aio_dispatch, aio_pending } from './aio-posix';
import { event_notifier_set, event_notifier_test_and_clear } from './event_notifier-posix';

/** An event loop context as a source of GLib's main loop. */

const { fn, ops } = source('qemu', 'util/async.c');

const aio_ctx_prepare = fn(
  'The main loop is about to poll: from now on a change of the watched descriptors must interrupt it.',
  function* aio_ctx_prepare(ctx: AioContext) {
    atCall('qatomic_set');
    ctx.notify_me |= 1;
  },
);

const aio_ctx_check = fn('The main loop has polled: is there something for this context?', function* aio_ctx_check(ctx: AioContext) {
  atCall('qatomic_store_release');
  ctx.notify_me &= ~1;
  yield* aio_notify_accept(ctx);
  return yield* aio_pending(ctx);
});

const aio_ctx_dispatch = fn('Serves what is ready in this context.', function* aio_ctx_dispatch(ctx: AioContext) {
  yield* aio_dispatch(ctx);
});

export const aio_source_funcs = ops('aio_source_funcs', { prepare: aio_ctx_prepare, check: aio_ctx_check, dispatch: aio_ctx_dispatch });

export const aio_notify = fn(
  'Interrupts the event loop if it is polling, so that it looks at what has changed. Called from any thread.',
  function* aio_notify(ctx: AioContext) {
    atCall('qatomic_set');
    ctx.notified = true;
    atCall('qatomic_read');
    if (ctx.notify_me !== 0) yield* event_notifier_set(ctx.notifier);
  },
);

export const aio_notify_accept = fn('Notes that the event loop has seen the notification.', function* aio_notify_accept(ctx: AioContext) {
  atCall('qatomic_set');
  ctx.notified = false;
});

const aio_context_notifier_cb = fn(
  'Somebody notified this context: nothing to do but to take the event.',
  function* aio_context_notifier_cb(ctx: AioContext) {
    yield* event_notifier_test_and_clear(ctx.notifier);
  },
);

const aio_bh_enqueue = fn(
  'Puts a bottom half on its loop’s list, and wakes the loop.',
  function* aio_bh_enqueue(bh: QEMUBH, new_flags: number) {
    const pending = (bh.flags & BH_PENDING) !== 0;
    atCall('qatomic_fetch_or');
    bh.flags |= BH_PENDING | new_flags;
    if (!pending) bh.ctx.bh_list.unshift(bh);
    yield* aio_notify(bh.ctx);
  },
);

export const qemu_bh_schedule = fn(
  'Has the event loop call a bottom half in its next turn. Scheduled twice it is called once.',
  function* qemu_bh_schedule(bh: QEMUBH) {
    yield* aio_bh_enqueue(bh, BH_SCHEDULED);
  },
);

const aio_bh_call = fn('Calls a bottom half.', function* aio_bh_call(bh: QEMUBH) {
  yield* through('function pointer', 'cb', bh.cb)();
});

const aio_bh_dequeue = fn('Takes the next bottom half from the list.', function* aio_bh_dequeue(list: QEMUBH[]) {
  const bh = list.shift();
  at('bh');
  if (bh === undefined) return undefined;
  const { flags } = bh;
  atCall('qatomic_fetch_and');
  bh.flags &= ~(BH_PENDING | BH_SCHEDULED);
  return { bh, flags };
});

export const aio_bh_poll = fn(
  'Calls the bottom halves that were scheduled up to now. One that is scheduled meanwhile waits for the next turn.',
  function* aio_bh_poll({ bh_list }: BottomHalves) {
    const slice = bh_list.splice(0);
    let ret = false;
    for (let next = yield* aio_bh_dequeue(slice); next !== undefined; next = yield* aio_bh_dequeue(slice)) {
      if ((next.flags & BH_SCHEDULED) === 0) continue;
      ret = true;
      yield* aio_bh_call(next.bh);
    }
    return ret;
  },
);

export const aio_compute_timeout = fn(
  'How long the loop may sleep, in nanoseconds: not at all with a bottom half scheduled, else for ever.',
  function* aio_compute_timeout({ bh_list }: BottomHalves) {
    atCall('aio_compute_bh_timeout');
    return bh_list.some(({ flags }) => flags & BH_SCHEDULED) ? 0 : -1;
  },
);

/** What aio_context_new() registers for the context's own notifier. */
export const aio_context_new = ops('aio_context_new', { io_read: aio_context_notifier_cb });
