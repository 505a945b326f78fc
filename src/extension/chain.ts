import { NO_STEP } from '../engine/journal';
import type { Run } from '../engine/timeline';

/** The call chain of a run as a tree: each step below the one that entered its function. Returns are none of it. */
export interface Chain {
  /** The steps below one, or the outermost ones below NO_STEP. */
  below(step: number): readonly number[];
  hasBelow(step: number): boolean;
  /** The step above one, or NO_STEP. */
  above(step: number): number;
  /** The step that stands for a position in the run: of a `return`, the one that entered the function. */
  shown(position: number): number;
}

/** Reads the chain of a run: some bytes for each step, lists only of what is asked for. */
export function chainOf({ journal }: Run): Chain {
  const { length } = journal;
  // By step, the outermost ones below the last.
  const first = new Int32Array(length + 1).fill(NO_STEP);
  const next = new Int32Array(length).fill(NO_STEP);
  for (let n = length - 1; n >= 0; n--) {
    if (journal.kind(n) === 'return') continue;
    const parent = journal.parent(n);
    const above = parent === NO_STEP ? length : parent;
    next[n] = first[above]!;
    first[above] = n;
  }
  const firstBelow = (step: number): number => first[step === NO_STEP ? length : step] ?? NO_STEP;
  return {
    below(step) {
      const steps: number[] = [];
      for (let n = firstBelow(step); n !== NO_STEP; n = next[n]!) steps.push(n);
      return steps;
    },
    hasBelow: (step) => firstBelow(step) !== NO_STEP,
    above: journal.parent,
    shown: (position) => (journal.kind(position) === 'return' ? journal.parent(position) : position),
  };
}
