import { bool, struct, type InstanceOf } from '../../../engine/cell';
import { addressOf, bound, source } from '../../../engine/fn';
import type { Run } from '../../../engine/machine';
import { running } from '../../../engine/running';
import { at, atCall, causedBy, signal, until } from '../../../engine/steps';
import { NO_STEP } from '../../../engine/journal';
import { vfs_poll, type Pollable } from '../include/linux/poll';
import { add_wait_queue, EPOLLHUP, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../kernel/sched/wait';
import type { PollTable } from './eventfd';

/** poll(2): sleeping until one of many files has something to say. */

/** A file that a poll asks about, and the answer. */
export interface Pollfd {
  readonly fd: Pollable;
  readonly events: number;
  revents: number;
}

const PollWqueuesCells = struct('poll_wqueues', 'One poll in progress: the queues that it waits on, and whether one of them has called.', {
  triggered: bool(),
});

export type PollWqueues = InstanceOf<typeof PollWqueuesCells> & {
  readonly entries: { readonly wait_address: WaitQueueHead; readonly wait: WaitQueueEntry }[];
  /** The step that woke the poller last. */
  wokenAt: number;
};

/** The poll state of one task. Upstream has it on the stack of each call. */
export const poll_wqueues = (task: string): PollWqueues => Object.assign(PollWqueuesCells(task), { entries: [], wokenAt: NO_STEP });

const { fn, ops } = source('linux', 'fs/select.c');

const __pollwake = fn('Remembers that something happened and wakes the polling task.', function* __pollwake(pwq: PollWqueues) {
  pwq.triggered = true;
  pwq.wokenAt = signal('eventfd', 'default_wake_function', 'The polling thread gets ready to run; the signaller goes on at once.');
  return 1;
});

const pollwake = fn(
  'Somebody signalled a file that is being polled. Runs in the signaller’s context: for VFIO a hard interrupt. It takes nothing from the file, so the event stays until it is read.',
  function* pollwake(pwq: PollWqueues, events: number, key: number) {
    at('key_to_poll');
    return key & events ? yield* __pollwake(pwq) : 0;
  },
);

const __pollwait = fn(
  'Puts the poll on a file’s wait queue.',
  function* __pollwait(pwq: PollWqueues, events: number, wait_address: WaitQueueHead) {
    atCall('init_waitqueue_func_entry');
    const wait: WaitQueueEntry = {
      func: addressOf(
        bound(
          bound(pollwake, () => pwq),
          () => events,
        ),
      ),
      exclusive: false,
    };
    pwq.entries.push({ wait_address, wait });
    yield* add_wait_queue(wait_address, wait);
  },
);

const poll_initwait = fn('Starts a poll that has seen nothing yet.', function* poll_initwait(pwq: PollWqueues) {
  const pt: PollTable = {
    _qproc: addressOf(
      bound(
        bound(__pollwait, () => pwq),
        () => EPOLLIN | EPOLLHUP,
      ),
    ),
  };
  pwq.triggered = false;
  return pt;
});

const poll_freewait = fn('Takes the poll off every wait queue that it is on.', function* poll_freewait(pwq: PollWqueues) {
  for (const { wait_address, wait } of pwq.entries.splice(0)) {
    atCall('free_poll_entry');
    wait_address.splice(wait_address.indexOf(wait), 1);
  }
});

const do_pollfd = fn(
  'Asks one file what is ready; where a poll table is given, the file is also asked to call back.',
  function* do_pollfd(pollfd: Pollfd, pwait: PollTable) {
    const mask = (yield* vfs_poll(pollfd.fd, pwait)) & (pollfd.events | EPOLLHUP);
    at('revents');
    pollfd.revents = mask;
    return mask;
  },
);

const poll_schedule_timeout = fn(
  'Sleeps until one of the wait queues calls or the time is over, and says which: 0 means the time is over.',
  function* poll_schedule_timeout(pwq: PollWqueues, expires: number | undefined) {
    const woken = pwq.triggered || (yield* schedule_hrtimeout_range(() => pwq.triggered, expires));
    if (woken) causedBy(pwq.wokenAt);
    atCall('smp_store_mb');
    pwq.triggered = false;
    return woken;
  },
);

const do_poll = fn(
  'Asks every file once and queues on it, sleeps if none was ready, and asks again. Files are queued on before they are looked at, so no event is missed.',
  function* do_poll(list: readonly Pollfd[], wait: PollWqueues, table: PollTable, end_time: number | undefined) {
    let timed_out = end_time !== undefined && end_time <= running().now;
    let pt = timed_out ? undefined : table;
    for (;;) {
      let count = 0;
      for (const pfd of list) {
        if ((yield* do_pollfd(pfd, pt)) === 0) continue;
        count++;
        pt = undefined;
      }
      pt = undefined;
      if (count > 0 || timed_out) return count;
      timed_out = !(yield* poll_schedule_timeout(wait, end_time));
    }
  },
);

export const do_sys_poll = fn(
  'poll(2) and ppoll(2): says which of the files are ready, after waiting for one if need be. `end_time` is in milliseconds of simulated time; undefined waits for ever.',
  function* do_sys_poll(ufds: readonly Pollfd[], table: PollWqueues, end_time: number | undefined) {
    const pt = yield* poll_initwait(table);
    const fdcount = yield* do_poll(ufds, table, pt, end_time);
    yield* poll_freewait(table);
    return fdcount;
  },
);

/** The system call that leads here. */
export const ppoll = ops('ppoll', { do_sys_poll });

/** schedule_hrtimeout_range(): sleeps until `woken` holds or simulated time reaches `expires`; the result is whether it was woken. */
function* schedule_hrtimeout_range(woken: () => boolean, expires: number | undefined): Run<boolean> {
  atCall('schedule_hrtimeout_range');
  if (expires === undefined) {
    yield* until(woken);
    return true;
  }
  const { now } = running();
  if (now < expires) {
    yield {
      kind: 'sleep',
      // A sleeper that is woken early has slept enough already.
      get deadline() {
        return woken() ? now : expires;
      },
    };
  }
  return woken();
}
