import { source } from '../../../engine/fn';
import { atCall } from '../../../engine/steps';
import type { AioContext } from '../include/block/aio';
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

const aio_notify_accept = fn('Notes that the event loop has seen the notification.', function* aio_notify_accept(ctx: AioContext) {
  atCall('qatomic_set');
  ctx.notified = false;
});

const aio_context_notifier_cb = fn(
  'Somebody notified this context: nothing to do but to take the event.',
  function* aio_context_notifier_cb(ctx: AioContext) {
    yield* event_notifier_test_and_clear(ctx.notifier);
  },
);

/** What aio_context_new() registers for the context's own notifier. */
export const aio_context_new = ops('aio_context_new', { io_read: aio_context_notifier_cb });
