import { allFunctions, referenceOf, type FnInfo, type Registration } from '../engine/fn';
import { NO_STEP, type EdgeKind, type Journal } from '../engine/journal';
import { anchorKey, type Anchor, type Reference } from '../engine/reference';
import type { Case } from './cases';
import { contextKind } from './contexts';
import { begin, type FlowRun } from './flow';
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
  /** It leads to where no call stack tells of it: into another thread, or to what a thread takes up later. */
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

/**
 * The ways from function to function that a run takes, each once for a thread. A hand-over leads into the function that waited, and to those that
 * this returns to. A guest that is entered again goes on as if nothing had been: only the instruction that left it is led to.
 */
function edgesIn({ journal, threads }: FlowRun): Iterable<Passage & { readonly link: Passed; readonly thread: string }> {
  const found = new Map<number, Passage & { readonly link: Passed; readonly thread: string }>();
  const { sites, links } = journal;
  const isGuest = threads.map(({ context }) => contextKind(context) === 'guest');
  function add(from: number, to: number, at: number, handsOver: boolean): void {
    const thread = journal.thread(at);
    // What is at the same two places, linked alike on the same thread, is the same way.
    const ends = (journal.siteId(from) * links.length + journal.linkId(from)) * sites.length + journal.siteId(to);
    const id = ((ends * links.length + journal.linkId(to)) * threads.length + thread) * 2 + Number(handsOver);
    const known = found.get(id);
    if (known !== undefined) known.steps++;
    else {
      const link = handsOver ? handover(journal, from, to) : call(journal, from, to);
      found.set(id, { link, thread: threads[thread]!.title, steps: 1, first: at });
    }
  }
  const resumed = threads.map((): Resumed | undefined => undefined);
  for (let n = 0; n < journal.length; n++) {
    const thread = journal.thread(n);
    const caller = callerOf(journal, n);
    const cause = journal.cause(n);
    if (caller !== NO_STEP) add(caller, n, n, false);
    if (cause !== NO_STEP) {
      // Who is then called did not wait: the caller did.
      add(cause, caller === NO_STEP ? n : caller, n, true);
      resumed[thread] = isGuest[thread] || begins(journal, n) ? undefined : { cause, depth: journal.depth(journal.parent(n)) };
    } else if (begins(journal, n)) resumed[thread] = undefined;
    else {
      const outer = goesOn(journal, resumed[thread], n);
      if (outer === undefined) continue;
      resumed[thread] = outer;
      add(outer.cause, journal.parent(n), n, true);
    }
  }
  return found.values();
}

/** A stack of functions that a hand-over has resumed: how far it has returned since. */
interface Resumed {
  readonly cause: number;
  readonly depth: number;
}

/** The stack at a step in a function that it has returned to, and which goes on by then. */
function goesOn(journal: Journal, resumed: Resumed | undefined, n: number): Resumed | undefined {
  if (resumed === undefined || journal.kind(n) === 'return') return undefined;
  const depth = journal.depth(journal.parent(n));
  return depth < resumed.depth ? { cause: resumed.cause, depth } : undefined;
}

/** Whether nothing that executes leads to a step: it enters an outermost function, or one that interrupts. */
const begins = (journal: Journal, n: number): boolean =>
  journal.kind(n) === 'enter' && (journal.parent(n) === NO_STEP || journal.links[journal.linkId(n)]!.kind === 'root');

/** The step that entered the function which calls what step `n` enters. What a thread did before, or is interrupted in, calls nobody. */
const callerOf = (journal: Journal, n: number): number =>
  journal.kind(n) === 'enter' && !begins(journal, n) ? journal.parent(n) : NO_STEP;

function call(journal: Journal, caller: number, n: number): Passed {
  const step = journal.step(n);
  return {
    from: journal.step(caller).site.fn,
    to: step.site.fn,
    kind: step.edge,
    handsOver: false,
    anchor: callAnchor(step),
    registration: step.link?.registration,
  };
}

function handover(journal: Journal, cause: number, n: number): Passed {
  const { site, edge } = journal.step(cause);
  const kind = edge === 'none' ? 'wake-up' : edge;
  return { from: site.fn, to: journal.step(n).site.fn, kind, handsOver: true, anchor: site.anchor, registration: undefined };
}
