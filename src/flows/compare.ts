import { STEP_KINDS } from '../engine/journal';
import type { Cursor } from '../engine/timeline';
import { lineUp } from './diff';
import type { FlowRun } from './flow';
import { sameCells } from './names';
import { siteKey } from './sites';
import { cellName, valueText } from './text';

/**
 * Two runs side by side. Their steps are lined up by place and thread, so that what happens in both is found in both, whatever came
 * before; what was written may differ all the same. For how much work that may be, see `lineUp`.
 */

/** Steps of one run, `[from, to)`, in the place of which the other has others; either may be empty. */
export interface Difference {
  readonly a: readonly [from: number, to: number];
  readonly b: readonly [from: number, to: number];
}

/** A step of the other run. */
export interface Counterpart {
  readonly step: number;
  /** Whether it is the same step; otherwise it is the nearest one before, to stand beside. */
  readonly same: boolean;
}

export interface Comparison {
  readonly a: FlowRun;
  readonly b: FlowRun;
  /** Where they go different ways, in order: between two of these, and around them, each step of one is one of the other. */
  readonly differences: readonly Difference[];
  /** Steps of `a` that `b` does too, but writing something else. */
  readonly writesOtherwise: readonly number[];
  /** The first step of each that is not like the other's, be it another step or another value; undefined if there is none. */
  readonly first: { readonly a: number; readonly b: number } | undefined;
  /** How many steps they have in common. */
  readonly common: number;
  inB(stepOfA: number): Counterpart;
  inA(stepOfB: number): Counterpart;
}

/** Compares two runs of a flow. */
export function compare(a: FlowRun, b: FlowRun): Comparison {
  const [ofA, ofB] = likenesses(a, b);
  const partnersOfA = lineUp(ofA, ofB);
  const partnersOfB = new Int32Array(ofB.length).fill(-1);
  partnersOfA.forEach((partner, step) => {
    if (partner !== -1) partnersOfB[partner] = step;
  });
  const differences = differencesOf(partnersOfA, partnersOfB);
  const writesOtherwise = otherWrites(a, b, partnersOfA);
  const [difference] = differences;
  const [otherwise] = writesOtherwise;
  const first = difference && { a: difference.a[0], b: difference.b[0] };
  return {
    a,
    b,
    differences,
    writesOtherwise,
    first: otherwise !== undefined && (first === undefined || otherwise < first.a) ? { a: otherwise, b: partnersOfA[otherwise]! } : first,
    common: partnersOfA.reduce((sum, partner) => sum + (partner === -1 ? 0 : 1), 0),
    inB: counterpart(partnersOfA),
    inA: counterpart(partnersOfB),
  };
}

/** What differs in the state of two runs, by the names of the cells. A run that does not have the cell at its position has no value. */
export interface StateDifference {
  readonly struct: string;
  readonly instance: string;
  readonly name: string;
  readonly a: { readonly cell: number; readonly value: string } | undefined;
  readonly b: { readonly cell: number; readonly value: string } | undefined;
}

/** Compares the state of two runs, each where its cursor stands. */
export function stateDifferences(a: FlowRun, cursorA: Cursor, b: FlowRun, cursorB: Cursor): readonly StateDifference[] {
  const read = (run: FlowRun, { position, value }: Cursor, id: number): StateDifference['a'] => {
    const cell = run.cells[id];
    return cell && cell.component.born <= position ? { cell: id, value: valueText(run, cell, value(id)) } : undefined;
  };
  const different = (of: FlowRun, id: number, pair: Pick<StateDifference, 'a' | 'b'>): StateDifference[] => {
    const { component, name } = of.cells[id]!;
    return pair.a?.value === pair.b?.value ? [] : [{ struct: component.struct, instance: component.name, name, ...pair }];
  };
  const inB = sameCells(a, b);
  const inA = sameCells(b, a);
  return [
    ...a.cells.flatMap(({ id }) => different(a, id, { a: read(a, cursorA, id), b: read(b, cursorB, inB[id]!) })),
    ...b.cells.flatMap(({ id }) => (inA[id] === -1 ? different(b, id, { a: undefined, b: read(b, cursorB, id) }) : [])),
  ];
}

