import type { Anchor } from './reference';
import { fieldToken, type Cell, type CellType, type Component, type Instance } from './cell';
import { ROOT, type FnInfo, type Link } from './fn';
import { createJournal, NO_STEP, type FnSites, type Journal } from './journal';
import { randomFrom } from './random';
import { within } from './running';

/**
 * The simulated machine: threads with call stacks, resumed one at a time by a deterministic scheduler, over a
 * state of cells whose every write is journaled. It knows nothing of interrupts.
 */

/** Why a thread gives up the processor: it may be preempted here, or it waits for something. */
export type Pause =
  | { readonly kind: 'preempt' }
  | { readonly kind: 'wait'; readonly until: () => boolean }
  | { readonly kind: 'sleep'; readonly deadline: number };

/** A model function's execution: a coroutine that pauses only at explicit points. */
export type Run<R = void> = Generator<Pause, R, void>;

/** What stands for an execution context: the lanes of the sequence view, the threads of the debugger. */
export interface ThreadInfo {
  readonly index: number;
  readonly id: string;
  readonly title: string;
  /** The kind of context, named by the models: `hardirq`, `kworker`, `vcpu` … */
  readonly context: string;
}

interface Frame {
  readonly fn: FnInfo;
  readonly sites: FnSites;
  readonly step: number;
  readonly depth: number;
  readonly caller: Frame | undefined;
  /** What comes next stands behind these identifiers. */
  behind: string | undefined;
}

interface Activity {
  readonly coroutine: Run<unknown>;
  pause: Pause | undefined;
  frame: Frame | undefined;
  /** What brings about its next step. */
  cause: number;
}

interface Thread extends ThreadInfo {
  readonly priority: number;
  /** What runs on it: the thread itself at the bottom, stimuli that interrupted it above. */
  readonly activities: Activity[];
}

/** Something that reaches the machine from outside, once the journal has grown to `at` steps. */
export interface Stimulus {
  readonly at: number;
  readonly thread: string;
  readonly body: () => Run<unknown>;
}

/**
 * Something that is done to the machine by hand as step `at` is about to be made, between two instructions of whatever executes. What that
 * has read already, to write it back changed, it has read. It must not wait, and its thread does nothing else.
 */
export interface Intervention {
  readonly at: number;
  readonly thread: Omit<ThreadInfo, 'index'>;
  readonly body: () => Run<unknown>;
}

/** Why a run ended. */
export type Ending =
  | { readonly kind: 'idle' }
  /** Nothing but timers beyond the time limit was left: some re-arm themselves for ever. */
  | { readonly kind: 'time'; readonly milliseconds: number }
  /** The step limit was reached: the models were still going, as in an interrupt storm. */
  | { readonly kind: 'limit'; readonly steps: number }
  /** A model could not go on from what had been done by hand. */
  | { readonly kind: 'fault'; readonly problem: string };

export type Parameters = Readonly<Record<string, string | number | boolean>>;

export interface MachineOptions {
  /** What the models may branch on; the machine itself does not look at it. */
  readonly parameters: Parameters;
  /** 0 schedules strictly by priority and never preempts; any other value explores another order. */
  readonly seed: number;
  readonly stepLimit: number;
  /** Simulated milliseconds after which no sleeper is woken any more. */
  readonly timeLimit: number;
  readonly stimuli: readonly Stimulus[];
  readonly interventions?: readonly Intervention[];
  /** Off only to measure what recording costs. */
  readonly recording: boolean;
  /** Hears of every call: the step that enters the function, and what it is called with, which no journal holds. */
  readonly onEnter?: (step: number, args: readonly unknown[]) => void;
}

