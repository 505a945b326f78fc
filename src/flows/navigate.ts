import { NO_STEP, type Journal } from '../engine/journal';
import type { Run } from '../engine/timeline';

/**
 * Stepping: readings of the journal. Each asks for the step to go to from step `at`, and gives `undefined` where there is none.
 * A `return` step is no place to stand on: all pass it over, but may begin from one.
 */

/** Onwards in the run, or back. */
export type Direction = 1 | -1;

/** Steps in: to the very next step, in whichever thread. Back undoes on. */
export const stepIn = (run: Run, at: number, direction: Direction): number | undefined => find(run.journal, at, direction, () => true);

/** Goes to the next step of another thread than that of `at`. */
export function nextContext({ journal }: Run, at: number, direction: Direction): number | undefined {
  const here = journal.thread(at);
  return find(journal, at, direction, (step) => journal.thread(step) !== here);
}

/**
 * Steps over: to the nearest step of the same thread that is no deeper in calls than `at`. So it passes over what this function calls,
 * what other threads do, and what interrupts this thread (to its stack, that is a call). At the end of a function its caller goes on, if
 * only by calling the next one; at the end of the outermost one, whatever the thread does next. Back is the mirror image: it undoes on,
 * unless on came to a lesser depth; then the function that was left is passed over as a whole.
 */
export function stepOver({ journal }: Run, at: number, direction: Direction): number | undefined {
  const thread = journal.thread(at);
  const [opening, closing] = direction === 1 ? ['enter', 'return'] : ['return', 'enter'];
  /** How many calls deeper than `at`. */
  let depth = journal.kind(at) === closing ? -1 : 0;
  for (let step = at + direction; step >= 0 && step < journal.length; step += direction) {
    if (journal.thread(step) !== thread) continue;
    const kind = journal.kind(step);
    if (kind === opening) depth++;
    if (kind !== 'return' && depth <= 0) return step;
    if (kind === closing) depth--;
  }
  return undefined;
}

/**
 * Steps out. On: to where the caller goes on once this function has returned, as stepping over its end does; nowhere if it does not return
 * in this run. Back: to the call, which is the step that entered this function; from there, to the call of the caller.
 */
export function stepOut(run: Run, at: number, direction: Direction): number | undefined {
  const { journal } = run;
  // The parent of an `enter` step is its caller's, of any other its own.
  const parent = journal.parent(at);
  if (direction === -1) return parent === NO_STEP ? undefined : parent;
  const frame = journal.kind(at) === 'enter' ? at : parent;
  for (let step = at; step < journal.length; step++)
    if (journal.parent(step) === frame && journal.kind(step) === 'return') return stepOver(run, step, 1);
  return undefined;
}

/** The nearest step from `from` on that is `wanted` and no return; `from` itself does not count. */
function find(journal: Journal, from: number, direction: Direction, wanted: (step: number) => boolean): number | undefined {
  for (let step = from + direction; step >= 0 && step < journal.length; step += direction)
    if (journal.kind(step) !== 'return' && wanted(step)) return step;
  return undefined;
}
