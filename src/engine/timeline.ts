import type { Cell, Component } from './cell';
import { NO_STEP, type Journal, type Step, type Write } from './journal';
import type { Ending, Machine, ThreadInfo } from './machine';

/** The past of a finished run: the state and the call stacks at any step, found without re-running anything. */

/** A finished run: nothing in it changes any more. */
export interface Run {
  readonly journal: Journal;
  readonly cells: readonly Cell[];
  readonly components: readonly Component[];
  readonly threads: readonly ThreadInfo[];
  readonly ending: Ending;
}

/** Runs a machine to its end. */
export function complete(machine: Machine): Run {
  const ending = machine.run();
  const { journal, cells, components, threads } = machine;
  return { journal, cells, components, threads, ending };
}

/** A frame of a call stack at some step. */
export interface StackFrame {
  /** The step that entered the function. */
  readonly enter: Step;
  /** Where the frame stands: the step itself for the innermost, the call of the next inner one for the others. */
  readonly at: Step;
}

/** A position in a run and the state there. */
export interface Cursor {
  readonly position: number;
  /** Moves to step `n`: the state is then as right after it. -1 is before the first step. */
  seek(n: number): void;
  /** A cell's value at the position. */
  value(cell: number): number;
}

const KEYFRAME_INTERVAL = 1024;

/**
 * Makes a cursor at step -1. A seek costs at most KEYFRAME_INTERVAL steps' writes plus one copy of the state,
 * however long the run is.
 */
export function createCursor({ journal, cells }: Run): Cursor {
  const initial = Float64Array.from(cells, ({ initial }) => initial);
  /** `keyframes[k]`: the state after step (k + 1) * KEYFRAME_INTERVAL - 1; filled as the run is first walked. */
  const keyframes: Float64Array[] = [];
  let values = initial.slice();
  let position = NO_STEP;

  function forward(target: number): void {
    while (position < target) {
      position++;
      const [first, end] = journal.writesOf(position);
      for (let index = first; index < end; index++) {
        const { cell, new: value } = journal.write(index);
        values[cell] = value;
      }
      const keyframe = (position + 1) / KEYFRAME_INTERVAL - 1;
      if (keyframe === keyframes.length) keyframes.push(values.slice());
    }
  }

  function backward(target: number): void {
    while (position > target) {
      const [first, end] = journal.writesOf(position);
      for (let index = end - 1; index >= first; index--) {
        const { cell, old } = journal.write(index);
        values[cell] = old;
      }
      position--;
    }
  }

  return {
    get position() {
      return position;
    },
    seek(n) {
      const target = Math.max(NO_STEP, Math.min(n, journal.length - 1));
      if (target <= position && position - target <= KEYFRAME_INTERVAL) return backward(target);
      const keyframe = Math.min(Math.floor((target + 1) / KEYFRAME_INTERVAL), keyframes.length) - 1;
      const from = (keyframe + 1) * KEYFRAME_INTERVAL - 1;
      if (target < position || from > position) {
        values = (keyframes[keyframe] ?? initial).slice();
        position = from;
      }
      forward(target);
    },
    value: (cell) => values[cell] ?? NaN,
  };
}

/** The call stack of the thread that step `n` belongs to, innermost first. Empty once its outermost function has returned. */
export function stackAt({ journal }: Run, n: number): StackFrame[] {
  const frames: StackFrame[] = [];
  let at = journal.step(n);
  let enter = at.kind === 'enter' ? at.n : at.parent;
  while (enter !== NO_STEP) {
    const frame = journal.step(enter);
    frames.push({ enter: frame, at });
    at = frame;
    enter = frame.parent;
  }
  return frames;
}

/** The write to a cell that made its value what it is at step `n`, or undefined if it still has its first one. */
export function lastWrite({ journal }: Run, cell: number, n: number): Write | undefined {
  const writes = journal.writesTo(cell, n);
  return writes.count > 0 ? writes.at(writes.count - 1) : undefined;
}
