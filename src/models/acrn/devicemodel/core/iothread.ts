import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { causedBy, preempt, signal } from '../../../../engine/steps';
import { epoll_create1, epoll_ctl, epoll_wait, type Eventpoll } from '../../../linux/fs/eventpoll';
import type { Pollable } from '../../../linux/include/linux/poll';
import type { Callback, Vmctx } from '../include/dm';

/** Threads of the device model that serve the queues of one device, beside the one thread that serves requests. */

const IothreadCells = struct('iothread_ctx', 'An I/O thread and its epoll set.', { started: bool() });

export type IothreadCtx = InstanceOf<typeof IothreadCells> & { readonly name: string; readonly epfd: Eventpoll };

/** What an I/O thread calls when a queue has been kicked. */
export interface IothreadMevent {
  readonly run: Callback;
}

/** Makes a thread's context, as iothread_create() does. The thread starts when it has something to watch. */
export const iothread_create = (name: string): IothreadCtx => Object.assign(IothreadCells(name), { name, epfd: epoll_create1(name) });

const { fn } = source('acrn', 'devicemodel/core/iothread.c');

const io_thread = fn(
  'An I/O thread: waits for kicks, and serves the queue that each is for.',
  function* io_thread(ioctx_x: IothreadCtx): Run<never> {
    for (;;) {
      const eventlist = yield* through('syscall', 'epoll_wait', epoll_wait.do_epoll_wait)(ioctx_x.epfd);
      for (const aevp of eventlist as readonly IothreadMevent[]) yield* through('function pointer', 'run', aevp.run)();
      yield* preempt();
    }
  },
);

const iothread_start = fn('Starts the thread, once.', function* iothread_start(ctx: Vmctx, ioctx_x: IothreadCtx) {
  if (ioctx_x.started) return 0;
  const { target } = addressOf(bound(io_thread, () => ioctx_x));
  const step = signal('function pointer', 'pthread_create');
  ctx.pthread_create(ioctx_x.name, function* () {
    causedBy(step);
    yield* target();
  });
  ioctx_x.started = true;
  return 0;
});

export const iothread_add = fn(
  'Has an I/O thread watch a file.',
  function* iothread_add(ctx: Vmctx, ioctx_x: IothreadCtx, name: string, fd: Pollable, aevt: IothreadMevent) {
    const ret = yield* through('syscall', 'epoll_ctl', epoll_ctl.do_epoll_ctl)(ioctx_x.epfd, name, fd, aevt);
    return ret < 0 ? ret : yield* iothread_start(ctx, ioctx_x);
  },
);
