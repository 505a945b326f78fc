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

/** What a machine has done, once it has ended. */
export function finished({ journal, cells, components, threads }: Machine, ending: Ending): Run {
  return { journal, cells, components, threads, ending };
}

/** Runs a machine to its end. */
export const complete = (machine: Machine): Run => finished(machine, machine.run());

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

/**
 * Makes a cursor at step -1. A seek costs about as much as a copy of the state, however long the run is: the more cells there are, the more
 * writes are passed from one keyframe to the next, so that all keyframes take no more memory than all writes do. The first seek far ahead
 * passes all writes up to there once.
 */
export function createCursor({ journal, cells }: Run): Cursor {
  const interval = Math.max(Math.ceil(cells.length / 4), MIN_INTERVAL);
  const values = Float64Array.from(cells, ({ initial }) => initial);
  /** `keyframes[k]`: the state after `k * interval` writes. */
  const keyframes = [values.slice()];
  let position = NO_STEP;
  /** The writes that `values` has seen. */
  let written = 0;

  function redo(target: number): void {
    for (; written < target; written++) {
      const { cell, new: value } = journal.write(written);
      values[cell] = value;
    }
  }

  function undo(target: number): void {
    while (written > target) {
      const { cell, old } = journal.write(--written);
      values[cell] = old;
    }
  }

  function restore(keyframe: number): void {
    const known = Math.min(keyframe, keyframes.length - 1);
    values.set(keyframes[known]!);
    written = known * interval;
    while (keyframes.length <= keyframe) {
      redo(keyframes.length * interval);
      keyframes.push(values.slice());
    }
  }

  return {
    get position() {
      return position;
    },
    seek(n) {
      position = Math.max(NO_STEP, Math.min(n, journal.length - 1));
      const target = journal.writesBefore(position + 1);
      if (Math.abs(target - written) > interval)
        restore(Math.min(Math.round(target / interval), Math.floor(journal.writeCount / interval)));
      redo(target);
      undo(target);
    },
    value: (cell) => values[cell] ?? NaN,
  };
}

/** A machine with few cells has few writes between keyframes; so many are no effort. */
const MIN_INTERVAL = 64;

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
