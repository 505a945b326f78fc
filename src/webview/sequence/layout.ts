import type { Detail } from '../host';
import type { StepColumns } from '../protocol';
import { firstNotBefore } from '../search';
import { KIND } from '../steps';

/**
 * Where everything of the sequence goes, worked out from the run alone, so that only what is in sight needs elements. A million
 * steps are laid out in columns of numbers: an object for each would cost more than all of the drawing.
 */

export const ROW_HEIGHT = 22;
/** Room above a row that another lane brought about: the arrow passes there. */
export const HANDOVER_GAP = 14;

/** Hand-overs between lanes, from one shown row to another, in the order of the rows they lead to. */
export interface Arrows {
  readonly length: number;
  /** Indexes into the rows. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  /** The step that was brought about: of the row `to`, or a hidden one before it. */
  readonly steps: Uint32Array;
  /** The least `from` of each block of arrows. */
  readonly leastFrom: Uint32Array;
}

/** The shown rows, top down. All heights are in pixels. */
export interface Layout {
  /** The step of each row. */
  readonly rows: Uint32Array;
  /** The upper edge of each row, and of one more row that would follow. */
  readonly tops: Uint32Array;
  readonly arrows: Arrows;
  /** 1 where a row stands in the function that the row above it in its lane entered or stood in. */
  readonly continues: Uint8Array;
}

const NONE = -1;

/** Lays out the steps that `detail` and `returns` let through. `laneCount` is the number of lanes that steps may name. */
export function layOut(steps: StepColumns, laneCount: number, detail: Detail, returns: boolean): Layout {
  const { length, kinds, lanes, depths, sites, causes, siteTable } = steps;
  const rows = new Uint32Array(length);
  const tops = new Uint32Array(length + 1);
  const continues = new Uint8Array(length);
  const from = new Uint32Array(length);
  const to = new Uint32Array(length);
  const effects = new Uint32Array(length);
  /** The latest row in a step's own lane: the step's, or the one above it. */
  const rowOf = new Int32Array(length);
  const latestRow = new Int32Array(laneCount).fill(NONE);
  const broughtAbout = new Int32Array(laneCount).fill(NONE);
  const isShown = filterOf(steps, detail, returns);
  let count = 0;
  let arrowCount = 0;
  let top = 0;
  let previousLane = NONE;
  for (let n = 0; n < length; n++) {
    const lane = lanes[n]!;
    if (causes[n]! !== NONE) broughtAbout[lane] = n;
    if (!isShown(n)) {
      rowOf[n] = latestRow[lane]!;
      continue;
    }
    // Where the step that was brought about is itself hidden, the arrow leads to the first shown one after it.
    const effect = broughtAbout[lane]!;
    const cause = effect === NONE ? NONE : causes[effect]!;
    broughtAbout[lane] = NONE;
    const start = cause === NONE || lanes[cause] === lane ? NONE : rowOf[cause]!;
    if (start !== NONE) {
      from[arrowCount] = start;
      to[arrowCount] = count;
      effects[arrowCount++] = effect;
    }
    if (count > 0 && (previousLane !== lane || start !== NONE)) top += HANDOVER_GAP;
    const above = count > 0 && previousLane === lane ? rows[count - 1]! : NONE;
    const stands = kinds[n] === KIND.at || kinds[n] === KIND.signal;
    continues[count] = Number(
      stands && above !== NONE && depths[above] === depths[n] && siteTable[sites[above]!]?.symbol === siteTable[sites[n]!]?.symbol,
    );
    rows[count] = n;
    tops[count] = top;
    latestRow[lane] = rowOf[n] = count++;
    previousLane = lane;
    top += ROW_HEIGHT;
  }
  tops[count] = top;
  return {
    rows: rows.slice(0, count),
    tops: tops.slice(0, count + 1),
    continues: continues.slice(0, count),
    arrows: arrowsOf(from.slice(0, arrowCount), to.slice(0, arrowCount), effects.slice(0, arrowCount)),
  };
}

/** The row of a step: its own, or the one above where it is hidden; 0 when there is none. */
export function rowOfStep(layout: Layout, step: number): number {
  return lastNotAfter(layout.rows, step);
}

/** The row at a height. */
export function rowAtHeight(layout: Layout, y: number): number {
  return Math.min(lastNotAfter(layout.tops, y), Math.max(0, layout.rows.length - 1));
}

const BLOCK = 512;

/** Arrows that are drawn at once: in more of them nobody sees anything. */
const MOST_ARROWS = 400;

function arrowsOf(from: Uint32Array, to: Uint32Array, steps: Uint32Array): Arrows {
  const leastFrom = new Uint32Array(Math.ceil(from.length / BLOCK)).fill(0xffffffff);
  from.forEach((row, index) => {
    const block = Math.floor(index / BLOCK);
    leastFrom[block] = Math.min(leastFrom[block]!, row);
  });
  return { length: from.length, from, to, steps, leastFrom };
}

/** The arrows that cross rows `[first, end)`, by index: those that lead into them, come from them or pass by. */
export function arrowsAcross({ length, from, to, leastFrom }: Arrows, first: number, end: number): readonly number[] {
  const found: number[] = [];
  let index = firstNotBefore(to, first);
  while (index < length && found.length < MOST_ARROWS) {
    if (index % BLOCK === 0 && leastFrom[index / BLOCK]! >= end) {
      index += BLOCK;
      continue;
    }
    if (from[index]! < end) found.push(index);
    index++;
  }
  return found;
}

function filterOf({ kinds, lanes, causes }: StepColumns, detail: Detail, returns: boolean): (n: number) => boolean {
  switch (detail) {
    case 'everything':
      return (n) => returns || kinds[n] !== KIND.return;
    case 'functions':
      return (n) => kinds[n] === KIND.enter || kinds[n] === KIND.signal || (returns && kinds[n] === KIND.return);
    case 'contexts': {
      // Hand-overs, and the first step of each stay in a lane.
      let lane = NONE;
      return (n) => {
        if (kinds[n] === KIND.return) return false;
        const arrives = lanes[n] !== lane;
        lane = lanes[n]!;
        return arrives || kinds[n] === KIND.signal || causes[n] !== NONE;
      };
    }
  }
}

/** The index of the last of the rising `values` that is not above `limit`; 0 when all are. */
function lastNotAfter(values: Uint32Array, limit: number): number {
  return Math.max(0, firstNotBefore(values, Math.floor(limit) + 1) - 1);
}
