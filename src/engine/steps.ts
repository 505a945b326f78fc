import type { EdgeKind } from './journal';
import type { Run } from './machine';
import { running } from './running';

/** What model functions say while they run, besides calling each other and writing cells. */

/**
 * Stands on an identifier of the executing function. Writes that follow at once belong to this step.
 * @param note why this matters here, for the reader; not a paraphrase of the code
 */
export function at(token: string, note?: string): void {
  running().at({ token, as: 'name' }, note);
}

/** Stands on a call that the model does not follow: a macro, a bit operation, a function outside of its scope. */
export function atCall(token: string, note?: string): void {
  running().at({ token, as: 'call' }, note);
}

/**
 * Says where what comes next stands, a step, a write or a call: a body that does the same more than once means the first time behind
 * `identifiers`, each of which is looked for behind the one before: `last_irr last_irr` is the second.
 */
export function behind(identifiers: string): void {
  running().behind(identifiers);
}

/** Stands on a write whose identifier is assigned to more than once: the first time behind `after`. Writes that follow belong to this step. */
export function atWrite(token: string, after: string, note?: string): void {
  behind(after);
  running().at({ token, as: 'write' }, note);
}

/**
 * Hands over to another thread: says so in the journal, at the identifier that does it.
 * @returns the step, for the other thread to name as its cause
 */
export function signal(kind: EdgeKind, token: string, note?: string): number {
  return running().signal({ token, as: 'name' }, { kind }, note);
}

/** Names the step, of another thread mostly, that brought about what this thread does next. */
export function causedBy(step: number): void {
  running().causedBy(step);
}

/** Names the step that let the executing function go on. Outside of any function nothing does: what begins next comes from elsewhere. */
export function resumedBy(step: number): void {
  if (running().isInFunction) causedBy(step);
}

/** A point where another context may run: between two instructions that hold no common lock. */
export function* preempt(): Run {
  if (running().mustYield) yield { kind: 'preempt' };
}

/** Waits until `condition` holds. It is asked again whenever the scheduler looks for work, and must only read. */
export function* until(condition: () => boolean): Run {
  while (!condition()) yield { kind: 'wait', until: condition };
}

/** Sleeps for `milliseconds` of simulated time, which passes only while nothing else can run. */
export function* sleep(milliseconds: number): Run {
  yield { kind: 'sleep', deadline: running().now + milliseconds };
}
