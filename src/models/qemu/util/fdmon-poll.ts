import { source } from '../../../engine/fn';
import { at } from '../../../engine/steps';
import type { AioHandler } from '../include/block/aio';
import type { IOThreadContext } from '../iothread';
import { aio_add_ready_handler } from './aio-posix';
import { qemu_poll_ns } from './qemu-timer';

/** Waiting for file descriptors with ppoll(2), which an event loop does as long as there are few of them and io_uring is not there. */

const { fn, ops } = source('qemu', 'util/fdmon-poll.c');

const fdmon_poll_wait = fn(
  'Polls every watched file descriptor, and collects the handlers of those that are ready.',
  function* fdmon_poll_wait(ctx: IOThreadContext, ready_list: AioHandler[], timeout: number) {
    at('aio_handlers');
    const nodes = [...ctx.aio_handlers];
    const pollfds = nodes.map((node) => ({ fd: node['pfd.fd']!, events: node['pfd.events'], revents: 0 }));
    const ret = yield* qemu_poll_ns(pollfds, ctx.poll, timeout);
    for (const [i, { revents }] of pollfds.entries()) if (revents !== 0) yield* aio_add_ready_handler(ready_list, nodes[i]!, revents);
    return ret;
  },
);

export const fdmon_poll_ops = ops('fdmon_poll_ops', { wait: fdmon_poll_wait });
