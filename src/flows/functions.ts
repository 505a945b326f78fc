import { allFunctions, referenceOf, type FnInfo, type Registration } from '../engine/fn';
import { NO_STEP, type EdgeKind, type Journal } from '../engine/journal';
import { anchorKey, type Anchor, type Reference } from '../engine/reference';
import type { Case } from './cases';
import { begin, type FlowRun } from './flow';
import { stretchesTo } from './handovers';
import { callAnchor } from './places';
import { siteKey, standing, type Place } from './sites';
import { UNPASSED } from './unpassed';

/**
 * What the flows do in each function: how they get there and where they go on, what they write there, and at which steps. All of it is
 * read from the journals of runs; where no run passes, who calls is read from the models' source.
 */

/** That a case's run comes by. */
export interface Visit {
  readonly of: Case;
  readonly steps: number;
  /** The first of these steps. */
  readonly first: number;
}

/** How runs get from one function to another. */
export interface Edge {
  readonly from: FnInfo;
  readonly to: FnInfo;
  readonly kind: EdgeKind;
  /** It leads into another thread, where no call stack tells of it. */
  readonly handsOver: boolean;
  /** The identifier in `from` that does it: the call, the pointer, the hand-over. Hardware may have none. */
  readonly anchor: Anchor | undefined;
  /** Where the pointer that is called through got its value. */
  readonly registration: Registration | undefined;
  /** The titles of the threads on which `to` runs then. */
  readonly threads: readonly string[];
  /** Of each flow that gets there this way, the first case; its steps are those that get to `to`. None if only the models say so. */
  readonly visits: readonly Visit[];
}

/** A place in a function that steps stand on. */
export interface KnownPlace {
  readonly anchor: Anchor | undefined;
  /** Undefined for what has no source. */
  readonly reference: Reference | undefined;
  /** Of each flow that stands there, the first case. */
  readonly visits: readonly Visit[];
}

/** A function as the cases know it. */
export interface KnownFunction {
  readonly fn: FnInfo;
  readonly visits: readonly Visit[];
  /** The fields that it writes, as `struct.field`. */
  readonly writes: readonly string[];
  readonly places: readonly KnownPlace[];
  readonly callers: readonly Edge[];
  readonly callees: readonly Edge[];
  /** Of one that no case passes, the tables and functions that hold its address. */
  readonly storedIn: readonly string[];
}

/** All functions that the cases pass, and all others that are modelled of source, by `siteKey`. */
export type KnownFunctions = ReadonlyMap<string, KnownFunction>;

/** What tells a function from all others: the same in every run. */
export const functionKey = (fn: FnInfo): string => siteKey(fn, undefined);

/** So many steps of a run are made at a time: some milliseconds. */
const SLICE = 5_000;

/**
 * Makes the run of every case and collects what it does in which function; the runs themselves are not kept.
 * @param pause lets others do something, every few milliseconds
 */
export async function knowFunctions(cases: Iterable<Case>, pause: () => Promise<void>): Promise<KnownFunctions> {
  const known = new Map<string, Collected>();
  for (const each of cases) {
    await pause();
    const simulation = begin(each.flow, each.inputs);
    let run: FlowRun | undefined;
    while ((run = simulation.proceed(SLICE)) === undefined) await pause();
    collect(known, each, run);
  }
  addUnpassed(known);
  return known;
}

function addUnpassed(known: Map<string, Collected>): void {
  for (const fn of allFunctions())
    if (referenceOf(fn) !== undefined && !known.has(functionKey(fn))) known.set(functionKey(fn), nothingOf(fn));
  for (const { fn, callers, storedIn } of UNPASSED) {
    const to = known.get(fn);
    if (to === undefined || to.visits.length > 0) continue;
    to.storedIn.push(...storedIn);
    for (const from of callers.flatMap((key) => known.get(key) ?? [])) {
      const edge: Edge = {
        from: from.fn,
        to: to.fn,
        kind: 'call',
        handsOver: false,
        anchor: { token: to.fn.name, as: 'call' },
        registration: undefined,
        threads: [],
        visits: [],
      };
      from.callees.push(edge);
      to.callers.push(edge);
    }
  }
}

interface Collected extends KnownFunction {
  readonly visits: Visit[];
  readonly writes: string[];
  readonly places: KnownPlace[];
  readonly callers: Edge[];
  readonly callees: Edge[];
  readonly storedIn: string[];
  readonly placesByKey: Map<string, CollectedPlace>;
  readonly calleesByKey: Map<string, CollectedEdge>;
}

type CollectedPlace = KnownPlace & { readonly visits: Visit[] };
type CollectedEdge = Edge & { readonly threads: string[]; readonly visits: Visit[] };

function collect(known: Map<string, Collected>, of: Case, run: FlowRun): void {
  const get = (fn: FnInfo): Collected => {
    const key = functionKey(fn);
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = nothingOf(fn)));
    return found;
  };
  for (const [fn, { steps, first }] of passagesOf(run)) get(fn).visits.push({ of, steps, first });
  for (const [fn, fields] of writesIn(run)) {
    const { writes } = get(fn);
    for (const field of fields) if (!writes.includes(field)) writes.push(field);
  }
  for (const { key, fn, anchor, reference, steps, first } of placesIn(run)) {
    const { places, placesByKey } = get(fn);
    let place = placesByKey.get(key);
    if (place === undefined) {
      placesByKey.set(key, (place = { anchor, reference, visits: [] }));
      places.push(place);
    }
    addVisit(place.visits, { of, steps, first });
  }
  for (const { link, thread, steps, first } of edgesIn(run)) {
    const from = get(link.from);
    const key = `${functionKey(link.to)} ${link.kind} ${link.handsOver} ${link.anchor ? anchorKey(link.anchor) : ''} ${link.registration?.symbol}`;
    let edge = from.calleesByKey.get(key);
    if (edge === undefined) {
      from.calleesByKey.set(key, (edge = { ...link, threads: [], visits: [] }));
      from.callees.push(edge);
      get(link.to).callers.push(edge);
    }
    if (!edge.threads.includes(thread)) edge.threads.push(thread);
    addVisit(edge.visits, { of, steps, first });
  }
}