/** Each step as a number: the same for steps of the same kind at the same place on the same thread. */
function likenesses(a: FlowRun, b: FlowRun): readonly [Int32Array, Int32Array] {
  const places = new Map<string, number>();
  const threads = new Map<string, number>();
  const sides = [a, b].map(({ journal, threads: own }) => ({
    journal,
    sites: journal.sites.map(({ fn, anchor }) => numbered(places, siteKey(fn, anchor))),
    lanes: own.map(({ id }) => numbered(threads, id)),
  }));
  const [ofA, ofB] = sides.map(({ journal, sites, lanes }) => {
    const numbers = new Int32Array(journal.length);
    for (let n = 0; n < numbers.length; n++) {
      const place = sites[journal.siteId(n)]! * threads.size + lanes[journal.thread(n)]!;
      numbers[n] = place * STEP_KINDS.length + STEP_KINDS.indexOf(journal.kind(n));
    }
    return numbers;
  });
  return [ofA!, ofB!];
}

/** The number of a key among all that were asked for. */
function numbered<K>(known: Map<K, number>, key: K): number {
  const number = known.get(key) ?? known.size;
  known.set(key, number);
  return number;
}

function differencesOf(partnersOfA: Int32Array, partnersOfB: Int32Array): readonly Difference[] {
  const differences: Difference[] = [];
  let [i, j] = [0, 0];
  while (i < partnersOfA.length || j < partnersOfB.length) {
    if (i < partnersOfA.length && partnersOfA[i] === j) {
      i++;
      j++;
      continue;
    }
    const [fromA, fromB] = [i, j];
    while (i < partnersOfA.length && partnersOfA[i] === -1) i++;
    while (j < partnersOfB.length && partnersOfB[j] === -1) j++;
    differences.push({ a: [fromA, i], b: [fromB, j] });
  }
  return differences;
}

/** The steps that both do, but that leave another value in some cell. */
function otherWrites(a: FlowRun, b: FlowRun, partners: Int32Array): readonly number[] {
  // By name alone: a step that both do is about the same object, whichever life of it that is.
  const names = new Map<string, number>();
  const [namesOfA, namesOfB] = [a, b].map(({ cells }) => cells.map((cell) => numbered(names, cellName(cell))));
  const same = (x: number, y: number): boolean => {
    const [one, other] = [a.journal.write(x), b.journal.write(y)];
    if (namesOfA![one.cell] !== namesOfB![other.cell]) return false;
    const cell = a.cells[one.cell]!;
    // Objects have other numbers in another run.
    return cell.type.kind === 'pointer'
      ? valueText(a, cell, one.new) === valueText(b, b.cells[other.cell]!, other.new)
      : one.new === other.new;
  };
  const found: number[] = [];
  partners.forEach((partner, step) => {
    if (partner === -1) return;
    const [x, y] = [a.journal.writesBefore(step), b.journal.writesBefore(partner)];
    const [endX, endY] = [a.journal.writesBefore(step + 1), b.journal.writesBefore(partner + 1)];
    if (x === endX && y === endY) return;
    const alike = endX - x === endY - y && Array.from({ length: endX - x }, (_, index) => same(x + index, y + index)).every(Boolean);
    if (!alike) found.push(step);
  });
  return found;
}

/** Where a step of one run is in the other. */
function counterpart(partners: Int32Array): (step: number) => Counterpart {
  /** The partner of the last step up to each that has one. */
  const before = new Int32Array(partners.length);
  let last = 0;
  partners.forEach((partner, step) => {
    if (partner !== -1) last = partner;
    before[step] = last;
  });
  return (step) => ({ step: before[step] ?? 0, same: partners[step] !== undefined && partners[step] !== -1 });
}
