import { int, struct, type InstanceOf } from '../../../engine/cell';
import { source, through, type Pointer } from '../../../engine/fn';
import { running } from '../../../engine/running';
import { at } from '../../../engine/steps';
import { ppoll, type Pollfd, type PollWqueues } from '../../linux/fs/select';

/** Timers, which the main loop runs. Times are nanoseconds of QEMU_CLOCK_VIRTUAL, as upstream holds them. */

export const SCALE_MS = 1_000_000;

const QEMUTimerCells = struct('QEMUTimer', 'A timer of the main loop. expire_time is in nanoseconds; -1 while it is not armed.', {
  expire_time: int(-1),
});

export type QEMUTimer = InstanceOf<typeof QEMUTimerCells> & {
  readonly timer_list: QEMUTimerList;
  readonly scale: number;
  readonly cb: Pointer<[], void>;
};

/** The armed timers of a clock, soonest first. */
export interface QEMUTimerList {
  readonly active_timers: QEMUTimer[];
}

/** timer_new_ms(): a timer that counts in milliseconds, not armed yet. */
export const timer_new_ms = (name: string, timer_list: QEMUTimerList, cb: Pointer<[], void>): QEMUTimer =>
  Object.assign(QEMUTimerCells(name), { timer_list, cb, scale: SCALE_MS });

/** timer_new_ns(): a timer that counts in nanoseconds, not armed yet. */
export const timer_new_ns = (name: string, timer_list: QEMUTimerList, cb: Pointer<[], void>): QEMUTimer =>
  Object.assign(QEMUTimerCells(name), { timer_list, cb, scale: 1 });

/** qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL). */
export const qemu_clock_get_ms = (): number => running().now;

/** qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL). */
export const qemu_clock_get_ns = (): number => running().now * SCALE_MS;

/** timerlistgroup_deadline_ns(): nanoseconds until the soonest timer is due, 0 if one is, -1 if none is armed. */
export function timerlistgroup_deadline_ns(list: QEMUTimerList): number {
  const soonest = list.active_timers[0];
  return soonest === undefined ? -1 : Math.max(soonest.expire_time - qemu_clock_get_ns(), 0);
}

const { fn } = source('qemu', 'util/qemu-timer.c');

const timer_del_locked = fn(
  'Takes a timer off the list of the armed ones.',
  function* timer_del_locked(timer_list: QEMUTimerList, ts: QEMUTimer) {
    ts.expire_time = -1;
    const index = timer_list.active_timers.indexOf(ts);
    if (index >= 0) timer_list.active_timers.splice(index, 1);
  },
);

const timer_mod_ns_locked = fn(
  'Puts a timer where it belongs in the sorted list.',
  function* timer_mod_ns_locked(timer_list: QEMUTimerList, ts: QEMUTimer, expire_time: number) {
    ts.expire_time = Math.max(expire_time, 0);
    const { active_timers } = timer_list;
    const later = active_timers.findIndex((other) => other.expire_time > ts.expire_time);
    active_timers.splice(later < 0 ? active_timers.length : later, 0, ts);
  },
);

export const timer_del = fn('Disarms a timer; harmless where it is not armed.', function* timer_del(ts: QEMUTimer) {
  yield* timer_del_locked(ts.timer_list, ts);
});

const timer_mod_ns = fn('Arms a timer for a point in time, or moves it there.', function* timer_mod_ns(ts: QEMUTimer, expire_time: number) {
  yield* timer_del_locked(ts.timer_list, ts);
  yield* timer_mod_ns_locked(ts.timer_list, ts, expire_time);
});

export const timer_mod = fn('Arms a timer, in the unit that it was made with.', function* timer_mod(ts: QEMUTimer, expire_time: number) {
  yield* timer_mod_ns(ts, expire_time * ts.scale);
});

const timer_mod_anticipate_ns = fn(
  'Arms a timer, unless it is due sooner already.',
  function* timer_mod_anticipate_ns(ts: QEMUTimer, expire_time: number) {
    at('expire_time');
    if (ts.expire_time !== -1 && ts.expire_time <= expire_time) return;
    if (ts.expire_time !== -1) yield* timer_del_locked(ts.timer_list, ts);
    yield* timer_mod_ns_locked(ts.timer_list, ts, expire_time);
  },
);

export const timer_mod_anticipate = fn(
  'Arms a timer in its own unit, unless it is due sooner already.',
  function* timer_mod_anticipate(ts: QEMUTimer, expire_time: number) {
    yield* timer_mod_anticipate_ns(ts, expire_time * ts.scale);
  },
);

const timerlist_run_timers = fn(
  'Calls every timer that is due. Each is disarmed before its callback, which may arm it again.',
  function* timerlist_run_timers(timer_list: QEMUTimerList) {
    at('active_timers');
    let progress = false;
    for (;;) {
      const ts = timer_list.active_timers[0];
      if (ts === undefined || ts.expire_time > qemu_clock_get_ns()) return progress;
      timer_list.active_timers.shift();
      ts.expire_time = -1;
      yield* through('timer', 'cb', ts.cb)();
      progress = true;
    }
  },
);

const qemu_clock_run_timers = fn(
  'Runs the main loop’s timers of one clock.',
  function* qemu_clock_run_timers(main_loop_tlg: QEMUTimerList) {
    return yield* timerlist_run_timers(main_loop_tlg);
  },
);

export const qemu_clock_run_all_timers = fn(
  'Runs the main loop’s timers of every clock; the models use the virtual one.',
  function* qemu_clock_run_all_timers(main_loop_tlg: QEMUTimerList) {
    return yield* qemu_clock_run_timers(main_loop_tlg);
  },
);

export const qemu_poll_ns = fn(
  'Polls file descriptors for at most `timeout` nanoseconds; a negative one waits for ever.',
  function* qemu_poll_ns(fds: readonly Pollfd[], task: PollWqueues, timeout: number) {
    const end_time = timeout < 0 ? undefined : running().now + timeout / SCALE_MS;
    return yield* through('syscall', 'ppoll', ppoll.do_sys_poll)(fds, task, end_time);
  },
);