/** The machine as model code and the scheduler's owner see it. */
export interface Machine {
  readonly parameters: Parameters;
  readonly journal: Journal;
  readonly cells: readonly Cell[];
  readonly components: readonly Component[];
  readonly threads: readonly ThreadInfo[];
  /** Adds a thread. A lower number is a higher priority. */
  thread(id: string, title: string, context: string, priority: number, body: () => Run<unknown>): void;
  /** Runs until every thread waits and no stimulus is left, or until the step limit. */
  run(): Ending;
  /**
   * Runs on for `steps` more steps, and for as long as the thread that executes then does not give way. Slices of any length make the same
   * run as `run` does at once.
   * @returns why the run ended, or undefined if it has not yet
   */
  runFor(steps: number): Ending | undefined;
  /** The steps made so far. */
  readonly steps: number;
  /** Simulated time in milliseconds: it moves only while every thread waits. */
  readonly now: number;

  enter(fn: FnInfo, link: Link, args: readonly unknown[]): void;
  leave(result: unknown): void;
  at(anchor: Anchor, note: string | undefined): void;
  signal(anchor: Anchor, link: Link, note: string | undefined): number;
  /** Says behind which identifiers of the executing function its next step, or the call that it makes next, stands. */
  behind(identifiers: string): void;
  /** The function that is executing. */
  here(): FnInfo;
  /** The index of the thread that is executing. */
  readonly currentThread: number;
  /** The step to name as the cause of what is handed over. */
  readonly lastStep: number;
  /** Says what brings about the next step of what is executing. */
  causedBy(step: number): void;
  /** Whether some function is executing on the running thread. */
  readonly isInFunction: boolean;
  /** Whether the running thread should give way at a preemption point. */
  readonly mustYield: boolean;

  allocate(struct: string, name: string, doc: string): Component;
  addCell(component: Component, name: string, type: CellType, initial: number, means?: string): Cell;
  adopt(instance: Instance): void;
  instance(component: number): Instance;
  peek(cell: number): number;
  write(cell: Cell, value: number): void;
}

