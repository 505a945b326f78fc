import type { ComparisonView } from '../protocol';

/** Two runs side by side as rows: pure, so that only what is in sight needs elements. */

/** How the two sides of a stretch are with each other: alike; alike but for what they write; different steps. */
export type Mark = 'same' | 'otherwise' | 'different';

/** Steps of this run, from `a` on, beside steps of the other, from `b` on. */
export interface Stretch {
  readonly mark: Mark;
  readonly a: number;
  readonly b: number;
  readonly countA: number;
  readonly countB: number;
}

/** The whole of both runs, in order. `length` is this run's. */
export function stretchesOf({ differences, otherwise }: ComparisonView, length: number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let [a, b, next] = [0, 0, 0];
  const alike = (until: number): void => {
    for (;;) {
      const special = otherwise[next];
      const end = special !== undefined && special < until ? special : until;
      if (end > a) stretches.push({ mark: 'same', a, b, countA: end - a, countB: end - a });
      b += end - a;
      a = end;
      if (end === until) return;
      stretches.push({ mark: 'otherwise', a, b, countA: 1, countB: 1 });
      a++;
      b++;
      next++;
    }
  };
  for (let at = 0; at < differences.length; at += 4) {
    const [fromA = 0, toA = 0, , toB = 0] = differences.subarray(at, at + 4);
    alike(fromA);
    stretches.push({ mark: 'different', a, b, countA: toA - a, countB: toB - b });
    a = toA;
    b = toB;
    while (next < otherwise.length && (otherwise[next] ?? 0) < a) next++;
  }
  alike(length);
  return stretches;
}

/** Rows of a stretch, or the place where so many are folded away. */
export interface Block {
  readonly kind: 'rows' | 'fold';
  readonly mark: Mark;
  /** The first row. */
  readonly row: number;
  readonly a: number;
  readonly b: number;
  readonly countA: number;
  readonly countB: number;
  /** Whether both runs meet again here, after they went different ways. */
  readonly again: boolean;
}

export interface CompareLayout {
  readonly blocks: readonly Block[];
  readonly rows: number;
  /** The rows with which differences begin. */
  readonly jumps: readonly number[];
}

/** So many rows of what is alike stand around a difference, and around the position. */
const CONTEXT = 3;
/** Fewer are not worth a fold. */
const LEAST_FOLD = 4;

/** Lays out the stretches; of what is alike only the ends are shown, the surroundings of step `at`, and what was `opened` there. */
export function layOutComparison(stretches: readonly Stretch[], at: number, opened: ReadonlySet<number>): CompareLayout {
  const blocks: Block[] = [];
  const jumps: number[] = [];
  let rows = 0;
  const add = (kind: Block['kind'], { mark, a, b }: Stretch, countA: number, countB: number): void => {
    if (countA + countB === 0) return;
    const again = mark === 'same' && blocks.at(-1)?.mark === 'different';
    blocks.push({ kind, mark, row: rows, a, b, countA, countB, again });
    rows += kind === 'fold' ? 1 : Math.max(countA, countB);
  };
  let previous: Mark = 'same';
  stretches.forEach((stretch, index) => {
    if (stretch.mark !== 'same') {
      if (previous === 'same') jumps.push(rows);
      add('rows', stretch, stretch.countA, stretch.countB);
    } else {
      for (const piece of piecesOf(stretch, at, opened, index === 0, index === stretches.length - 1)) {
        const moved = { ...stretch, a: stretch.a + piece.from, b: stretch.b + piece.from };
        add(piece.folded ? 'fold' : 'rows', moved, piece.to - piece.from, piece.to - piece.from);
      }
    }
    previous = stretch.mark;
  });
  return { blocks, rows, jumps };
}

interface Piece {
  readonly from: number;
  readonly to: number;
  readonly folded: boolean;
}

/** What is shown and what is folded of a stretch that is alike, by offsets into it. */
function piecesOf(
  { a, countA: count }: Stretch,
  at: number,
  opened: ReadonlySet<number>,
  isFirst: boolean,
  isLast: boolean,
): readonly Piece[] {
  if (opened.has(a)) return [{ from: 0, to: count, folded: false }];
  const here = at - a;
  const shown = [
    { from: 0, to: isFirst ? 1 : CONTEXT },
    ...(here >= 0 && here < count ? [{ from: here - CONTEXT, to: here + CONTEXT + 1 }] : []),
    { from: count - (isLast ? 1 : CONTEXT), to: count },
  ].map(({ from, to }) => ({ from: Math.max(0, from), to: Math.min(count, to) }));
  const pieces: Piece[] = [];
  let end = 0;
  for (const { from, to } of shown) {
    if (to <= end) continue;
    const gap = Math.max(0, from - end);
    // A gap that is too small to fold is shown with what follows it.
    if (gap >= LEAST_FOLD) pieces.push({ from: end, to: from, folded: true }, { from, to, folded: false });
    else pieces.push({ from: end, to, folded: false });
    end = to;
  }
  return pieces;
}

/** One row: the steps of both sides, either of which may be missing, or a fold. */
export type CompareRow =
  | {
      readonly kind: 'steps';
      readonly mark: Mark;
      readonly a: number | undefined;
      readonly b: number | undefined;
      /** Whether both runs meet again here. */
      readonly again: boolean;
    }
  /** So many steps from these on are folded away. */
  | { readonly kind: 'fold'; readonly a: number; readonly b: number; readonly count: number };

/** What stands in a row. */
export function rowAt({ blocks }: CompareLayout, row: number): CompareRow | undefined {
  const block = blocks[blockOf(blocks, (each) => each.row <= row)];
  if (block === undefined) return undefined;
  if (block.kind === 'fold') return { kind: 'fold', a: block.a, b: block.b, count: block.countA };
  const at = row - block.row;
  if (at >= Math.max(block.countA, block.countB)) return undefined;
  return {
    kind: 'steps',
    mark: block.mark,
    a: at < block.countA ? block.a + at : undefined,
    b: at < block.countB ? block.b + at : undefined,
    again: block.again && at === 0,
  };
}

/** The row in which a step of this run stands. */
export function rowOfStepIn({ blocks }: CompareLayout, step: number): number {
  const block = blocks[blockOf(blocks, (each) => each.a <= step)];
  if (block === undefined) return 0;
  return block.kind === 'fold' ? block.row : block.row + Math.max(0, Math.min(step - block.a, block.countA - 1));
}

/** The index of the last block for which `holds`: it must hold for all before. */
function blockOf(blocks: readonly Block[], holds: (block: Block) => boolean): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(blocks[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
