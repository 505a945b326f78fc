import { NO_STEP, type Journal } from '../engine/journal';
import type { ThreadInfo } from '../engine/machine';
import { contextKind } from './contexts';

/** How a signal got somewhere: from thread to thread. */

/** What is asked of a run. */
export interface Traced {
  readonly journal: Pick<Journal, 'length' | 'kind' | 'thread' | 'depth' | 'cause'>;
  readonly threads: readonly Pick<ThreadInfo, 'context'>[];
}

/** A stretch of one thread: from where it begins something, or was made to go on, up to the next such step. */
export interface Stretch {
  readonly thread: number;
  readonly first: number;
  /** The step of another thread that made it go on, or NO_STEP where it began something by itself. */
  readonly cause: number;
}

/** A hand-over between threads: `cause` brought `step` about. */
export interface Handover {
  readonly cause: number;
  readonly step: number;
}

/** Hand-overs that are told: what lies further back explains little. */
const MOST = 32;

/** The latest hand-overs that led to a step, the last one first. */
export function handoversTo(run: Traced, step: number): readonly Handover[] {
  const found: Handover[] = [];
  for (const { first, cause } of stretchesTo(run, step)) {
    if (cause === NO_STEP || found.length === MOST) break;
    found.push({ cause, step: first });
  }
  return found;
}

/** The stretches that led to a step, its own first: back through what made each go on. Costs the same wherever in the run it is. */
export function* stretchesTo(run: Traced, step: number): Generator<Stretch> {
  const starts = startsOf(run);
  for (let at = step; at !== NO_STEP;) {
    const thread = run.journal.thread(at);
    const first = latest(starts[thread]!, at);
    const cause = run.journal.cause(first);
    yield { thread, first, cause };
    at = cause;
  }
}

const known = new WeakMap<Traced['journal'], readonly (readonly number[])[]>();

/** The first steps of each thread's stretches, in rising order: found once for a run. */
function startsOf(run: Traced): readonly (readonly number[])[] {
  const { journal, threads } = run;
  let starts = known.get(journal);
  if (starts !== undefined) return starts;
  const found = threads.map((): number[] => []);
  for (let n = 0; n < journal.length; n++) {
    const own = found[journal.thread(n)]!;
    if (own.length === 0 || journal.cause(n) !== NO_STEP || begins(run, n)) own.push(n);
  }
  known.set(journal, (starts = found));
  return starts;
}

/**
 * Whether a thread begins something at a step that nothing brought about: an outermost function. A device acts by itself; interrupt
 * handlers, workers and vCPUs go on with what they were doing; programs and the guest do so unless something else ran in between.
 */
function begins({ journal, threads }: Traced, n: number): boolean {
  if (journal.kind(n) !== 'enter' || journal.depth(n) !== 0) return false;
  const thread = journal.thread(n);
  switch (contextKind(threads[thread]?.context ?? '')) {
    case 'device':
      return true;
    case 'hardirq':
    case 'kworker':
    case 'vcpu':
      return false;
    case 'qemu':
    case 'guest':
    case 'other':
      return journal.thread(n - 1) !== thread;
  }
}

/** The last of rising steps that is not after `n`; the first one is not. */
function latest(steps: readonly number[], n: number): number {
  let low = 0;
  let high = steps.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (steps[middle]! <= n) low = middle;
    else high = middle - 1;
  }
  return steps[low] ?? 0;
}
