import { NO_STEP } from '../engine/journal';
import type { ThreadInfo } from '../engine/machine';
import { lastWrite, type Cursor } from '../engine/timeline';
import { findCell, isNamed, topologyOf, type DrawnPart, type DrawnWire } from './drawnTopology';
import type { FlowRun } from './flow';
import { stretchesTo, type Stretch } from './handovers';
import type { Mark } from './topology';

/** How far a signal has come: the wires that it has passed. */

/** A wire that the signal has passed on its way to a position, and the last step that did. */
export interface Hop {
  readonly wire: number;
  readonly step: number;
}

/** What is found of a run once. */
interface Passages {
  /** Each thread's passings of wires, in the order of their steps. */
  readonly tracks: readonly (readonly Hop[])[];
  /** The way up to the beginning of a stretch, by the stretch's first step: steps beside each other ask for the same one. */
  readonly ways: Map<number, ReadonlyMap<number, number>>;
}

const found = new WeakMap<FlowRun, Passages>();

function passagesOf(run: FlowRun): Passages {
  let passages = found.get(run);
  if (passages === undefined) found.set(run, (passages = { tracks: tracksOf(run), ways: new Map() }));
  return passages;
}

/** Where each thread passes wires: read from the whole journal, once for a run. */
function tracksOf(run: FlowRun): readonly (readonly Hop[])[] {
  const { journal, threads } = run;
  const { parts, wires } = topologyOf(run);
  const tracks = threads.map((): Hop[] => []);
  const marks = marksBySite(run, wires);
  for (let n = 0; n < journal.length; n++) {
    const here = marks[journal.siteId(n)];
    if (here === undefined) continue;
    const thread = journal.thread(n);
    for (const { wire, mark } of here) {
      if (!isOn(threads[thread], mark) || !isUnder(run, n, mark.under)) continue;
      if (mark.kind === 'signal' ? journal.links[journal.linkId(n)]?.kind === mark.edge : journal.kind(n) === 'enter')
        tracks[thread]!.push({ wire, step: n });
    }
  }
  for (const hop of passingsByWrites(run, parts, wires)) tracks[journal.thread(hop.step)]!.push(hop);
  return tracks.map((track) => track.sort((a, b) => a.step - b.step || a.wire - b.wire));
}

interface SiteMark {
  readonly wire: number;
  readonly mark: Mark;
}

const isOn = (thread: ThreadInfo | undefined, mark: Mark): boolean => mark.thread === undefined || mark.thread === thread?.id;

/** The marks that steps on each site may be, by the site's number. */
function marksBySite({ journal }: FlowRun, wires: readonly DrawnWire[]): readonly (readonly SiteMark[] | undefined)[] {
  return journal.sites.map(({ fn, anchor }) => {
    const meant: SiteMark[] = [];
    for (const [wire, { spec }] of wires.entries()) {
      for (const mark of spec.passed ?? []) {
        // A function is entered on the site that has no identifier, and hands over on those that have one.
        if (mark.kind !== 'write' && (mark.kind === 'enter') === (anchor === undefined) && isNamed(fn, mark.fn)) meant.push({ wire, mark });
      }
    }
    return meant.length === 0 ? undefined : meant;
  });
}

/** The passings of wires by writes, asked of the written cells' own lists. */
function* passingsByWrites(run: FlowRun, parts: readonly DrawnPart[], wires: readonly DrawnWire[]): Generator<Hop> {
  const { journal, threads } = run;
  for (const [wire, { spec }] of wires.entries()) {
    for (const mark of spec.passed ?? []) {
      if (mark.kind !== 'write') continue;
      const part = parts.find((candidate) => candidate.spec.id === mark.part);
      for (const cell of part?.instances.flat().flatMap(({ cells }) => cells.filter(({ name }) => isCell(name, mark.cell))) ?? []) {
        const writes = journal.writesTo(cell.id, journal.length);
        for (let at = 0; at < writes.count; at++) {
          const { step } = writes.at(at);
          if (mark.fn !== undefined && !isNamed(journal.sites[journal.siteId(step)]!.fn, mark.fn)) continue;
          if (isOn(threads[journal.thread(step)], mark) && isUnder(run, step, mark.under)) yield { wire, step };
        }
      }
    }
  }
}