const nothingOf = (fn: FnInfo): Collected => ({
  fn,
  visits: [],
  writes: [],
  places: [],
  callers: [],
  callees: [],
  storedIn: [],
  placesByKey: new Map(),
  calleesByKey: new Map(),
});

/** Keeps the first case of each flow. */
function addVisit(visits: Visit[], visit: Visit): void {
  if (!visits.some(({ of }) => of.flow === visit.of.flow)) visits.push(visit);
}

/** How often a run does something, and at which step first. */
interface Passage {
  steps: number;
  readonly first: number;
}

function count<K>(passages: Map<K, Passage>, key: K, first: number): void {
  const passage = passages.get(key);
  if (passage === undefined) passages.set(key, { steps: 1, first });
  else passage.steps++;
}

const passages = new WeakMap<Journal, ReadonlyMap<FnInfo, Readonly<Passage>>>();

/** The functions that a run passes: the steps that it makes in each, returns not counted. Read once, whoever asks how often. */
export function passagesOf({ journal }: FlowRun): ReadonlyMap<FnInfo, Readonly<Passage>> {
  let found = passages.get(journal);
  if (found === undefined) {
    const made = new Map<FnInfo, Passage>();
    for (let n = 0; n < journal.length; n++) if (journal.kind(n) !== 'return') count(made, journal.sites[journal.siteId(n)]!.fn, n);
    passages.set(journal, (found = made));
  }
  return found;
}

/** The fields that each function writes. */
function writesIn({ journal, cells }: FlowRun): ReadonlyMap<FnInfo, ReadonlySet<string>> {
  const found = new Map<FnInfo, Set<string>>();
  for (let index = 0; index < journal.writeCount; index++) {
    const { step, cell } = journal.write(index);
    const { fn } = journal.sites[journal.siteId(step)]!;
    const { component, name } = cells[cell]!;
    const fields = found.get(fn) ?? new Set();
    found.set(fn, fields.add(`${component.struct}.${name.replace(/\[\d+\]$/, '[]')}`));
  }
  return found;
}

/** The places that a run stands on, each once. */
function placesIn(run: FlowRun): Iterable<Passage & Place> {
  const { at, places } = standing(run);
  const groups = new Map<number, Passage>();
  for (let n = 0; n < at.length; n++) if (at[n] !== 0) count(groups, at[n]!, n);
  const found = new Map<string, Passage & Place>();
  for (const [group, { steps, first }] of groups)
    for (const place of places[group]!) {
      const known = found.get(place.key);
      if (known === undefined) found.set(place.key, { ...place, steps, first });
      else known.steps += steps;
    }
  return found.values();
}

type Passed = Pick<Edge, 'from' | 'to' | 'kind' | 'handsOver' | 'anchor' | 'registration'>;

/** The ways from function to function that a run takes, each once for a thread. */
function edgesIn(run: FlowRun): Iterable<Passage & { readonly link: Passed; readonly thread: string }> {
  const { journal, threads } = run;
  const found = new Map<number, Passage & { readonly link: Passed; readonly thread: string }>();
  const { sites, links } = journal;
  for (let n = 0; n < journal.length; n++) {
    const before = comesFrom(run, n);
    if (before === NO_STEP) continue;
    const thread = journal.thread(n);
    // What is at the same two places, linked alike on the same thread, is the same way.
    const from = (journal.siteId(before) * links.length + journal.linkId(before)) * sites.length + journal.siteId(n);
    const id = (from * links.length + journal.linkId(n)) * threads.length + thread;
    const known = found.get(id);
    if (known === undefined) found.set(id, { link: linkBetween(journal, before, n), thread: threads[thread]!.title, steps: 1, first: n });
    else known.steps++;
  }
  return found.values();
}

/**
 * The step that brought step `n` about, if that was in another function: the call, or what another thread did. The functions that a thread runs
 * one after the other, outermost, all come from what made it go on.
 */
function comesFrom(run: FlowRun, n: number): number {
  const { journal } = run;
  const cause = journal.cause(n);
  if (cause !== NO_STEP || journal.kind(n) !== 'enter') return cause;
  const caller = journal.parent(n);
  if (caller !== NO_STEP) return caller;
  const [stretch] = stretchesTo(run, n);
  return stretch?.cause ?? NO_STEP;
}

function linkBetween(journal: Journal, before: number, n: number): Passed {
  const [cause, step] = [journal.step(before), journal.step(n)];
  const handsOver = cause.thread !== step.thread;
  const own = step.kind === 'enter' && step.edge !== 'root' ? step.edge : cause.edge;
  return {
    from: cause.site.fn,
    to: step.site.fn,
    kind: handsOver && own === 'none' ? 'wake-up' : own,
    handsOver,
    anchor: handsOver ? cause.site.anchor : callAnchor(step),
    registration: handsOver ? undefined : step.link?.registration,
  };
}
