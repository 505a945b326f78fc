import { pointer, struct, type Instance, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through, type Pointer } from '../../../../engine/fn';
import { at, atCall, behind } from '../../../../engine/steps';
import {
  eventfd_ctx_do_read,
  eventfd_ctx_fileget,
  eventfd_ctx_put,
  eventfd_ctx_remove_wait_queue,
  type EventfdCtx,
} from '../../fs/eventfd';
import { vfs_poll } from '../../include/linux/poll';
import { add_wait_queue, EPOLLHUP, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../../kernel/sched/wait';
import {
  flush_work,
  flush_workqueue,
  init_work,
  queue_work,
  schedule_work,
  type WorkqueueStruct,
  type WorkStruct,
} from '../../kernel/workqueue';
import { EBUSY } from '../../errno';

/** virqfds: an eventfd that, when signalled, calls into a VFIO driver. */

const VirqfdCells = struct('virqfd', 'An eventfd that VFIO listens to, with what to do when it is signalled.', {
  eventfd: pointer<EventfdCtx>(),
});

export type Virqfd = InstanceOf<typeof VirqfdCells> & {
  readonly handler: Pointer<[], number>;
  readonly thread: Pointer<[], void>;
  readonly inject: WorkStruct;
  readonly shutdown: WorkStruct;
  readonly wait: WaitQueueEntry;
  readonly pvirqfd: VirqfdSlot;
  readonly host: VirqfdHost;
};

/** Where a driver keeps the pointer to its virqfd. */
export type VirqfdSlot = Instance & { unmask: Virqfd | undefined; mask: Virqfd | undefined };

/** The workqueues that virqfds use. */
export interface VirqfdHost {
  readonly system_wq: WorkqueueStruct;
  readonly vfio_irqfd_cleanup_wq: WorkqueueStruct;
}

const { fn } = source('linux', 'drivers/vfio/virqfd.c');

const virqfd_deactivate = fn('Leaves the release of a virqfd to the clean-up worker.', function* virqfd_deactivate(virqfd: Virqfd) {
  yield* queue_work(virqfd.host.vfio_irqfd_cleanup_wq, virqfd.shutdown);
});

const virqfd_wakeup = fn(
  'The eventfd was signalled (or closed). Runs in the signaller’s context with the wait queue’s lock held, so the handler may not signal an eventfd itself: a positive result makes the worker do it.',
  function* virqfd_wakeup(virqfd: Virqfd, key: number) {
    if (key & EPOLLIN) {
      yield* eventfd_ctx_do_read(virqfd.eventfd!);
      const signal = yield* through('function pointer', 'handler', virqfd.handler)();
      if (signal) yield* schedule_work(virqfd.host.system_wq, virqfd.inject);
    }
    if (key & EPOLLHUP && virqfd.pvirqfd.unmask === virqfd) {
      at('pvirqfd');
      virqfd.pvirqfd.unmask = undefined;
      yield* virqfd_deactivate(virqfd);
    }
    return 0;
  },
);

const virqfd_ptable_queue_proc = fn(
  'Puts the virqfd on the eventfd’s wait queue.',
  function* virqfd_ptable_queue_proc(virqfd: Virqfd, wqh: WaitQueueHead) {
    yield* add_wait_queue(wqh, virqfd.wait);
  },
);

const virqfd_shutdown = fn('Takes a virqfd off its eventfd and frees it.', function* virqfd_shutdown(virqfd: Virqfd) {
  yield* eventfd_ctx_remove_wait_queue(virqfd.eventfd!, virqfd.wait);
  yield* flush_work(virqfd.inject, virqfd.host.system_wq);
  yield* eventfd_ctx_put(virqfd.eventfd!);
  virqfd.eventfd = undefined;
});

const virqfd_inject = fn('Does in a worker what the handler could not do in the wake-up.', function* virqfd_inject(virqfd: Virqfd) {
  yield* through('function pointer', 'thread', virqfd.thread)();
});

export const vfio_virqfd_enable = fn(
  'Makes an eventfd call `handler` when it is signalled, and `thread` from a worker when the handler asks for it.',
  function* vfio_virqfd_enable(
    host: VirqfdHost,
    handler: Pointer<[], number>,
    thread: Pointer<[], void>,
    pvirqfd: VirqfdSlot,
    fd: EventfdCtx,
  ) {
    const virqfd: Virqfd = Object.assign(VirqfdCells('unmask'), {
      handler,
      thread,
      pvirqfd,
      host,
      shutdown: init_work(
        'virqfd.shutdown',
        bound(virqfd_shutdown, () => virqfd),
      ),
      inject: init_work(
        'virqfd.inject',
        bound(virqfd_inject, () => virqfd),
      ),
      wait: { func: addressOf(bound(virqfd_wakeup, () => virqfd)), exclusive: false },
    });
    virqfd.eventfd = yield* eventfd_ctx_fileget(fd);
    behind('eventfd');
    at('pvirqfd');
    if (pvirqfd.unmask !== undefined) return -EBUSY;
    pvirqfd.unmask = virqfd;
    const events = yield* vfs_poll(fd, { _qproc: addressOf(bound(virqfd_ptable_queue_proc, () => virqfd)) });
    if (events & EPOLLIN && (yield* through('function pointer', 'handler', handler)())) yield* schedule_work(host.system_wq, virqfd.inject);
    return 0;
  },
);

export const vfio_virqfd_disable = fn(
  'Releases a virqfd and waits until it is gone.',
  function* vfio_virqfd_disable(pvirqfd: VirqfdSlot, member: 'unmask' | 'mask', host: VirqfdHost) {
    const virqfd = pvirqfd[member];
    if (virqfd !== undefined) {
      yield* virqfd_deactivate(virqfd);
      at('pvirqfd');
      pvirqfd[member] = undefined;
    }
    yield* flush_workqueue(host.vfio_irqfd_cleanup_wq);
  },
);

export const vfio_virqfd_init = fn(
  'Makes the workqueue on which virqfds are released. Part of vfio.ko since 6.2; before, a module of its own.',
  function* vfio_virqfd_init() {
    atCall('create_singlethread_workqueue');
    return 0;
  },
);
