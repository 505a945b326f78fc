import { anchorKey, type Anchor } from './reference';
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

/** A run's journal, to read. */
export interface Journal {
  readonly length: number;
  readonly writeCount: number;
  step(n: number): Step;
  kind(n: number): StepKind;
  thread(n: number): number;
  parent(n: number): number;
  /** The writes of step `n`: indexes `[first, end)`. */
  writesOf(n: number): readonly [first: number, end: number];
  write(index: number): Write;
  /** The indexes of the writes to a cell up to and including step `n`, newest last; asks only that cell's own list. */
  writesTo(cell: number, n: number): { readonly count: number; at(index: number): Write };
}

/** An empty journal with its recorder. */
export function createJournal(): { readonly journal: Journal; readonly recorder: Recorder } {
  const kinds = column(Uint8Array);
  const threads = column(Uint8Array);
  const depths = column(Uint8Array);
  const stepSites = column(Uint32Array);
  const stepLinks = column(Uint16Array);
  const parents = column(Uint32Array);
  const causes = column(Uint32Array);
  const results = column(Float64Array);
  /** Number of writes before the step that follows. */
  const writeEnds = column(Uint32Array);
  const writeSteps = column(Uint32Array);
  const writeCells = column(Uint16Array);
  const writeOlds = column(Float64Array);
  const writeNews = column(Float64Array);
  const writesByCell: Column[] = [];

  const sites: Site[] = [];
  const siteIds = new Map<FnInfo, Map<string, number>>();
  const links: Link[] = [];
  const linkIds = new Map<string, number>();

  const index = (n: number): number => {
    const held = parents.get(n);
    return held === NONE ? NO_STEP : held;
  };

  const journal: Journal = {
    get length() {
      return kinds.length;
    },
    get writeCount() {
      return writeSteps.length;
    },
    step(n) {
      if (!(n >= 0 && n < kinds.length)) throw new RangeError(`there is no step ${n}: the run has ${kinds.length}`);
      const cause = causes.get(n);
      const result = results.get(n);
      const link = links[stepLinks.get(n)];
      return {
        n,
        kind: STEP_KINDS[kinds.get(n)] ?? 'at',
        thread: threads.get(n),
        depth: depths.get(n),
        edge: link?.kind ?? 'none',
        site: sites[stepSites.get(n)]!,
        link: link?.kind === 'none' ? undefined : link,
        parent: index(n),
        cause: cause === NONE ? NO_STEP : cause,
        result: Number.isNaN(result) ? undefined : result,
      };
    },
    kind: (n) => STEP_KINDS[kinds.get(n)] ?? 'at',
    thread: (n) => threads.get(n),
    parent: index,
    writesOf: (n) => [n === 0 ? 0 : writeEnds.get(n - 1), n < writeEnds.length ? writeEnds.get(n) : writeSteps.length],
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
    step(kind, thread, depth, site, link, parent, cause, result) {
      kinds.push(STEP_KINDS.indexOf(kind));
      threads.push(thread);
      depths.push(Math.min(depth, 255));
      stepSites.push(site);
      stepLinks.push(link);
      parents.push(parent === NO_STEP ? NONE : parent);
      causes.push(cause === NO_STEP ? NONE : cause);
      results.push(result);
      if (kinds.length > 1) writeEnds.push(writeSteps.length);
      return kinds.length - 1;
    },
    write(cell, old, value) {
      (writesByCell[cell.id] ??= column(Uint32Array)).push(writeSteps.length);
      writeSteps.push(kinds.length - 1);
      writeCells.push(cell.id);
      writeOlds.push(old);
      writeNews.push(value);
    },
    site(fn, anchor, note) {
      let ofFn = siteIds.get(fn);
      if (ofFn === undefined) siteIds.set(fn, (ofFn = new Map()));
      const key = anchor === undefined ? (note ?? '') : `${anchorKey(anchor)} ${note ?? ''}`;
      let id = ofFn.get(key);
      if (id === undefined) {
        id = sites.push({ fn, anchor, note }) - 1;
        ofFn.set(key, id);
      }
      return id;
    },
    link(link) {
      const key =
        link.token === undefined && link.registration === undefined
          ? link.kind
          : `${link.kind} ${link.token} ${link.registration?.path} ${link.registration?.symbol}`;
      let id = linkIds.get(key);
      if (id === undefined) {
        id = links.push(link) - 1;
        linkIds.set(key, id);
      }
      return id;
    },
  };
  recorder.link({ kind: 'none' });
  return { journal, recorder };
}
