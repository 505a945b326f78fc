import { referenceOf, type FnInfo } from '../../engine/fn';
import { NO_STEP, type Step } from '../../engine/journal';
import type { ThreadInfo } from '../../engine/machine';
import type { Anchor } from '../../engine/reference';
import { stackAt, type Run } from '../../engine/timeline';
import { callAnchor } from '../../flows/places';

/** Call stacks of every thread at any step, as the debugger shows them. */

/** A place that a thread stands on: in a function, at an identifier or at its beginning. */
export interface Stand {
  readonly fn: FnInfo;
  readonly anchor: Anchor | undefined;
}

export interface Frame {
  readonly thread: number;
  /** The step that entered the function. */
  readonly enter: number;
  /** The step that the frame stands at: the thread's last one for the innermost, the call of the next inner one for the others. */
  readonly at: number;
  readonly stand: Stand;
}

export interface Stacks {
  /** The threads that make a step in this run. */
  readonly threads: readonly ThreadInfo[];
  /** The last step of a thread at or before a position. */
  lastStep(position: number, thread: number): number | undefined;
  /** A thread's frames at a position, innermost first: none before its first step and while it waits outside of any function. */
  at(position: number, thread: number): readonly Frame[];
}

const INTERVAL = 1024;

/** Prepares a run for finding the last step of each thread at any position, in at most `INTERVAL` steps' time. */
export function createStacks(run: Run): Stacks {
  const { journal } = run;
  /** Per `INTERVAL` steps: the last step of each thread before them. */
  const marks: Int32Array[] = [];
  const last = new Int32Array(run.threads.length).fill(NO_STEP);
  for (let n = 0; n < journal.length; n++) {
    if (n % INTERVAL === 0) marks.push(last.slice());
    last[journal.thread(n)] = n;
  }

  function lastStep(position: number, thread: number): number | undefined {
    const mark = Math.floor(position / INTERVAL);
    for (let n = position; n >= mark * INTERVAL; n--) if (journal.thread(n) === thread) return n;
    const before = marks[mark]?.[thread] ?? NO_STEP;
    return before === NO_STEP ? undefined : before;
  }

  return {
    threads: run.threads.filter(({ index }) => last[index] !== NO_STEP),
    lastStep,
    at(position, thread) {
      const n = lastStep(position, thread);
      if (n === undefined) return [];
      const { kind, depth } = journal.step(n);
      return n !== position && kind === 'return' && depth === 0 ? [] : framesAt(run, n);
    },
  };
}

/** The frames of the thread that step `n` belongs to, innermost first. */
export function framesAt(run: Run, n: number): readonly Frame[] {
  return stackAt(run, n).map(({ enter, at }, index): Frame => {
    const { fn } = enter.site;
    const anchor = index === 0 ? at.site.anchor : anchorOfCall(at);
    return { thread: enter.thread, enter: enter.n, at: at.n, stand: { fn, anchor } };
  });
}

/** Where the caller stands while `callee` runs. Hardware and the guest's driver are not called in source: the caller as such is the place. */
const anchorOfCall = (callee: Step): Anchor | undefined => (referenceOf(callee.site.fn) === undefined ? undefined : callAnchor(callee));
