import type { Cell, Component } from '../engine/cell';
import type { FnInfo } from '../engine/fn';
import { NO_STEP, type EdgeKind } from '../engine/journal';
import type { Parameters, ThreadInfo } from '../engine/machine';
import { lastWrite, stackAt, type Cursor } from '../engine/timeline';
import type { FlowRun } from './flow';
import { stretchesTo, type Stretch } from './handovers';
import { valueText, writesOf } from './text';

/**
 * A flow's topology: the parts that a signal may pass, and the wires between them. A declaration only says what stands for what:
 * a part for structure instances and code, a wire for functions and writes. What is drawn, lit, shown and blocked at a step is
 * read from the run.
 */

/** Where a part is: the clusters of the picture. */
export const PART_WORLDS = ['hardware', 'host', 'kvm', 'hypervisor', 'qemu', 'user', 'guest'] as const;
export type PartWorld = (typeof PART_WORLDS)[number];

/** What a part is, for its icon. */
export const PART_KINDS = [
  'device',
  'pin',
  'irq',
  'driver',
  'eventfd',
  'irqfd',
  'route',
  'controller',
  'cpu',
  'loop',
  'worker',
  'object',
  'queue',
] as const;
export type PartKind = (typeof PART_KINDS)[number];

/**
 * Something that blocks a signal at a part: an expression over cells, and why, in a sentence. `cell` gives the value of a cell of
 * the part's instances, NaN where there is none.
 */
export interface Block {
  readonly when: (cell: ReadCell) => boolean;
  readonly because: string;
}

/** Reads a cell by its name. */
export type ReadCell = (name: string) => number;

/** What a part shows of its state: a cell by its name, or something that several cells say together. */
export type Shown =
  | string
  | {
      readonly name: string;
      /** What the names of the cells that it is made of begin with. */
      readonly cells: string;
      readonly text: (cell: ReadCell) => string;
    };

/** A part. It is drawn in runs whose parameters it is meant for, and that have what it stands for. */
export interface PartSpec {
  readonly id: string;
  /** Upstream's name for it. */
  readonly title: string;
  readonly kind: PartKind;
  readonly world: PartWorld;
  /**
   * The structure instances that it stands for: `kvm_ioapic`, `eventfd_ctx(intx.interrupt)`, `kvm_ioapic_pin(pin *)`. Of several
   * that fit one of these, it shows the one that was written or allocated last. Without any it stands for its code.
   */
  readonly of?: readonly string[];
  /** Further instances whose cells `shows` and `blocked` read. */
  readonly reads?: readonly string[];
  /** Functions and files in which the run stands in this part. */
  readonly code?: readonly string[];
  readonly shows?: readonly Shown[];
  readonly blocked?: readonly Block[];
  readonly given?: (parameters: Parameters) => boolean;
}

/**
 * A step that shows that a signal passed a wire. A function may be given with its world or file: `qemu:kvm_set_irq`. With a
 * `thread` only its steps count.
 */
export type Mark = { readonly thread?: string } & MarkedStep;

type MarkedStep =
  /** A function is entered; `under`: somewhere below another one. */
  | { readonly kind: 'enter'; readonly fn: string; readonly under?: string }
  /** A function hands over to another context. */
  | { readonly kind: 'signal'; readonly edge: EdgeKind; readonly fn: string; readonly under?: string }
  /** A cell of a part is written, in a function or anywhere; a name that ends in `*` is the beginning of several. */
  | { readonly kind: 'write'; readonly part: string; readonly cell: string; readonly fn?: string; readonly under?: string };

/** A wire. It is drawn where both of its parts are. */
export interface WireSpec {
  readonly from: string;
  readonly to: string;
  /** What carries the signal; the label unless there is another. */
  readonly kind: EdgeKind;
  readonly label?: string;
  /** Any of these steps lights it, as long as the step is on the way of the current signal. */
  readonly passed?: readonly Mark[];
  /** For a relation between objects: lit while this pointer of `from` points to what `to` stands for. */
  readonly holds?: string;
  readonly given?: (parameters: Parameters) => boolean;
}

/** What a flow declares. */
export interface Topology {
  readonly parts: readonly PartSpec[];
  readonly wires: readonly WireSpec[];
  /** Other titles of worlds than the usual ones. */
  readonly worlds?: Partial<Readonly<Record<PartWorld, string>>>;
}

/** A function is entered, directly or somewhere below `under`. */
export const entering = (fn: string, under?: string): Mark => ({ kind: 'enter', fn, ...(under === undefined ? {} : { under }) });

