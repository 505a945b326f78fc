import type { Detail } from '../host';
import type { StepRow } from '../protocol';

/** Where everything of the sequence goes, worked out from the run alone, so that only what is in sight needs elements. */

export const ROW_HEIGHT = 22;
/** Room above a row that another lane brought about: the arrow passes there. */
export const HANDOVER_GAP = 14;

/** A hand-over between lanes, from one shown row to another. */
export interface Arrow {
  /** Indexes into the rows. */
  readonly from: number;
  readonly to: number;
  /** The step that was brought about: of the row `to`, or a hidden one before it. */
  readonly step: number;
}

/** The shown rows, top down. All heights are in pixels. */
export interface Layout {
  /** The step of each row. */
  readonly rows: readonly number[];
  /** The upper edge of each row, and of one more row that would follow. */
  readonly tops: readonly number[];
  readonly arrows: readonly Arrow[];
  /** Whether a row stands in the function that the row above it in its lane entered or stood in. */
  readonly continues: readonly boolean[];
}

/** Lays out the steps that `detail` and `returns` let through. */
export function layOut(steps: readonly StepRow[], detail: Detail, returns: boolean): Layout {
  const rows: number[] = [];
  const tops: number[] = [];
  const arrows: Arrow[] = [];
  const continues: boolean[] = [];
  const broughtAbout = new Map<number, StepRow>();
  const latest = new Map<number, StepRow>();
  const shown = filterOf(detail, returns);
  let top = 0;
  for (const step of steps) {
    if (step.cause !== undefined) broughtAbout.set(step.lane, step);
    if (!shown(step)) continue;
    const previous = rows.length > 0 ? steps[rows.at(-1) ?? 0] : undefined;
    // Where the step that was brought about is itself hidden, the arrow leads to the first shown one after it.
    const effect = broughtAbout.get(step.lane);
    broughtAbout.delete(step.lane);
    const from = effect && shownCause(steps, rows, effect);
    if (effect && from !== undefined) arrows.push({ from, to: rows.length, step: effect.n });
    if (previous && (previous.lane !== step.lane || from !== undefined)) top += HANDOVER_GAP;
    const above = latest.get(step.lane);
    continues.push(
      (step.kind === 'at' || step.kind === 'signal') && previous === above && above?.symbol === step.symbol && above.depth === step.depth,
    );
    latest.set(step.lane, step);
    rows.push(step.n);
    tops.push(top);
    top += ROW_HEIGHT;
  }
  tops.push(top);
  return { rows, tops, arrows, continues };
}

/** The row of a step: its own, or the one above where it is hidden; 0 when there is none. */
export function rowOfStep(layout: Layout, step: number): number {
  return lastNotAfter(layout.rows, step);
}

/** The row at a height. */
export function rowAtHeight(layout: Layout, y: number): number {
  return Math.min(lastNotAfter(layout.tops, y), Math.max(0, layout.rows.length - 1));
}

/** A hand-over on the way to a step: `cause` brought `step` about, in another lane. */
export interface Hop {
  readonly cause: number;
  readonly step: number;
}

/** How the signal got to a step: the hand-overs that led there, the last one first. */
export function hopsTo(steps: readonly StepRow[], step: number): readonly Hop[] {
  const hops: Hop[] = [];
  let lane = steps[step]?.lane;
  for (let n = step; n >= 0; n--) {
    const row = steps[n];
    if (!row || row.lane !== lane) continue;
    if (row.cause !== undefined) {
      hops.push({ cause: row.cause, step: n });
      lane = steps[row.cause]?.lane;
      n = row.cause + 1;
    } else if (row.kind === 'enter' && row.depth === 0) {
      break;
    }
  }
  return hops;
}

function filterOf(detail: Detail, returns: boolean): (step: StepRow) => boolean {
  switch (detail) {
    case 'everything':
      return ({ kind }) => returns || kind !== 'return';
    case 'functions':
      return ({ kind }) => kind === 'enter' || kind === 'signal' || (returns && kind === 'return');
    case 'contexts':
      return firstsOfContexts();
  }
}

/** Lets through hand-overs, and the first step of each stay in a lane. */
function firstsOfContexts(): (step: StepRow) => boolean {
  let lane: number | undefined;
  return (step) => {
    if (step.kind === 'return') return false;
    const arrives = step.lane !== lane;
    lane = step.lane;
    return arrives || step.kind === 'signal' || step.cause !== undefined;
  };
}

/** The row from which the arrow to a step starts: of its cause, or the nearest shown one above in the cause's lane. */
function shownCause(steps: readonly StepRow[], rows: readonly number[], effect: StepRow): number | undefined {
  const lane = effect.cause === undefined ? undefined : steps[effect.cause]?.lane;
  if (effect.cause === undefined || lane === effect.lane) return undefined;
  for (let row = lastNotAfter(rows, effect.cause); row >= 0; row--) {
    const step = steps[rows[row] ?? -1];
    if (step && step.lane === lane && step.n <= effect.cause) return row;
  }
  return undefined;
}

/** The index of the last of the rising `values` that is not above `limit`; 0 when all are. */
function lastNotAfter(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((values[middle] ?? Infinity) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
