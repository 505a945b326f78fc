import type { FlowRun } from '../flow';
import type { StepRange } from './range';

/** What can be left out of a part of a run, if there is not room for all of it: what is called from the outermost functions is kept longest. */

/** A stay before its lines are chosen. */
export interface Span {
  readonly thread: number;
  readonly first: number;
  readonly end: number;
  readonly shallowest: number;
}

/** The stays of a range in turn: one ends where another thread takes over, and where a chapter begins. */
export function* spansOf({ journal }: FlowRun, range: StepRange, chapters: ReadonlyMap<number, unknown>): Generator<Span> {
  let first = range.first;
  let shallowest = Infinity;
  for (let n = range.first; n < range.end; n++) {
    shallowest = Math.min(shallowest, journal.step(n).depth);
    const end = n + 1;
    const thread = journal.thread(n);
    if (end < range.end && journal.thread(end) === thread && !chapters.has(end)) continue;
    yield { thread, first, end, shallowest };
    first = end;
    shallowest = Infinity;
  }
}

/** A write is shown where a call that many frames further in would be. */
const WRITE_RANK = 2;
const NEVER = 255;

/** How dispensable each step of a range is, by its distance from the first: what begins a stay or hands over is 0, what only looks or returns never counts. */
export function ranksOf({ journal }: FlowRun, range: StepRange, spans: readonly Span[]): Uint8Array {
  const ranks = new Uint8Array(range.end - range.first).fill(NEVER);
  for (const { first, end, shallowest } of spans) {
    for (let n = first; n < end; n++) {
      const { kind, depth, cause } = journal.step(n);
      const rank = 1 + Math.min(depth - shallowest, NEVER - 10);
      const [firstWrite, endWrite] = journal.writesOf(n);
      if (n === first) ranks[n - range.first] = 0;
      else if (kind === 'enter') ranks[n - range.first] = rank;
      else if (endWrite > firstWrite) ranks[n - range.first] = rank + WRITE_RANK;
      if (cause < range.first) continue;
      ranks[n - range.first] = 0;
      ranks[cause - range.first] = 0;
    }
  }
  return ranks;
}

/** The greatest rank up to which there are no more than `most` steps. */
export function thresholdOf(ranks: Iterable<number>, most: number): number {
  const counts = new Uint32Array(NEVER + 1);
  for (const rank of ranks) counts[rank] = counts[rank]! + 1;
  let threshold = 0;
  let shown = counts[0]!;
  while (threshold + 1 < NEVER && shown + counts[threshold + 1]! <= most) shown += counts[++threshold]!;
  return threshold;
}
