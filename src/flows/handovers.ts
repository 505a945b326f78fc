import { NO_STEP, type Journal } from '../engine/journal';

/** How a signal got somewhere: from thread to thread. */

/** A hand-over between threads: `cause` brought `step` about. */
export interface Handover {
  readonly cause: number;
  readonly step: number;
}

/** Hand-overs that are told, and steps that are looked at for them: what lies further back explains little. */
const [MOST, FURTHEST] = [32, 100_000];

/** The latest hand-overs that led to a step, the last one first: back through its thread to what caused it, and on from there. */
export function handoversTo(journal: Pick<Journal, 'kind' | 'thread' | 'depth' | 'cause'>, step: number): readonly Handover[] {
  const found: Handover[] = [];
  let thread = journal.thread(step);
  for (let n = step; n >= Math.max(0, step - FURTHEST) && found.length < MOST; n--) {
    if (journal.thread(n) !== thread) continue;
    const cause = journal.cause(n);
    if (cause !== NO_STEP) {
      found.push({ cause, step: n });
      thread = journal.thread(cause);
      n = cause + 1;
    } else if (journal.kind(n) === 'enter' && journal.depth(n) === 0) {
      break;
    }
  }
  return found;
}