const isCell = (name: string, meant: string): boolean => (meant.endsWith('*') ? name.startsWith(meant.slice(0, -1)) : name === meant);

/** Whether a step is in a function or somewhere below it. */
function isUnder({ journal }: FlowRun, n: number, name: string | undefined): boolean {
  if (name === undefined) return true;
  for (let enter = journal.parent(n); enter !== NO_STEP; enter = journal.parent(enter)) {
    if (isNamed(journal.sites[journal.siteId(enter)]!.fn, name)) return true;
  }
  return false;
}

/** So many hand-overs back the way is followed: a signal that does not end is not followed to the beginning of time. */
const FARTHEST = 1000;

/** The wires that the signal has passed: those of the stretch that the position is in, of the stretch that caused it, and so on. */
export function wayTo(run: FlowRun, cursor: Cursor): readonly Hop[] {
  const { position } = cursor;
  const { parts, wires } = topologyOf(run);
  const hops = new Map<number, number>();
  const held = wires.flatMap(({ spec: { holds }, from, to }, wire): Hop[] => {
    const cell = holds === undefined ? undefined : findCell(run, parts[from]!, holds, position);
    const target = cell === undefined ? undefined : run.components[cursor.value(cell.id) - 1];
    if (cell === undefined || target === undefined || !parts[to]!.instances.some((all) => all.includes(target))) return [];
    return [{ wire, step: lastWrite(run, cell.id, position)?.step ?? Math.max(0, cell.component.born) }];
  });
  const [stretch] = position < 0 ? [] : stretchesTo(run, position);
  if (stretch !== undefined) {
    for (const [wire, step] of wayBefore(run, stretch)) hops.set(wire, step);
    for (const { wire, step } of passings(run, stretch, position)) hops.set(wire, step);
  }
  const passed = [...hops].map(([wire, step]) => ({ wire, step })).sort((a, b) => a.step - b.step);
  return [...connected(wires, passed), ...held].sort((a, b) => a.step - b.step);
}

/** The part of a way that hangs together with its newest hop: what a thread did before that is another matter. */
function connected(wires: readonly DrawnWire[], way: readonly Hop[]): readonly Hop[] {
  const ends = ({ wire }: Hop): readonly number[] => [wires[wire]!.from, wires[wire]!.to];
  const reached = new Set(way.slice(-1).flatMap(ends));
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const hop of way) if (ends(hop).some((part) => reached.has(part))) for (const part of ends(hop)) reached.add(part);
  }
  return way.filter(({ wire }) => reached.has(wires[wire]!.from));
}

/** The wires passed before a stretch began, each with its last passing. */
function wayBefore(run: FlowRun, { first, cause }: Stretch): ReadonlyMap<number, number> {
  const { ways } = passagesOf(run);
  const known = ways.get(first);
  if (known !== undefined) return known;
  const hops = new Map<number, number>();
  let left = FARTHEST;
  let last = cause;
  for (const stretch of cause === NO_STEP ? [] : stretchesTo(run, cause)) {
    for (const { wire, step } of passings(run, stretch, last)) hops.set(wire, Math.max(step, hops.get(wire) ?? NO_STEP));
    last = stretch.cause;
    if (--left === 0) break;
  }
  if (ways.size >= KEPT_WAYS) ways.clear();
  ways.set(first, hops);
  return hops;
}

const KEPT_WAYS = 64;

/** The wires that a stretch has passed up to its step `last`. */
function* passings(run: FlowRun, { thread, first }: Stretch, last: number): Generator<Hop> {
  const track = passagesOf(run).tracks[thread]!;
  for (let at = firstFrom(track, first); at < track.length && track[at]!.step <= last; at++) yield track[at]!;
}

/** The index of the first passing at a step or after it. */
function firstFrom(track: readonly Hop[], step: number): number {
  let low = 0;
  let high = track.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (track[middle]!.step < step) low = middle + 1;
    else high = middle;
  }
  return low;
}
