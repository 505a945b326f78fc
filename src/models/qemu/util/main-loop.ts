import { source, through } from '../../../engine/fn';
import { acquire, release } from '../../../engine/mutex';
import { atCall, preempt } from '../../../engine/steps';
import type { EventfdCtx } from '../../linux/fs/eventfd';
import type { Pollfd } from '../../linux/fs/select';
import { qio_channel_fd_source_funcs, type QIOChannelFDSource } from '../io/channel-watch';
import { G_IO_IN, type AioHandler, type IOHandler } from '../include/block/aio';
import type { Process } from '../machine';
import { aio_set_event_notifier, aio_set_fd_handler } from './aio-posix';
import { aio_source_funcs } from './async';
import type { EventNotifier } from './event_notifier-posix';
import { qemu_clock_run_all_timers, qemu_poll_ns, timerlistgroup_deadline_ns } from './qemu-timer';

/** The main loop: QEMU's own thread, which serves file descriptors and timers under the BQL. */

/** What a handler, or an event source of its own, asked to be polled. */
type Polled = Pollfd & ({ readonly node: AioHandler } | { readonly source: QIOChannelFDSource });

const { fn } = source('qemu', 'util/main-loop.c');

const glib_pollfds_fill = fn(
  'Collects what to poll from every event source.',
  function* glib_pollfds_fill({ iohandler_ctx, sources }: Process) {
    yield* through('function pointer', 'g_main_context_prepare', aio_source_funcs.prepare)(iohandler_ctx);
    atCall('g_main_context_query');
    return [
      ...iohandler_ctx.aio_handlers.map((node): Polled => ({ node, fd: node['pfd.fd']!, events: node['pfd.events'], revents: 0 })),
      ...sources.map((one): Polled => ({ source: one, fd: one.fd, events: G_IO_IN, revents: 0 })),
    ];
  },
);

const glib_pollfds_poll = fn(
  'Hands the result of polling to the event sources, and dispatches those that have something to do.',
  function* glib_pollfds_poll({ iohandler_ctx }: Process, pollfds: readonly Polled[]) {
    for (const polled of pollfds) {
      if (!('node' in polled) || polled.revents === 0) continue;
      atCall('g_main_context_check');
      polled.node['pfd.revents'] = polled.revents;
    }
    if (yield* through('function pointer', 'g_main_context_check', aio_source_funcs.check)(iohandler_ctx)) {
      yield* through('function pointer', 'g_main_context_dispatch', aio_source_funcs.dispatch)(iohandler_ctx);
    }
    for (const polled of pollfds) {
      if ('source' in polled && polled.revents !== 0)
        yield* through('function pointer', 'g_main_context_dispatch', qio_channel_fd_source_funcs.dispatch)(polled.source);
    }
  },
);

const os_host_main_loop_wait = fn(
  'Polls without the BQL: only here can a vCPU thread get into device emulation. `timeout` is in nanoseconds.',
  function* os_host_main_loop_wait(q: Process, timeout: number) {
    const pollfds = yield* glib_pollfds_fill(q);
    release(q.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    yield* preempt();
    const ret = yield* qemu_poll_ns(pollfds, q.poll, timeout);
    yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    yield* glib_pollfds_poll(q, pollfds);
    return ret;
  },
);

export const main_loop_wait = fn(
  'One turn of the main loop: waits for file descriptors and timers, and serves them.',
  function* main_loop_wait(q: Process) {
    atCall('timerlistgroup_deadline_ns');
    const timeout_ns = timerlistgroup_deadline_ns(q.main_loop_tlg);
    yield* os_host_main_loop_wait(q, timeout_ns);
    yield* qemu_clock_run_all_timers(q.main_loop_tlg);
  },
);

export const qemu_set_fd_handler = fn(
  'Makes the main loop call `fd_read` whenever a file descriptor can be read; undefined stops it.',
  function* qemu_set_fd_handler(q: Process, fd: EventfdCtx, name: string, fd_read: IOHandler | undefined) {
    yield* aio_set_fd_handler(q.iohandler_ctx, fd, name, fd_read);
  },
);

export const event_notifier_set_handler = fn(
  'Makes the main loop call a handler whenever an event is signalled; undefined stops it.',
  function* event_notifier_set_handler(q: Pick<Process, 'iohandler_ctx'>, e: EventNotifier, handler: IOHandler | undefined) {
    yield* aio_set_event_notifier(q.iohandler_ctx, e, handler);
  },
);
