import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, preempt } from '../../../../engine/steps';
import { epoll_ctl, epoll_wait } from '../../../linux/fs/eventpoll';
import type { Pollable } from '../../../linux/include/linux/poll';
import type { Callback, Vmctx } from '../include/dm';

/** The main thread's event loop: input for backends, timers. */

interface Mevent {
  readonly run: Callback;
}

const { fn } = source('acrn', 'devicemodel/core/mevent.c');

export const mevent_add = fn(
  'Has the main thread call a function when a file can be read.',
  function* mevent_add(ctx: Vmctx, name: string, tfd: Pollable, run: Callback) {
    const mevp: Mevent = { run };
    yield* through('syscall', 'epoll_ctl', epoll_ctl.do_epoll_ctl)(ctx.epoll_fd, name, tfd, mevp);
    return mevp;
  },
);

const mevent_handle = fn('Calls those whose files are ready.', function* mevent_handle(kev: readonly Mevent[]) {
  for (const mevp of kev) yield* through('function pointer', 'run', mevp.run)();
});

export const mevent_dispatch = fn('The loop that the main thread ends in.', function* mevent_dispatch(ctx: Vmctx): Run<never> {
  at('mevent_tid');
  for (;;) {
    const eventlist = yield* through('syscall', 'epoll_wait', epoll_wait.do_epoll_wait)(ctx.epoll_fd);
    yield* mevent_handle(eventlist as readonly Mevent[]);
    yield* preempt();
  }
});
