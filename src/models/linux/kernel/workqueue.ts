import { bool, int, struct, type InstanceOf } from '../../../engine/cell';
import { addressOf, source, through, via, type Fn, type Pointer } from '../../../engine/fn';
import type { Run } from '../../../engine/machine';
import { running } from '../../../engine/running';
import { atCall, behind, causedBy, preempt, signal, sleep, until } from '../../../engine/steps';

/** Work items: what a context that may not sleep leaves for a kernel thread to do. */

const WorkCells = struct('work_struct', 'A deferred call. Queueing it again while it is pending does nothing.', {
  WORK_STRUCT_PENDING: bool(),
});

export type WorkStruct = InstanceOf<typeof WorkCells> & {
  readonly func: Pointer<[], void>;
  /** The step that queued it last. */
  queuedAt: number;
};

/** A workqueue and the one worker that serves it here. */
export interface WorkqueueStruct {
  readonly name: string;
  readonly worklist: WorkStruct[];
  current_work: WorkStruct | undefined;
}

const { fn } = source('linux', 'kernel/workqueue.c');

export const __queue_work = fn(
  'Puts a work item on the list of a worker pool and wakes a worker.',
  function* __queue_work(wq: WorkqueueStruct, work: WorkStruct) {
    wq.worklist.push(work);
    work.queuedAt = signal('workqueue', 'insert_work', 'A worker thread takes it from here; this context goes on.');
  },
);

export const queue_work_on = fn(
  'Queues a work item unless it is pending already.',
  function* queue_work_on(wq: WorkqueueStruct, work: WorkStruct) {
    atCall('test_and_set_bit');
    if (work.WORK_STRUCT_PENDING) return false;
    work.WORK_STRUCT_PENDING = true;
    yield* __queue_work(wq, work);
    return true;
  },
);

export const process_one_work = fn(
  'Takes one item off the list, clears its pending bit and calls its function: from now on it can be queued again.',
  function* process_one_work(wq: WorkqueueStruct, work: WorkStruct) {
    wq.worklist.splice(wq.worklist.indexOf(work), 1);
    wq.current_work = work;
    atCall('set_work_pool_and_clear_pending');
    work.WORK_STRUCT_PENDING = false;
    behind('set_work_pool_and_clear_pending');
    yield* through('workqueue', 'current_func', work.func)();
    wq.current_work = undefined;
  },
);

/** flush_work(): waits until a work item is neither pending nor executing. */
export function* flush_work(work: WorkStruct, wq: WorkqueueStruct): Run {
  atCall('flush_work');
  yield* until(() => !work.WORK_STRUCT_PENDING && wq.current_work !== work);
}

/** flush_workqueue(): waits until everything that was queued has been done. */
export function* flush_workqueue(wq: WorkqueueStruct): Run {
  atCall('flush_workqueue');
  yield* until(() => wq.worklist.length === 0 && wq.current_work === undefined);
}

/** Makes a work item that calls `func`. */
export const work_struct = (name: string, func: Pointer<[], void>): WorkStruct => Object.assign(WorkCells(name), { func, queuedAt: -1 });

/** INIT_WORK(), in the function that is executing. */
export const init_work = (name: string, func: Fn<[], void>): WorkStruct => work_struct(name, addressOf(func));

const DelayedWorkCells = struct('delayed_work', 'Work that a timer will queue.', { 'timer.expires': int() });

export type DelayedWork = InstanceOf<typeof DelayedWorkCells> & {
  readonly work: WorkStruct;
  wq: WorkqueueStruct | undefined;
  /** Whether the timer is pending, and the step that armed it last. */
  armed: boolean;
  armedAt: number;
};

const delayed_work_timer_fn = fn(
  'The delay is over: queues the work, from the timer’s soft interrupt.',
  function* delayed_work_timer_fn(dwork: DelayedWork) {
    yield* __queue_work(dwork.wq!, dwork.work);
  },
);

const __queue_delayed_work = fn(
  'Arms the timer that will queue the work. No delay is no timer.',
  function* __queue_delayed_work(wq: WorkqueueStruct, dwork: DelayedWork, delay: number) {
    if (delay === 0) {
      yield* __queue_work(wq, dwork.work);
      return;
    }
    dwork.wq = wq;
    dwork.armed = true;
    dwork.armedAt = signal('timer', 'expires');
    dwork['timer.expires'] = running().now + delay;
  },
);

export const queue_delayed_work_on = fn(
  'Queues work after a delay, unless it is pending already.',
  function* queue_delayed_work_on(wq: WorkqueueStruct, dwork: DelayedWork, delay: number) {
    atCall('test_and_set_bit');
    if (dwork.work.WORK_STRUCT_PENDING) return false;
    dwork.work.WORK_STRUCT_PENDING = true;
    yield* __queue_delayed_work(wq, dwork, delay);
    return true;
  },
);

/** queue_delayed_work(): onto a workqueue of one's own. `delay` is in milliseconds. */
export const queue_delayed_work = via('queue_delayed_work', queue_delayed_work_on);
/** schedule_delayed_work(): onto the system workqueue. `delay` is in milliseconds. */
export const schedule_delayed_work = via('schedule_delayed_work', queue_delayed_work_on);

/** INIT_DELAYED_WORK(): makes the work, while the machine is set up, and the timer that will queue it. */
export function init_delayed_work(name: string, func: Pointer<[], void>): DelayedWork {
  const dwork: DelayedWork = Object.assign(DelayedWorkCells(name), {
    work: work_struct(name, func),
    wq: undefined,
    armed: false,
    armedAt: -1,
  });
  running().thread(`${name} timer`, `timer (${name})`, 'softirq', TIMER_PRIORITY, function* () {
    for (;;) {
      yield* until(() => dwork.armed);
      yield* sleep(dwork['timer.expires'] - running().now);
      dwork.armed = false;
      causedBy(dwork.armedAt);
      yield* delayed_work_timer_fn(dwork);
    }
  });
  return dwork;
}

/** Soft interrupts run before any thread. */
const TIMER_PRIORITY = 1;

/** DECLARE_WORK(), at file level: the function stands in the declaration of the work item itself. */
export const declare_work = (name: string, func: Pointer<[], void>): WorkStruct => Object.assign(WorkCells(name), { func, queuedAt: -1 });

/** schedule_work(): onto the system workqueue. */
export const schedule_work = via('schedule_work', queue_work_on);
/** queue_work(): onto a workqueue of one's own. */
export const queue_work = via('queue_work', queue_work_on);

/** Makes a workqueue and the kernel thread that serves it. */
export function alloc_workqueue(name: string, thread: string, priority: number): WorkqueueStruct {
  const wq: WorkqueueStruct = { name, worklist: [], current_work: undefined };
  running().thread(thread, `kworker (${name})`, 'kworker', priority, function* () {
    for (;;) {
      yield* until(() => wq.worklist.length > 0);
      const work = wq.worklist[0]!;
      causedBy(work.queuedAt);
      yield* process_one_work(wq, work);
      yield* preempt();
    }
  });
  return wq;
}
