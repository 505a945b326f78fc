import type { Anchor } from './reference';
import type { FnInfo, Link } from './fn';
import type { Cell } from './cell';
import { column, type Column } from './columns';

/**
 * The journal: every step of a run and every write that it made, in order, in columns. Stepping back, "what
 * changed here", "who wrote this last" and every other view of the past are readings of it.
 */

export const STEP_KINDS = ['enter', 'at', 'return', 'signal'] as const;
/**
 * `enter`: a function begins. `at`: the thread stands on an identifier inside one. `return`: it ends.
 * `signal`: the thread hands over to another one.
 */
export type StepKind = (typeof STEP_KINDS)[number];

export const EDGE_KINDS = [
  'none',
  'root',
  'call',
  'function pointer',
  'ioctl',
  'syscall',
  'eventfd',
  'workqueue',
  'wake-up',
  'timer',
  'hardirq',
  'vmexit',
  'vmentry',
  'mmio',
  'msi',
  'line',
  'hypercall',
  'translated code',
] as const;
/** How a step was reached. */
export type EdgeKind = (typeof EDGE_KINDS)[number];

/** No step: the parent of a thread's outermost frame, the cause of what nothing caused. */
export const NO_STEP = -1;
const NONE = 0xffffffff;

/** The static part of a step, shared by all steps that stand on the same place. */
export interface Site {
  readonly fn: FnInfo;
  readonly anchor: Anchor | undefined;
  readonly note: string | undefined;
}

/** One step, decoded. */
export interface Step {
  readonly n: number;
  readonly kind: StepKind;
  /** Index of the thread in the machine. */
  readonly thread: number;
  readonly depth: number;
  readonly edge: EdgeKind;
  readonly site: Site;
  readonly link: Link | undefined;
  /** The `enter` step of the frame that this step is in (for `enter`: of its caller), or NO_STEP. */
  readonly parent: number;
  /** The step of another thread that brought this one about, or NO_STEP. */
  readonly cause: number;
  /** What a function returned, where that was a number or a truth value. */
  readonly result: number | undefined;
}

/** One journaled write. */
export interface Write {
  readonly step: number;
  readonly cell: number;
  readonly old: number;
  readonly new: number;
}

/** What the scheduler and the cells record with; the rest of the house only reads. */
export interface Recorder {
  step(kind: StepKind, thread: number, depth: number, site: number, link: number, parent: number, cause: number, result: number): number;
  write(cell: Cell, old: number, value: number): void;
  site(fn: FnInfo, anchor: Anchor | undefined, note: string | undefined): number;
  link(link: Link): number;
}

/** A run's journal, to read: steps whole, or one column of them where many are looked at. */
export interface Journal {
  readonly length: number;
  readonly writeCount: number;
  /** The memory that the columns hold, in bytes. */
  readonly bytes: number;
  /** The places that steps stand on, by `siteId`. */
  readonly sites: readonly Site[];
  /** How steps were reached, by `linkId`; 0 is none. */
  readonly links: readonly Link[];
  step(n: number): Step;
  kind(n: number): StepKind;
  thread(n: number): number;
  depth(n: number): number;
  siteId(n: number): number;
  linkId(n: number): number;
  parent(n: number): number;
  cause(n: number): number;
  /** The number of writes that the steps before `n` made. */
  writesBefore(n: number): number;
  /** The writes of step `n`: indexes `[first, end)`. */
  writesOf(n: number): readonly [first: number, end: number];
  write(index: number): Write;
  /** The indexes of the writes to a cell up to and including step `n`, newest last; asks only that cell's own list. */
  writesTo(cell: number, n: number): { readonly count: number; at(index: number): Write };
}

/** The deepest call that a journal can tell; beyond it, and long before, a model calls itself for ever. */
const MAX_DEPTH = 0xffff;

