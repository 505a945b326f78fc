import { bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { running } from '../../../../engine/running';
import { atCall, behind, causedBy, signal, until } from '../../../../engine/steps';

/** Events of the hypervisor's scheduler: one thread waits, anybody signals, a signal before the wait is remembered. */

const SchedEventCells = struct('sched_event', 'An event that one hypervisor thread can wait for.', {
  set: bool(),
  /** The waiting thread’s number plus one; 0 is NULL. */
  waiting_thread: int(),
});

export type SchedEvent = InstanceOf<typeof SchedEventCells> & { wokenBy: number };
export const sched_event = (name: string): SchedEvent => Object.assign(SchedEventCells(name), { wokenBy: -1 });

const { fn } = source('acrn', 'hypervisor/common/event.c');

export const reset_event = fn('Forgets a signal that nobody waited for.', function* reset_event(event: SchedEvent) {
  if (event.set) event.set = false;
  if (event.waiting_thread !== 0) event.waiting_thread = 0;
});

export const wait_event = fn(
  'Sleeps until the event is signalled; returns at once if it was already. Only one thread can wait: there is no queue.',
  function* wait_event(event: SchedEvent) {
    event.waiting_thread = running().currentThread + 1;
    if (!event.set) {
      atCall('sleep_thread');
      yield* until(() => event.set);
      if (event.wokenBy >= 0) causedBy(event.wokenBy);
    }
    event.set = false;
    behind('sleep_thread');
    event.waiting_thread = 0;
  },
);

export const signal_event = fn(
  'Sets the event and wakes its waiter. The flag is a boolean on purpose: two signals before a wait count as one.',
  function* signal_event(event: SchedEvent) {
    event.set = true;
    if (event.waiting_thread !== 0) event.wokenBy = signal('wake-up', 'wake_thread');
  },
);
