import { source, through } from '../../../engine/fn';
import { at, atCall, behind } from '../../../engine/steps';
import type { EventfdCtx } from '../../linux/fs/eventfd';
import { aio_handler, type AioContext, type AioHandler, type IOHandler } from '../include/block/aio';
import type { IOThreadContext } from '../iothread';
import { aio_bh_poll, aio_compute_timeout, aio_notify, aio_notify_accept } from './async';
import { event_notifier_get_fd, type EventNotifier } from './event_notifier-posix';

/** Watched file descriptors: adding, removing, dispatching. */

const { fn } = source('qemu', 'util/aio-posix.c');

const find_aio_handler = fn('Finds the handler of a file descriptor.', function* find_aio_handler(ctx: AioContext, fd: EventfdCtx) {
  return ctx.aio_handlers.find((node) => node['pfd.fd'] === fd);
});

const aio_remove_fd_handler = fn(
  'Removes a handler. Events that were found for it but not served yet are forgotten: the descriptor itself still has them.',
  function* aio_remove_fd_handler(ctx: AioContext, node: AioHandler) {
    node['pfd.revents'] = 0;
    atCall('QLIST_REMOVE');
    ctx.aio_handlers.splice(ctx.aio_handlers.indexOf(node), 1);
  },
);

export const aio_set_fd_handler = fn(
  'Starts, changes or (with no handler) stops watching a file descriptor, and tells a polling event loop.',
  function* aio_set_fd_handler(ctx: AioContext, fd: EventfdCtx, name: string, io_read: IOHandler | undefined) {
    const node = yield* find_aio_handler(ctx, fd);
    if (io_read === undefined) {
      if (node === undefined) return;
      node['pfd.events'] = 0;
    } else {
      behind('find_aio_handler');
      at('new_node');
      ctx.aio_handlers.unshift(aio_handler(name, fd, io_read));
    }
    if (node !== undefined) yield* aio_remove_fd_handler(ctx, node);
    yield* aio_notify(ctx);
  },
);

export const aio_set_event_notifier = fn(
  'Starts or (with no handler) stops watching an event notifier.',
  function* aio_set_event_notifier(ctx: AioContext, notifier: EventNotifier, io_read: IOHandler | undefined) {
    yield* aio_set_fd_handler(ctx, event_notifier_get_fd(notifier), notifier.name, io_read);
  },
);

export const aio_pending = fn('Whether polling found something for a handler.', function* aio_pending(ctx: AioContext) {
  at('revents');
  return ctx.aio_handlers.some((node) => (node['pfd.revents'] & node['pfd.events']) !== 0);
});

const aio_dispatch_handler = fn(
  'Calls a handler if its file descriptor was found ready.',
  function* aio_dispatch_handler(_ctx: AioContext, node: AioHandler) {
    const revents = node['pfd.revents'] & node['pfd.events'];
    if (revents === 0) return false;
    node['pfd.revents'] = 0;
    yield* through('function pointer', 'io_read', node.io_read)();
    return true;
  },
);

const aio_dispatch_handlers = fn('Goes through every handler, the newest first.', function* aio_dispatch_handlers(ctx: AioContext) {
  let progress = false;
  // A handler may remove itself.
  for (const node of [...ctx.aio_handlers]) progress = (yield* aio_dispatch_handler(ctx, node)) || progress;
  return progress;
});

export const aio_dispatch = fn('Serves the file descriptors that polling found ready.', function* aio_dispatch(ctx: AioContext) {
  yield* aio_dispatch_handlers(ctx);
});

export const aio_add_ready_handler = fn(
  'Polling found something for a handler.',
  function* aio_add_ready_handler(ready_list: AioHandler[], node: AioHandler, revents: number) {
    node['pfd.revents'] = revents;
    ready_list.unshift(node);
  },
);

const aio_dispatch_ready_handlers = fn(
  'Calls the handlers for which polling found something.',
  function* aio_dispatch_ready_handlers(ctx: AioContext, ready_list: AioHandler[]) {
    let progress = false;
    for (const node of ready_list.splice(0)) progress = (yield* aio_dispatch_handler(ctx, node)) || progress;
    return progress;
  },
);

export const aio_poll = fn(
  'One turn of an I/O thread’s event loop: sleeps until there is something, then bottom halves, then handlers. It takes no big lock.',
  function* aio_poll(ctx: IOThreadContext) {
    const ready_list: AioHandler[] = [];
    const timeout = yield* aio_compute_timeout(ctx);
    atCall('try_poll_mode', 'With poll-max-ns=0, as here, it never spins on the rings but goes to sleep at once.');
    if (timeout !== 0) {
      at('notify_me');
      ctx.notify_me += 2;
      atCall('smp_mb', 'Whoever notifies from now on signals the eventfd; who did before has set `notified`.');
      // A timeout of 0 would still poll once, were there something that needs that.
      if (!ctx.notified) yield* through('function pointer', 'wait', ctx.fdmon_ops.wait)(ctx, ready_list, timeout);
      atCall('qatomic_store_release');
      ctx.notify_me -= 2;
    }
    yield* aio_notify_accept(ctx);
    let progress = yield* aio_bh_poll(ctx);
    progress = (yield* aio_dispatch_ready_handlers(ctx, ready_list)) || progress;
    return progress;
  },
);
