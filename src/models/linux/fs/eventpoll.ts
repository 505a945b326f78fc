import { bool, struct, type InstanceOf } from '../../../engine/cell';
import { addressOf, bound, source } from '../../../engine/fn';
import type { Run } from '../../../engine/machine';
import { at, atCall, causedBy, signal, until } from '../../../engine/steps';
import { vfs_poll, type Pollable } from '../include/linux/poll';
import { add_wait_queue, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../kernel/sched/wait';
import { since } from '../../version';
import type { PollTable } from './eventfd';

/** epoll: files that are queued on once, and a list of those that have called since. Level-triggered. */

const EpitemCells = struct('epitem', 'A file in an epoll set: whether it is on the ready list.', { rdllink: bool() });

type Epitem = InstanceOf<typeof EpitemCells> & {
  readonly ep: Eventpoll;
  readonly file: Pollable;
  /** What user space wants to be reminded of. */
  readonly data: unknown;
};

/** An epoll set. */
export interface Eventpoll {
  readonly name: string;
  readonly rdllist: Epitem[];
  /** Somebody sleeps in epoll_wait(). */
  waiting: boolean;
  /** The step that woke the waiter last. */
  wokenAt: number;
}

/** epoll_create1(). */
export const epoll_create1 = (name: string): Eventpoll => ({ name, rdllist: [], waiting: false, wokenAt: -1 });

const { fn, ops } = source('linux', 'fs/eventpoll.c');

function makeReady(epi: Epitem): void {
  atCall('list_add_tail');
  epi.rdllink = true;
  epi.ep.rdllist.push(epi);
}

const ep_poll_callback = fn(
  'A file of the set has called. Runs in the signaller’s context: only puts the file on the ready list and wakes whoever waits.',
  function* ep_poll_callback(epi: Epitem, key: number) {
    at('key_to_poll');
    if ((key & EPOLLIN) === 0) return 0;
    if (!epi.rdllink) makeReady(epi);
    if (epi.ep.waiting) epi.ep.wokenAt = signal('eventfd', 'wake_up', 'The thread in epoll_wait gets ready to run.');
    return 1;
  },
);

const ep_ptable_queue_proc = fn(
  'Puts the set on a file’s wait queue, for as long as the file is in the set.',
  function* ep_ptable_queue_proc(epi: Epitem, whead: WaitQueueHead) {
    atCall('init_waitqueue_func_entry');
    const wait: WaitQueueEntry = { func: addressOf(bound(ep_poll_callback, () => epi)), exclusive: false };
    yield* add_wait_queue(whead, wait);
  },
);

const ep_item_poll = fn('Asks a file whether it is ready.', function* ep_item_poll(epi: Epitem, pt: PollTable) {
  return (yield* vfs_poll(epi.file, pt)) & EPOLLIN;
});

const ep_insert = fn('Adds a file to the set. If it is ready already, it is on the list from the start.', function* ep_insert(epi: Epitem) {
  const revents = yield* ep_item_poll(epi, { _qproc: addressOf(bound(ep_ptable_queue_proc, () => epi)) });
  if (revents !== 0) makeReady(epi);
  return 0;
});

const do_epoll_ctl = fn('EPOLL_CTL_ADD: adds a file.', function* do_epoll_ctl(ep: Eventpoll, name: string, file: Pollable, data: unknown) {
  return yield* ep_insert(Object.assign(EpitemCells(name), { ep, file, data }));
});

const report = function* (epi: Epitem): Run<unknown[]> {
  const revents = yield* ep_item_poll(epi, undefined);
  if (revents === 0) return [];
  // Level-triggered: reported again until somebody has read.
  makeReady(epi);
  return [epi.data];
};

const ep_deliver_event = fn('Reports one file if it is still ready.', function* ep_deliver_event(epi: Epitem) {
  return yield* report(epi);
});

const ep_send_events = fn(
  'Takes the ready list, asks each file again, and reports those that still are. They stay on the list, so the next call asks once more.',
  function* ep_send_events(ep: Eventpoll): Run<unknown[]> {
    atCall('ep_start_scan');
    const ready = ep.rdllist.splice(0);
    for (const epi of ready) epi.rdllink = false;
    const events: unknown[] = [];
    for (const epi of ready) events.push(...(since('linux', '6.12') ? yield* ep_deliver_event(epi) : yield* report(epi)));
    return events;
  },
);

const ep_poll = fn('Reports what is ready, and sleeps until something is.', function* ep_poll(ep: Eventpoll): Run<unknown[]> {
  for (;;) {
    if (ep.rdllist.length > 0) {
      const events = yield* ep_send_events(ep);
      if (events.length > 0) return events;
    }
    at('wq');
    ep.waiting = true;
    yield* until(() => ep.rdllist.length > 0);
    ep.waiting = false;
    causedBy(ep.wokenAt);
  }
});

const do_epoll_wait = fn('Waits for files of the set to become ready.', function* do_epoll_wait(ep: Eventpoll) {
  return yield* ep_poll(ep);
});

/** The system calls that lead here. */
export const epoll_ctl = ops('epoll_ctl', { do_epoll_ctl });
export const epoll_wait = ops('epoll_wait', { do_epoll_wait });