/** A function hands over to another context. */
export const handing = (edge: EdgeKind, fn: string, under?: string): Mark => ({
  kind: 'signal',
  edge,
  fn,
  ...(under === undefined ? {} : { under }),
});

/** A cell of a part is written, in `fn`, or anywhere; somewhere below `under`, or anywhere. */
export const writing = (part: string, cell: string, fn?: string, under?: string): Mark => ({
  kind: 'write',
  part,
  cell,
  ...(fn === undefined ? {} : { fn }),
  ...(under === undefined ? {} : { under }),
});

/** A mark that only counts on one thread. */
export const onThread = (thread: string, mark: Mark): Mark => ({ ...mark, thread });

/** A part that a run has. */
export interface DrawnPart {
  readonly spec: PartSpec;
  /** For each entry of `of`, then of `reads`: the instances that fit, in the order of their allocation. */
  readonly instances: readonly (readonly Component[])[];
  /** What it shows of its state in this run. */
  readonly shows: readonly Shown[];
  /** The file that it is modelled in, as upstream calls it; hardware and the guest have none. */
  readonly file: string | undefined;
}

/** A wire that a run has: `from` and `to` are indexes into the drawn parts. */
export interface DrawnWire {
  readonly spec: WireSpec;
  readonly from: number;
  readonly to: number;
}

/** What a run has of its flow's topology. */
export interface DrawnTopology {
  readonly parts: readonly DrawnPart[];
  readonly wires: readonly DrawnWire[];
}

/** A wire that the signal has passed on its way to a position, and the last step that did. */
export interface Hop {
  readonly wire: number;
  readonly step: number;
}

/** A part at a position. */
export interface PartReading {
  /** Whether what it stands for has been allocated. */
  readonly there: boolean;
  /** The instances that it stands for now. */
  readonly components: readonly Component[];
  readonly cells: readonly { readonly name: string; readonly value: string; readonly changed: boolean }[];
  /** Why a signal does not get past it; empty where it does. */
  readonly blocked: readonly string[];
  /** The last step up to the position that wrote its state. */
  readonly written: number | undefined;
}

/** The topology at a position. Indexes are those of the drawn topology. */
export interface TopologyReading {
  /** The way so far, the newest hop last. */
  readonly way: readonly Hop[];
  /** The part in whose code or by whose wire the position stands. */
  readonly active: number | undefined;
  readonly parts: readonly PartReading[];
}

interface Index extends DrawnTopology {
  /** Each thread's passings of wires, in the order of their steps. */
  readonly tracks: readonly (readonly Hop[])[];
  /** The way up to the beginning of a stretch, by the stretch's first step: steps beside each other ask for the same one. */
  readonly ways: Map<number, ReadonlyMap<number, number>>;
  /** For each function that code of drawn parts names, those parts. */
  readonly homes: Map<FnInfo, readonly number[]>;
}

const indexes = new WeakMap<FlowRun, Index>();

/** The parts and wires that a run has. */
export const topologyOf = (run: FlowRun): DrawnTopology => indexOf(run);

/**
 * Reads the topology at a cursor's position. What it costs depends on how many hand-overs led to the position since the signal
 * began, not on how long the run is.
 */
export function readTopology(run: FlowRun, cursor: Cursor): TopologyReading {
  const index = indexOf(run);
  const { position } = cursor;
  const way = wayTo(run, index, cursor);
  const changed = new Set(writesOf(run, position).map(({ cell }) => cell));
  return {
    way,
    active: activePart(run, index, position, way),
    parts: index.parts.map((part) => readPart(run, cursor, part, changed)),
  };
}

// ---- What a run has ----

function indexOf(run: FlowRun): Index {
  let index = indexes.get(run);
  if (index === undefined) indexes.set(run, (index = createIndex(run)));
  return index;
}

function createIndex(run: FlowRun): Index {
  const { flow, inputs } = run;
  const { topology } = flow;
  const given = (spec: { readonly given?: (parameters: Parameters) => boolean }): boolean => spec.given?.(inputs.parameters) ?? true;
  const parts = topology.parts.filter(given).flatMap((spec) => drawPart(run, spec));
  const places = new Map(parts.map(({ spec }, index) => [spec.id, index]));
  const wires = topology.wires.filter(given).flatMap((spec): DrawnWire[] => {
    const [from, to] = [places.get(spec.from), places.get(spec.to)];
    return from === undefined || to === undefined ? [] : [{ spec, from, to }];
  });
  return { parts, wires, tracks: tracksOf(run, parts, wires), ways: new Map(), homes: homesOf(run, parts) };
}

