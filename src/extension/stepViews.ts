import { EDGE_KINDS, NO_STEP, type EdgeKind, type Site } from '../engine/journal';
import type { ThreadInfo } from '../engine/machine';
import { inLaneOrder } from '../flows/contexts';
import type { FlowRun } from '../flows/flow';
import { handoversTo } from '../flows/handovers';
import { edgeTitle } from '../flows/text';
import { STEP_KINDS, type HandoverView, type SiteView, type StepColumns, type StepView } from '../webview/protocol';

/** The steps of a run as webviews see them: one of them, or all in columns. */

/** The threads that have a lane, and the lane of each by the thread's index. */
interface Lanes {
  readonly threads: readonly ThreadInfo[];
  readonly laneOf: readonly (number | undefined)[];
}

const lanesOfRuns = new WeakMap<FlowRun, Lanes>();

/** The lanes of a run: the threads that run at all, from the device inwards. */
export function lanesOf(run: FlowRun): Lanes {
  const known = lanesOfRuns.get(run);
  if (known) return known;
  const running = new Set<number>();
  for (let n = 0; n < run.journal.length; n++) running.add(run.journal.thread(n));
  const threads = inLaneOrder(run.threads.filter(({ index }) => running.has(index)));
  const laneOf: number[] = [];
  threads.forEach(({ index }, lane) => (laneOf[index] = lane));
  const lanes = { threads, laneOf };
  lanesOfRuns.set(run, lanes);
  return lanes;
}

/** Edges that go without saying. */
const PLAIN: ReadonlySet<EdgeKind> = new Set(['none', 'call', 'root']);

/** One step. */
export function stepView(run: FlowRun, n: number): StepView {
  const { kind, thread, depth, site, edge, cause } = run.journal.step(n);
  const [firstWrite, end] = run.journal.writesOf(n);
  return {
    n,
    kind,
    lane: lanesOf(run).laneOf[thread] ?? 0,
    depth,
    ...siteView(site),
    ...(PLAIN.has(edge) ? {} : { edge: edgeTitle(edge) }),
    ...(cause === NO_STEP ? {} : { cause }),
    writes: end > firstWrite,
  };
}

const siteView = ({ fn, anchor }: Site): SiteView => ({
  symbol: fn.name,
  ...(anchor ? { anchor: anchor.token } : {}),
  world: fn.home.world,
});

/** The hand-overs that led to a step. */
export function wayView(run: FlowRun, n: number): readonly HandoverView[] {
  return handoversTo(run, n).map(({ cause, step }) => {
    const { lane, symbol } = stepView(run, cause);
    const { edge } = stepView(run, step);
    return { cause, step, lane, symbol, ...(edge === undefined ? {} : { edge }) };
  });
}

/** All steps. */
export function stepColumns(run: FlowRun): StepColumns {
  const { journal } = run;
  const { length } = journal;
  const { laneOf } = lanesOf(run);
  const columns = {
    kinds: new Uint8Array(length),
    lanes: new Uint16Array(length),
    depths: new Uint16Array(length),
    sites: new Uint32Array(length),
    edges: new Uint8Array(length),
    causes: new Int32Array(length),
    writes: new Uint8Array(length),
  };
  const edgeOfLink = journal.links.map(({ kind }) => (PLAIN.has(kind) ? 0 : EDGE_KINDS.indexOf(kind)));
  for (let n = 0; n < length; n++) {
    columns.kinds[n] = STEP_KINDS.indexOf(journal.kind(n));
    columns.lanes[n] = laneOf[journal.thread(n)] ?? 0;
    columns.depths[n] = journal.depth(n);
    columns.sites[n] = journal.siteId(n);
    columns.edges[n] = edgeOfLink[journal.linkId(n)] ?? 0;
    columns.causes[n] = journal.cause(n);
    columns.writes[n] = Number(journal.writesBefore(n + 1) > journal.writesBefore(n));
  }
  return { length, ...columns, siteTable: journal.sites.map(siteView), edgeTable: EDGE_KINDS.map(edgeTitle) };
}