/** An empty journal with its recorder. */
export function createJournal(): { readonly journal: Journal; readonly recorder: Recorder } {
  const kinds = column(Uint8Array);
  const threads = column(Uint16Array);
  const depths = column(Uint16Array);
  const stepSites = column(Uint32Array);
  const stepLinks = column(Uint32Array);
  const parents = column(Uint32Array);
  const causes = column(Uint32Array);
  const results = column(Float64Array);
  /** Number of writes before the step. */
  const writeStarts = column(Uint32Array);
  const writeSteps = column(Uint32Array);
  const writeCells = column(Uint32Array);
  const writeOlds = column(Float64Array);
  const writeNews = column(Float64Array);
  const writesByCell: Column[] = [];
  const columns = [
    kinds,
    threads,
    depths,
    stepSites,
    stepLinks,
    parents,
    causes,
    results,
    writeStarts,
    writeSteps,
    writeCells,
    writeOlds,
    writeNews,
  ];

  const sites = siteTable();
  const links = linkTable();

  const stepOrNone = (held: number): number => (held === NONE ? NO_STEP : held);
  const kind = (n: number): StepKind => STEP_KINDS[kinds.get(n)] ?? 'at';
  const writesBefore = (n: number): number => (n < kinds.length ? writeStarts.get(n) : writeSteps.length);

  const journal: Journal = {
    get length() {
      return kinds.length;
    },
    get writeCount() {
      return writeSteps.length;
    },
    get bytes() {
      return [...columns, ...writesByCell].reduce((sum, each) => sum + (each?.bytes ?? 0), 0);
    },
    sites: sites.all,
    links: links.all,
    step(n) {
      if (!(n >= 0 && n < kinds.length)) throw new RangeError(`there is no step ${n}: the run has ${kinds.length}`);
      const result = results.get(n);
      const link = links.all[stepLinks.get(n)];
      return {
        n,
        kind: kind(n),
        thread: threads.get(n),
        depth: depths.get(n),
        edge: link?.kind ?? 'none',
        site: sites.all[stepSites.get(n)]!,
        link: link?.kind === 'none' ? undefined : link,
        parent: stepOrNone(parents.get(n)),
        cause: stepOrNone(causes.get(n)),
        result: Number.isNaN(result) ? undefined : result,
      };
    },
    kind,
    thread: threads.get,
    depth: depths.get,
    siteId: stepSites.get,
    linkId: stepLinks.get,
    parent: (n) => stepOrNone(parents.get(n)),
    cause: (n) => stepOrNone(causes.get(n)),
    writesBefore,
    writesOf: (n) => [writesBefore(n), writesBefore(n + 1)],
    write: (at) => ({ step: writeSteps.get(at), cell: writeCells.get(at), old: writeOlds.get(at), new: writeNews.get(at) }),
    writesTo(cell, n) {
      const list = writesByCell[cell];
      if (list === undefined) return { count: 0, at: () => journal.write(0) };
      let low = 0;
      let high = list.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (writeSteps.get(list.get(middle)) <= n) low = middle + 1;
        else high = middle;
      }
      return { count: low, at: (i) => journal.write(list.get(i)) };
    },
  };

  const recorder: Recorder = {
    step(stepKind, thread, depth, site, link, parent, cause, result) {
      if (depth > MAX_DEPTH) throw new RangeError(`${sites.all[site]?.fn.name} was called ${depth} calls deep, more than a journal holds`);
      kinds.push(KIND_NUMBERS[stepKind]);
      threads.push(thread);
      depths.push(depth);
      stepSites.push(site);
      stepLinks.push(link);
      parents.push(parent === NO_STEP ? NONE : parent);
      causes.push(cause === NO_STEP ? NONE : cause);
      results.push(result);
      writeStarts.push(writeSteps.length);
      return kinds.length - 1;
    },
    write(cell, old, value) {
      (writesByCell[cell.id] ??= column(Uint32Array)).push(writeSteps.length);
      writeSteps.push(kinds.length - 1);
      writeCells.push(cell.id);
      writeOlds.push(old);
      writeNews.push(value);
    },
    site: sites.idOf,
    link: links.idOf,
  };
  return { journal, recorder };
}

const KIND_NUMBERS: Readonly<Record<StepKind, number>> = { enter: 0, at: 1, return: 2, signal: 3 };

/** Numbers each place once. It is asked at every step, so it compares and builds no keys. */
function siteTable(): { readonly all: readonly Site[]; readonly idOf: Recorder['site'] } {
  const all: Site[] = [];
  /** By function and identifier: hardly ever more than two. */
  const byFn = new Map<FnInfo, Map<string | undefined, number[]>>();
  return {
    all,
    idOf(fn, anchor, note) {
      let byToken = byFn.get(fn);
      if (byToken === undefined) byFn.set(fn, (byToken = new Map()));
      let ids = byToken.get(anchor?.token);
      if (ids === undefined) byToken.set(anchor?.token, (ids = []));
      for (const id of ids) {
        const site = all[id]!;
        if (site.note === note && site.anchor?.as === anchor?.as && site.anchor?.after === anchor?.after) return id;
      }
      const id = all.push({ fn, anchor, note }) - 1;
      ids.push(id);
      return id;
    },
  };
}

/** Numbers each way of being reached once, as `siteTable` does; 0 is none. */
function linkTable(): { readonly all: readonly Link[]; readonly idOf: Recorder['link'] } {
  const all: Link[] = [{ kind: 'none' }];
  const byKind = new Map<EdgeKind, Map<string | undefined, number[]>>();
  return {
    all,
    idOf(link) {
      let byToken = byKind.get(link.kind);
      if (byToken === undefined) byKind.set(link.kind, (byToken = new Map()));
      let ids = byToken.get(link.token);
      if (ids === undefined) byToken.set(link.token, (ids = []));
      for (const id of ids) {
        const { registration } = all[id]!;
        if (registration?.path === link.registration?.path && registration?.symbol === link.registration?.symbol) return id;
      }
      const id = all.push(link) - 1;
      ids.push(id);
      return id;
    },
  };
}