function drawPart(run: FlowRun, spec: PartSpec): DrawnPart[] {
  const own = (spec.of ?? []).map((pattern) => matching(run, pattern));
  const exists = spec.of === undefined ? run.journal.sites.some(({ fn }) => isIn(fn, spec.code ?? [])) : own.some((all) => all.length > 0);
  if (!exists) return [];
  const instances = [...own, ...(spec.reads ?? []).map((pattern) => matching(run, pattern))];
  const names = instances.flat().flatMap(({ cells }) => cells.map(({ name }) => name));
  const shows = (spec.shows ?? []).filter((shown) => names.some((name) => isShownBy(shown, name)));
  return [{ spec, instances, shows, file: fileOf(run, spec.code ?? []) }];
}

const isShownBy = (shown: Shown, cell: string): boolean => (typeof shown === 'string' ? cell === shown : cell.startsWith(shown.cells));

/** The file that code names, or that its first function is in. */
const fileOf = ({ journal }: FlowRun, code: readonly string[]): string | undefined =>
  code.find((name) => name.includes('/')) ?? journal.sites.find(({ fn }) => fn.home.path.includes('/') && isIn(fn, code))?.fn.home.path;

/** The instances that `struct` or `struct(name)` means; `*` in a name stands for anything. */
function matching({ components }: FlowRun, pattern: string): readonly Component[] {
  const [, struct, name] = /^([^(]+)(?:\((.*)\))?$/.exec(pattern) ?? [];
  const wanted = name === undefined ? undefined : new RegExp(`^${name.split('*').map(escaped).join('.*')}$`);
  return components.filter((component) => component.struct === struct && (wanted?.test(component.name) ?? true));
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** Whether a function is one of those that names mean, or in one of the files. */
const isIn = (fn: FnInfo, code: readonly string[]): boolean => code.some((name) => fn.home.path === name || isNamed(fn, name));

function isNamed(fn: FnInfo, name: string): boolean {
  const colon = name.indexOf(':');
  if (colon === -1) return fn.name === name;
  const place = name.slice(0, colon);
  return fn.name === name.slice(colon + 1) && (fn.home.world === place || fn.home.path === place);
}

function homesOf({ journal }: FlowRun, parts: readonly DrawnPart[]): Map<FnInfo, readonly number[]> {
  const homes = new Map<FnInfo, readonly number[]>();
  for (const { fn } of journal.sites) {
    if (homes.has(fn)) continue;
    const those = (meant: (name: string) => boolean) => parts.flatMap(({ spec }, part) => (spec.code?.some(meant) === true ? [part] : []));
    const byName = those((name) => isNamed(fn, name));
    // A part that names the function itself means it more than one that names its file.
    homes.set(fn, byName.length > 0 ? byName : those((name) => fn.home.path === name));
  }
  return homes;
}

// ---- The way ----

/** Where each thread passes wires: read from the whole journal, once for a run. */
function tracksOf(run: FlowRun, parts: readonly DrawnPart[], wires: readonly DrawnWire[]): readonly (readonly Hop[])[] {
  const { journal, threads } = run;
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
    const found: SiteMark[] = [];
    for (const [wire, { spec }] of wires.entries()) {
      for (const mark of spec.passed ?? []) {
        // A function is entered on the site that has no identifier, and hands over on those that have one.
        if (mark.kind !== 'write' && (mark.kind === 'enter') === (anchor === undefined) && isNamed(fn, mark.fn)) found.push({ wire, mark });
      }
    }
    return found.length === 0 ? undefined : found;
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
function wayTo(run: FlowRun, index: Index, cursor: Cursor): readonly Hop[] {
  const { position } = cursor;
  const hops = new Map<number, number>();
  const held = index.wires.flatMap(({ spec: { holds }, from, to }, wire): Hop[] => {
    const cell = holds === undefined ? undefined : findCell(run, index.parts[from]!, holds, position);
    const target = cell === undefined ? undefined : run.components[cursor.value(cell.id) - 1];
    if (cell === undefined || target === undefined || !index.parts[to]!.instances.some((all) => all.includes(target))) return [];
    return [{ wire, step: lastWrite(run, cell.id, position)?.step ?? Math.max(0, cell.component.born) }];
  });
  const [stretch] = position < 0 ? [] : stretchesTo(run, position);
  if (stretch !== undefined) {
    for (const [wire, step] of wayBefore(run, index, stretch)) hops.set(wire, step);
    for (const { wire, step } of passings(index, stretch, position)) hops.set(wire, step);
  }
  const passed = [...hops].map(([wire, step]) => ({ wire, step })).sort((a, b) => a.step - b.step);
  return [...connected(index, passed), ...held].sort((a, b) => a.step - b.step);
}

/** The part of a way that hangs together with its newest hop: what a thread did before that is another matter. */
function connected({ wires }: Index, way: readonly Hop[]): readonly Hop[] {
  const ends = ({ wire }: Hop): readonly number[] => [wires[wire]!.from, wires[wire]!.to];
  const reached = new Set(way.slice(-1).flatMap(ends));
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const hop of way) if (ends(hop).some((part) => reached.has(part))) for (const part of ends(hop)) reached.add(part);
  }
  return way.filter(({ wire }) => reached.has(wires[wire]!.from));
}

/** The wires passed before a stretch began, each with its last passing. */
function wayBefore(run: FlowRun, index: Index, { first, cause }: Stretch): ReadonlyMap<number, number> {
  const known = index.ways.get(first);
  if (known !== undefined) return known;
  const hops = new Map<number, number>();
  let left = FARTHEST;
  let last = cause;
  for (const stretch of cause === NO_STEP ? [] : stretchesTo(run, cause)) {
    for (const { wire, step } of passings(index, stretch, last)) hops.set(wire, Math.max(step, hops.get(wire) ?? NO_STEP));
    last = stretch.cause;
    if (--left === 0) break;
  }
  if (index.ways.size >= KEPT_WAYS) index.ways.clear();
  index.ways.set(first, hops);
  return hops;
}

const KEPT_WAYS = 64;

/** The wires that a stretch has passed up to its step `last`. */
function* passings({ tracks }: Index, { thread, first }: Stretch, last: number): Generator<Hop> {
  const track = tracks[thread]!;
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

/** The part whose code the position stands in, innermost frame first; of several that share it, the one that was passed last. */
function activePart(run: FlowRun, { homes, wires }: Index, position: number, way: readonly Hop[]): number | undefined {
  if (position < 0) return undefined;
  const passed = way.toReversed().flatMap(({ wire }) => [wires[wire]!.to, wires[wire]!.from]);
  for (const { enter } of stackAt(run, position)) {
    const parts = homes.get(enter.site.fn) ?? [];
    if (parts.length > 0) return passed.find((part) => parts.includes(part)) ?? parts[0];
  }
  return passed[0];
}

// ---- A part at a position ----

/** The instances that a part means at a position: of each pattern the one that was written last, or allocated last. */
const current = (run: FlowRun, part: DrawnPart, position: number): readonly Component[] =>
  part.instances.flatMap((all) => {
    const there = all.filter(({ born }) => born <= position);
    if (there.length <= 1) return there;
    const last = (component: Component): number => lastTouched(run, [component], position) ?? component.born;
    return [there.reduce((best, component) => (last(component) >= last(best) ? component : best))];
  });

function findCell(run: FlowRun, part: DrawnPart, name: string, position: number): Cell | undefined {
  for (const { cells } of current(run, part, position)) {
    const cell = cells.find((candidate) => candidate.name === name);
    if (cell !== undefined) return cell;
  }
  return undefined;
}

function readPart(run: FlowRun, cursor: Cursor, part: DrawnPart, changed: ReadonlySet<number>): PartReading {
  const { position } = cursor;
  const { spec } = part;
  const all = current(run, part, position);
  const own = new Set(part.instances.slice(0, spec.of?.length ?? 0).flat());
  const mine = all.filter((component) => own.has(component));
  if (spec.of !== undefined && mine.length === 0) return { there: false, components: [], cells: [], blocked: [], written: undefined };
  const cells = all.flatMap((component) => component.cells);
  const read: ReadCell = (name) => {
    const cell = cells.find((candidate) => candidate.name === name);
    return cell === undefined ? Number.NaN : cursor.value(cell.id);
  };
  const shown = part.shows.flatMap((shows) => {
    const meant = cells.filter(({ name }) => isShownBy(shows, name));
    if (meant.length === 0) return [];
    const value = typeof shows === 'string' ? valueText(run, meant[0]!, cursor.value(meant[0]!.id)) : shows.text(read);
    return [{ name: typeof shows === 'string' ? shows : shows.name, value, changed: meant.some(({ id }) => changed.has(id)) }];
  });
  return {
    there: true,
    components: mine,
    cells: shown,
    blocked: (spec.blocked ?? []).flatMap(({ when, because }) => (when(read) ? [because] : [])),
    written: lastTouched(run, mine, position),
  };
}

function lastTouched(run: FlowRun, components: readonly Component[], position: number): number | undefined {
  let last: number | undefined;
  for (const { cells } of components) {
    for (const { id } of cells) {
      const step = lastWrite(run, id, position)?.step;
      if (step !== undefined && step > (last ?? NO_STEP)) last = step;
    }
  }
  return last;
}
