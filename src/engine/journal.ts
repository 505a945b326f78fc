import type { Anchor } from './reference';
import type { FnInfo, Link } from './fn';
import type { Cell } from './cell';
import { slot, table } from './columns';

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
  /** The step that brought this one about, of another thread or from before this thread did something else, or NO_STEP. */
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
  sitesOf(fn: FnInfo): FnSites;
  link(link: Link): number;
}

/** The numbers of the places in one function: a frame holds them, so that a step looks nothing up that its function has found before. */
export interface FnSites {
  /** The function as such, where it begins and ends. */
  readonly whole: number;
  at(anchor: Anchor, note: string | undefined): number;
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
  const steps = table({
    kind: 'uint8',
    thread: 'uint16',
    depth: 'uint16',
    site: 'uint32',
    link: 'uint32',
    parent: 'uint32',
    cause: 'uint32',
    result: 'float64',
    /** Number of writes before this step. */
    writes: 'uint32',
  });
  const writes = table({ step: 'uint32', cell: 'uint32', old: 'float64', new: 'float64' });
  /** The writes of each cell, oldest first. */
  const writesByCell: number[][] = [];
  const sites = siteTable();
  const links = linkTable();

  const kind = (n: number): StepKind => STEP_KINDS[steps.page(n).kind[slot(n)]!]!;
  const stepOfWrite = (at: number): number => writes.page(at).step[slot(at)]!;
  const writesBefore = (n: number): number => (n < steps.length ? steps.page(n).writes[slot(n)]! : writes.length);

  const journal: Journal = {
    get length() {
      return steps.length;
    },
    get writeCount() {
      return writes.length;
    },
    get bytes() {
      return steps.bytes + writes.bytes + writes.length * BYTES_OF_ARRAY_ENTRY;
    },
    sites: sites.all,
    links: links.all,
    step(n) {
      if (!(n >= 0 && n < steps.length)) throw new RangeError(`there is no step ${n}: the run has ${steps.length}`);
      const page = steps.page(n);
      const at = slot(n);
      const result = page.result[at]!;
      const link = links.all[page.link[at]!]!;
      return {
        n,
        kind: kind(n),
        thread: page.thread[at]!,
        depth: page.depth[at]!,
        edge: link.kind,
        site: sites.all[page.site[at]!]!,
        link: link.kind === 'none' ? undefined : link,
        parent: stepOrNone(page.parent[at]!),
        cause: stepOrNone(page.cause[at]!),
        result: Number.isNaN(result) ? undefined : result,
      };
    },
    kind,
    thread: (n) => steps.page(n).thread[slot(n)]!,
    depth: (n) => steps.page(n).depth[slot(n)]!,
    siteId: (n) => steps.page(n).site[slot(n)]!,
    linkId: (n) => steps.page(n).link[slot(n)]!,
    parent: (n) => stepOrNone(steps.page(n).parent[slot(n)]!),
    cause: (n) => stepOrNone(steps.page(n).cause[slot(n)]!),
    writesBefore,
    writesOf: (n) => [writesBefore(n), writesBefore(n + 1)],
    write(index) {
      const page = writes.page(index);
      const at = slot(index);
      return { step: page.step[at]!, cell: page.cell[at]!, old: page.old[at]!, new: page.new[at]! };
    },
    writesTo(cell, n) {
      const list = writesByCell[cell] ?? [];
      let low = 0;
      let high = list.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (stepOfWrite(list[middle]!) <= n) low = middle + 1;
        else high = middle;
      }
      return { count: low, at: (i) => journal.write(list[i]!) };
    },
  };

  const recorder: Recorder = {
    step(stepKind, thread, depth, site, link, parent, cause, result) {
      if (depth > MAX_DEPTH) throw new RangeError(`${sites.all[site]?.fn.name} was called ${depth} calls deep, more than a journal holds`);
      const n = steps.length;
      const page = steps.append();
      const at = slot(n);
      page.kind[at] = KIND_NUMBERS[stepKind];
      page.thread[at] = thread;
      page.depth[at] = depth;
      page.site[at] = site;
      page.link[at] = link;
      page.parent[at] = parent === NO_STEP ? NONE : parent;
      page.cause[at] = cause === NO_STEP ? NONE : cause;
      page.result[at] = result;
      page.writes[at] = writes.length;
      return n;
    },
    write(cell, old, value) {
      const index = writes.length;
      const page = writes.append();
      const at = slot(index);
      page.step[at] = steps.length - 1;
      page.cell[at] = cell.id;
      page.old[at] = old;
      page.new[at] = value;
      (writesByCell[cell.id] ??= []).push(index);
    },
    sitesOf: sites.sitesOf,
    link: links.idOf,
  };
  return { journal, recorder };
}

const stepOrNone = (held: number): number => (held === NONE ? NO_STEP : held);

/** What an engine spends on an array's entry, at most. */
const BYTES_OF_ARRAY_ENTRY = 8;

const KIND_NUMBERS: Readonly<Record<StepKind, number>> = { enter: 0, at: 1, return: 2, signal: 3 };

/** Numbers each place once. It is asked at every step, so it compares and builds no keys. */
function siteTable(): { readonly all: readonly Site[]; readonly sitesOf: Recorder['sitesOf'] } {
  const all: Site[] = [];
  const byFn = new Map<FnInfo, FnSites>();
  function sitesIn(fn: FnInfo): FnSites {
    /** Hardly ever more than two for one identifier. */
    const byToken = new Map<string, number[]>();
    return {
      whole: all.push({ fn, anchor: undefined, note: undefined }) - 1,
      at(anchor, note) {
        let ids = byToken.get(anchor.token);
        if (ids === undefined) byToken.set(anchor.token, (ids = []));
        for (const id of ids) {
          const site = all[id]!;
          if (site.note === note && site.anchor?.as === anchor.as && site.anchor.after === anchor.after) return id;
        }
        const id = all.push({ fn, anchor, note }) - 1;
        ids.push(id);
        return id;
      },
    };
  }
  return {
    all,
    sitesOf(fn) {
      let sites = byFn.get(fn);
      if (sites === undefined) byFn.set(fn, (sites = sitesIn(fn)));
      return sites;
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
        const { after, registration } = all[id]!;
        const isSame = registration?.path === link.registration?.path && registration?.symbol === link.registration?.symbol;
        if (isSame && after === link.after) return id;
      }
      const id = all.push(link) - 1;
      ids.push(id);
      return id;
    },
  };
}
