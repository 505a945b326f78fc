import { t } from '@vscode/l10n';
import { CONTEXT_KINDS, contextKind, type ContextKind } from '../contexts';
import type { FlowRun } from '../flow';
import { cellName, changeText, edgeTitle, resultText, threadTitle, writesOf } from '../text';
import type { StepRange } from './range';

/**
 * A run as JSON in Chrome's trace event format, which ui.perfetto.dev, chrome://tracing and Speedscope open. Threads are
 * threads, grouped by kind of context into processes; a function is a slice from its `enter` to its `return`, a hand-over a flow
 * from one slice to another, a write an instant.
 *
 * The machine's steps have no duration, so the time axis counts them: step n is at n microseconds.
 */
export function* perfetto(run: FlowRun, range: StepRange): Generator<string> {
  const { flow, inputs, ending } = run;
  const about = {
    flow: flow.id,
    title: t(flow.title),
    ...inputs.parameters,
    seed: inputs.seed,
    ending: ending.kind,
    time: t('one microsecond is one step, not a duration'),
  };
  yield `{"displayTimeUnit":"ns","otherData":${JSON.stringify(about)},"traceEvents":[\n`;
  let comma = '';
  for (const event of events(run, range)) {
    yield comma + JSON.stringify(event);
    comma = ',\n';
  }
  yield '\n]}\n';
}

/** An event, with the format's own names: phase, process, thread, time stamp. */
export interface TraceEvent {
  /** Metadata, begin, end, instant, flow start, flow finish. */
  readonly ph: 'M' | 'B' | 'E' | 'i' | 's' | 'f';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly name?: string;
  readonly cat?: string;
  readonly id?: number;
  /** Of an instant: whether it concerns its thread or all. */
  readonly s?: 't' | 'g';
  /** Of a flow's end: it binds to the slice around it, not to the next one. */
  readonly bp?: 'e';
  readonly args?: Readonly<Record<string, string | number>>;
}

function* events(run: FlowRun, range: StepRange): Generator<TraceEvent> {
  yield* names(run);
  yield* stimuli(run, range);
  yield* steps(run, range);
}

const processes = (): Readonly<Record<ContextKind, string>> => ({
  device: t('Device'),
  hardirq: t('Host interrupts'),
  kworker: t('Host kernel threads'),
  qemu: t('Host processes'),
  vcpu: t('vCPUs'),
  guest: t('Guest'),
  other: t('Other'),
});

/** Processes have their kind's number, threads their own; neither may be 0, which some readers take for none. */
const place = ({ threads }: FlowRun, thread: number): { readonly pid: number; readonly tid: number } => ({
  pid: CONTEXT_KINDS.indexOf(contextKind(threads[thread]?.context ?? '')) + 1,
  tid: thread + 1,
});

function* names(run: FlowRun): Generator<TraceEvent> {
  const used = new Set(run.threads.map(({ context }) => contextKind(context)));
  for (const [index, kind] of CONTEXT_KINDS.entries()) {
    if (!used.has(kind)) continue;
    yield { ph: 'M', pid: index + 1, tid: 0, name: 'process_name', args: { name: processes()[kind] } };
    yield { ph: 'M', pid: index + 1, tid: 0, name: 'process_sort_index', args: { sort_index: index } };
  }
  for (const thread of run.threads)
    yield { ph: 'M', ...place(run, thread.index), name: 'thread_name', args: { name: threadTitle(thread) } };
}

function* stimuli(run: FlowRun, range: StepRange): Generator<TraceEvent> {
  for (const { at, name } of run.inputs.stimuli) {
    const spec = run.flow.stimuli.find((stimulus) => stimulus.name === name);
    const thread = run.threads.find(({ id }) => id === spec?.thread);
    if (spec === undefined || thread === undefined || at < range.first || at >= range.end) continue;
    yield { ph: 'i', ...place(run, thread.index), ts: at, s: 'g', cat: 'stimulus', name: t(spec.title) };
  }
}

function* steps(run: FlowRun, range: StepRange): Generator<TraceEvent> {
  const { journal } = run;
  const open = openFrames(run, range.first);
  // What was entered before the range begins with it.
  for (const frames of open) for (const enter of frames) yield begin(run, enter, range.first);
  for (let n = range.first; n < range.end; n++) {
    const step = journal.step(n);
    if (step.kind === 'enter') {
      open[step.thread]!.push(n);
      yield begin(run, n, n);
    }
    if (step.cause >= range.first) yield* handOver(run, step.cause, n);
    yield* writes(run, n);
    if (step.kind === 'return') {
      open[step.thread]!.pop();
      const result = resultText(step);
      yield { ph: 'E', ...place(run, step.thread), ts: n, ...(result === undefined ? {} : { args: { result } }) };
    }
  }
  // What has not returned lasts to the end: its thread waits there, or the range ends first.
  for (const [thread, frames] of open.entries()) while (frames.pop() !== undefined) yield { ph: 'E', ...place(run, thread), ts: range.end };
}

/** The `enter` steps of the frames that each thread is in before step `before`, outermost first. */
function openFrames({ journal, threads }: FlowRun, before: number): number[][] {
  const open: number[][] = threads.map(() => []);
  for (let n = 0; n < before; n++) {
    const kind = journal.kind(n);
    if (kind === 'enter') open[journal.thread(n)]!.push(n);
    else if (kind === 'return') open[journal.thread(n)]!.pop();
  }
  return open;
}

function begin(run: FlowRun, enter: number, ts: number): TraceEvent {
  const { thread, site, edge } = run.journal.step(enter);
  const { world, path } = site.fn.home;
  return { ph: 'B', ...place(run, thread), ts, cat: world, name: site.fn.name, args: { file: path, edge, step: enter } };
}

/** A flow's number is that of the step that it leads to: one cause may bring about several. */
function* handOver(run: FlowRun, cause: number, effect: number): Generator<TraceEvent> {
  const { thread, edge } = run.journal.step(cause);
  const flow = { cat: 'hand-over', name: edgeTitle(edge), id: effect };
  yield { ph: 's', ...place(run, thread), ts: cause, ...flow };
  yield { ph: 'f', ...place(run, run.journal.thread(effect)), ts: effect, bp: 'e', ...flow };
}

function* writes(run: FlowRun, n: number): Generator<TraceEvent> {
  const written = writesOf(run, n);
  if (written.length === 0) return;
  const cells = written.map((write) => ({ cell: run.cells[write.cell]!, change: changeText(run, write) }));
  const name = cells.map(({ cell, change }) => `${cell.name}: ${change}`).join(', ');
  const args = Object.fromEntries(cells.map(({ cell, change }) => [cellName(cell), change]));
  yield { ph: 'i', ...place(run, run.journal.thread(n)), ts: n, s: 't', cat: 'write', name, args };
}