/** Makes a machine and lets `setUp` build its topology in it: structures, threads. */
export function createMachine(options: MachineOptions, setUp: () => void): Machine {
  const { journal, recorder } = createJournal();
  const cells: Cell[] = [];
  const components: Component[] = [];
  const instances: Instance[] = [];
  const threads: Thread[] = [];
  const values: number[] = [];
  const random = randomFrom(options.seed);
  const stimuli = [...options.stimuli].sort((a, b) => a.at - b.at);
  const interventions = [...(options.interventions ?? [])].sort((a, b) => a.at - b.at);
  const recording = options.recording;

  let current: Thread | undefined;
  let activity: Activity | undefined;
  let steps = 0;
  let now = 0;
  let timeLimit = options.timeLimit;
  /** The step that the next write belongs to, while nothing else has happened since it was made by `at`. */
  let open = false;
  /** The step at which somebody intervenes next; never while somebody does. */
  let interventionAt = interventions[0]?.at ?? Infinity;
  let intervened = false;

  function frame(): Frame {
    if (activity?.frame === undefined) throw new Error('a step was made outside of any model function');
    return activity.frame;
  }

  function record(
    kind: 'enter' | 'at' | 'return' | 'signal',
    site: number,
    link: number,
    parent: number,
    depth: number,
    result: number,
  ): number {
    if (steps >= interventionAt) intervene();
    steps++;
    if (steps > options.stepLimit + GRACE) throw new Error(`a model ran ${GRACE} steps past the step limit without a preemption point`);
    const { cause } = activity!;
    activity!.cause = NO_STEP;
    // Models remember steps to name them as causes, so there are numbers even when nobody writes them down.
    return recording ? recorder.step(kind, current!.index, depth, site, link, parent, cause, result) : steps - 1;
  }

  const machine: Machine = {
    parameters: options.parameters,
    journal,
    cells,
    components,
    threads,
    get now() {
      return now;
    },
    thread(id, title, context, priority, body) {
      if (threads.length === MAX_THREADS) throw new RangeError(`thread ${id} would be one more than the ${MAX_THREADS} of a machine`);
      const coroutine = within(machine, body);
      threads.push({
        index: threads.length,
        id,
        title,
        context,
        priority,
        activities: [begun(coroutine)],
      });
    },
    run: () => within(machine, () => proceed(Infinity))!,
    runFor(more) {
      const end = steps + more;
      return within(machine, () => proceed(end));
    },
    get steps() {
      return steps;
    },

    enter(fn, link, args) {
      if (activity === undefined) throw new Error(`${fn.name} was called outside of any thread`);
      open = false;
      const caller = activity.frame;
      const depth = caller === undefined ? 0 : caller.depth + 1;
      const used = caller === undefined && link.kind === 'call' ? ROOT : behindWhat(caller, link);
      const sites = recording ? recorder.sitesOf(fn) : NO_SITES;
      const step = record('enter', sites.whole, recording ? recorder.link(used) : 0, caller?.step ?? NO_STEP, depth, NaN);
      activity.frame = { fn, sites, step, depth, caller, behind: undefined };
      options.onEnter?.(step, args);
    },
    leave(result) {
      open = false;
      const { fn, sites, step, depth, caller, behind } = frame();
      if (behind !== undefined) throw new Error(`${fn.name} ended where something was to come behind ${behind}`);
      const value = typeof result === 'number' ? result : typeof result === 'boolean' ? Number(result) : NaN;
      record('return', sites.whole, 0, step, depth, value);
      activity!.frame = caller;
    },
    at(anchor, note) {
      const { sites, step, depth } = frame();
      record('at', sites.at(behindWhat(frame(), anchor), note), 0, step, depth, NaN);
      open = true;
    },
    signal(anchor, link, note) {
      const { sites, step, depth } = frame();
      open = true;
      return record('signal', sites.at(behindWhat(frame(), anchor), note), recording ? recorder.link(link) : 0, step, depth, NaN);
    },
    behind(identifiers) {
      open = false;
      frame().behind = identifiers;
    },
    here: () => frame().fn,
    get currentThread() {
      if (current === undefined) throw new Error('no thread is executing');
      return current.index;
    },
    get lastStep() {
      return steps - 1;
    },
    causedBy(step) {
      if (activity !== undefined) activity.cause = step;
    },
    get isInFunction() {
      return activity?.frame !== undefined;
    },
    get mustYield() {
      if (steps >= options.stepLimit || stimulusIsDue()) return true;
      if (options.seed !== 0) return random() < PREEMPTION_RATE;
      const { priority } = current!;
      return threads.some((thread) => thread.priority < priority && isReady(thread));
    },

    allocate(struct, name, doc) {
      const component: Component = {
        id: components.length,
        struct,
        name,
        doc,
        born: current === undefined ? NO_STEP : steps - 1,
        cells: [],
      };
      components.push(component);
      return component;
    },
    addCell(component, name, type, initial, means) {
      const cell: Cell = { id: cells.length, component, name, type, means, initial, token: fieldToken(name) };
      cells.push(cell);
      component.cells.push(cell);
      values.push(initial);
      return cell;
    },
    adopt(instance) {
      instances.push(instance);
    },
    instance(component) {
      const found = instances[component];
      if (found === undefined) throw new Error(`no structure instance has number ${component}`);
      return found;
    },
    peek: (cell) => values[cell] ?? NaN,
    write(cell, value) {
      if (current === undefined) throw new Error(`${cell.component.struct}.${cell.name} was written outside of any thread`);
      if (!open) {
        machine.at({ token: cell.token, as: 'write' }, undefined);
        // A later write belongs to a step of its own, unless the model opened this one by `at`.
        open = false;
      }
      if (recording) recorder.write(cell, values[cell.id] ?? NaN, value);
      values[cell.id] = value;
    },
  };

  /** What comes next in a frame, behind what was said for it. */
  function behindWhat<T extends { readonly after?: string }>(caller: Frame | undefined, next: T): T {
    if (caller?.behind === undefined) return next;
    const after = caller.behind;
    caller.behind = undefined;
    return { ...next, after };
  }

  const stimulusIsDue = (): boolean => (stimuli[0]?.at ?? Infinity) <= steps;

  /** Does everything that is due, and leaves what was executing as it was. */
  function intervene(): void {
    const interrupted = { current, activity, open };
    interventionAt = Infinity;
    intervened = false;
    try {
      do {
        const { thread, body } = interventions.shift()!;
        if (!threads.some(({ id }) => id === thread.id))
          threads.push({ ...thread, index: threads.length, priority: Infinity, activities: [] });
        current = threads.find(({ id }) => id === thread.id)!;
        activity = begun(body());
        if (!activity.coroutine.next().done) throw new Error(`what is done on thread ${thread.id} may not wait`);
      } while ((interventions[0]?.at ?? Infinity) <= steps);
      intervened = true;
    } finally {
      interventionAt = interventions[0]?.at ?? Infinity;
      ({ current, activity, open } = interrupted);
    }
  }

  /** Lets threads run. What a model throws is a defect of the model, unless somebody meddled with its state. */
  function proceed(end: number): Ending | undefined {
    try {
      return schedule(end);
    } catch (error) {
      if (!intervened) throw error;
      return { kind: 'fault', problem: error instanceof Error ? error.message : String(error) };
    }
  }

  function schedule(end: number): Ending | undefined {
    for (;;) {
      if (steps >= end) return undefined;
      if (steps >= options.stepLimit) return { kind: 'limit', steps };
      if (steps >= interventionAt) intervene();
      if (stimulusIsDue()) deliver();
      const ready = threads.filter(isReady);
      const next = options.seed === 0 ? mostUrgent(ready) : ready[Math.floor(random() * ready.length)];
      if (next !== undefined) resume(next);
      else if (advanceTime()) continue;
      else if (stimuli.length > 0) deliver();
      else if (interventions.length > 0) intervene();
      else return Number.isFinite(nextDeadline()) ? { kind: 'time', milliseconds: now } : { kind: 'idle' };
    }
  }

  function isReady(thread: Thread): boolean {
    const pause = thread.activities.at(-1)?.pause;
    if (thread.activities.length === 0) return false;
    switch (pause?.kind) {
      case undefined:
      case 'preempt':
        return true;
      case 'wait':
        return pause.until();
      case 'sleep':
        return pause.deadline <= now;
    }
  }

  function resume(thread: Thread): void {
    current = thread;
    activity = thread.activities.at(-1)!;
    open = false;
    try {
      const { done, value } = activity.coroutine.next();
      if (done) thread.activities.pop();
      else activity.pause = value;
    } finally {
      current = undefined;
      activity = undefined;
    }
  }

  function deliver(): void {
    const stimulus = stimuli.shift();
    if (stimulus === undefined) return;
    const thread = threads.find(({ id }) => id === stimulus.thread);
    if (thread === undefined) throw new Error(`a stimulus names thread "${stimulus.thread}", which this machine does not have`);
    // What comes late gets its time as well.
    timeLimit = Math.max(timeLimit, now + SETTLING_MS);
    thread.activities.push(begun(stimulus.body()));
  }

  function nextDeadline(): number {
    const deadlines = threads.map(({ activities }) => {
      const pause = activities.at(-1)?.pause;
      return pause?.kind === 'sleep' ? pause.deadline : Infinity;
    });
    return Math.min(...deadlines);
  }

  function advanceTime(): boolean {
    const deadline = nextDeadline();
    if (deadline > timeLimit) return false;
    now = deadline;
    return true;
  }

  within(machine, setUp);
  return machine;
}

/** As many as a journal can tell apart. */
const MAX_THREADS = 0x10000;

/** How often a seeded scheduler gives way where it may. */
const PREEMPTION_RATE = 0.25;

/** Steps that a thread may take after the limit to reach its next preemption point. */
const GRACE = 100_000;

/** How long, in simulated milliseconds, a run goes on after its last stimulus. */
const SETTLING_MS = 5000;

const begun = (coroutine: Run<unknown>): Activity => ({ coroutine, pause: undefined, frame: undefined, cause: NO_STEP });

const NO_SITES: FnSites = { whole: 0, at: () => 0 };

/** Threads were added in the order of a tie. */
function mostUrgent(ready: readonly Thread[]): Thread | undefined {
  return ready.reduce<Thread | undefined>(
    (best, thread) => (best === undefined || thread.priority < best.priority ? thread : best),
    undefined,
  );
}
