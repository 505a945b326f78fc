import { int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, via, type Pointer } from '../../../../engine/fn';
import { running } from '../../../../engine/running';
import { at, atCall, causedBy, signal, sleep, until } from '../../../../engine/steps';

/** High-resolution timers: a callback in hard-interrupt context at a given time, in nanoseconds of CLOCK_MONOTONIC. */

const NS_PER_MS = 1_000_000;

const HrtimerCells = struct('hrtimer', 'A timer of the host. It counts only while it is enqueued.', {
  expires: int(),
  state: oneOf({ HRTIMER_STATE_INACTIVE: 0, HRTIMER_STATE_ENQUEUED: 1 }, 0),
});
export type Hrtimer = InstanceOf<typeof HrtimerCells> & {
  /** The step that armed it last. */
  armedAt: number;
};

/** Makes a timer, not armed. */
export const hrtimer = (name: string): Hrtimer => Object.assign(HrtimerCells(name), { armedAt: -1 });

/** What a callback answers: whether the timer, whose expiry it has moved, shall be armed again. */
export type HrtimerRestart = 'HRTIMER_NORESTART' | 'HRTIMER_RESTART';

/** ktime_get(): nanoseconds since the machine started. */
export const ktime_get = (): number => Math.round(running().now * NS_PER_MS);

const { fn } = source('linux', 'kernel/time/hrtimer.c');

const hrtimer_start_range_ns = fn('Arms a timer.', function* hrtimer_start_range_ns(timer: Hrtimer, tim: number) {
  atCall('__hrtimer_start_range_ns');
  timer.expires = tim;
  timer.state = 1;
  timer.armedAt = signal('timer', '__hrtimer_start_range_ns');
});

/** hrtimer_start(). */
export const hrtimer_start = via('hrtimer_start', hrtimer_start_range_ns);

export const hrtimer_cancel = fn(
  'Disarms a timer, and waits for its callback if that runs just now.',
  function* hrtimer_cancel(timer: Hrtimer) {
    if (timer.state === 0) return;
    atCall('hrtimer_try_to_cancel');
    timer.state = 0;
  },
);

/** hrtimer_set_expires(): moves the expiry, as a callback does that wants its timer back. */
export function hrtimer_set_expires(timer: Hrtimer, time: number): void {
  atCall('hrtimer_set_expires');
  timer.expires = time;
}

const __run_hrtimer = fn(
  'Takes an expired timer off its queue and calls its function; if that asks for it, the timer goes back with a new expiry.',
  function* __run_hrtimer(timer: Hrtimer, callback: Pointer<[], HrtimerRestart>) {
    atCall('__remove_hrtimer');
    timer.state = 0;
    const restart = yield* through('timer', 'fn', callback)();
    if (restart === 'HRTIMER_NORESTART' || timer.state !== 0) return;
    atCall('enqueue_hrtimer');
    timer.state = 1;
  },
);

const __hrtimer_run_queues = fn(
  'Runs what has expired.',
  function* __hrtimer_run_queues(timer: Hrtimer, callback: Pointer<[], HrtimerRestart>) {
    yield* __run_hrtimer(timer, callback);
  },
);

const hrtimer_interrupt = fn(
  'The clock-event device of the host’s CPU has expired.',
  function* hrtimer_interrupt(timer: Hrtimer, callback: Pointer<[], HrtimerRestart>) {
    at('expires_next');
    yield* __hrtimer_run_queues(timer, callback);
  },
);

/** The host CPU’s clock-event device, as far as one timer is concerned: a thread of hard-interrupt context. */
export function hrtimer_context(
  timer: Hrtimer,
  callback: Pointer<[], HrtimerRestart>,
  thread: string,
  title: string,
  priority: number,
): void {
  running().thread(thread, title, 'hardirq', priority, function* () {
    for (;;) {
      yield* until(() => timer.state === 1);
      const left = timer.expires - ktime_get();
      if (left > 0) {
        yield* sleep(left / NS_PER_MS);
        continue;
      }
      causedBy(timer.armedAt);
      yield* hrtimer_interrupt(timer, callback);
    }
  });
}
