import { t } from '@vscode/l10n';
import type { EdgeKind, Step, StepKind } from '../../engine/journal';
import type { ThreadInfo } from '../../engine/machine';
import { inLaneOrder } from '../contexts';
import { chapterSteps, type FlowRun } from '../flow';
import { cellName, changeText, threadTitle, writesOf } from '../text';
import type { StepRange } from './range';
import { ranksOf, spansOf, thresholdOf, type Span } from './ranks';

/**
 * The sequence of a run, condensed to what a page can hold: who ran when, who handed over to whom and how, and of the functions
 * and writes between as many as there is room for, the outermost first.
 */
export interface Sequence {
  readonly range: StepRange;
  readonly lanes: readonly ThreadInfo[];
  readonly parts: readonly Part[];
  /** The first step for which there was no room: `range.end` if there was for all. */
  readonly shownTo: number;
}

export type Part =
  | { readonly kind: 'chapter'; readonly step: number; readonly title: string }
  | { readonly kind: 'stimulus'; readonly step: number; readonly lane: number; readonly title: string }
  | Stay
  /** Stays that come again and again and look the same but for values: once, and how often. `end` is behind the last one. */
  | { readonly kind: 'repeat'; readonly times: number; readonly stays: readonly Stay[]; readonly end: number };

/** A thread runs, and no other one in between: steps `[first, end)`. */
export interface Stay {
  readonly kind: 'stay';
  /** Index into the lanes. */
  readonly lane: number;
  readonly first: number;
  readonly end: number;
  readonly lines: readonly Line[];
}

/** One step of a stay. */
export interface Line {
  readonly step: number;
  readonly kind: StepKind;
  readonly symbol: string;
  readonly anchor: string | undefined;
  readonly edge: EdgeKind;
  /** How many of the lines above it in its stay are frames that it is in. */
  readonly depth: number;
  /** What it wrote, in words: the cell, with and without the structure that it is in, and the change. */
  readonly writes: readonly { readonly cell: string; readonly name: string; readonly change: string }[];
  /** The hand-over that brought it about. */
  readonly cause: { readonly lane: number; readonly step: number; readonly edge: EdgeKind } | undefined;
}

/** Condenses a part of a run to `most` lines. Hand-overs stay even if they are more, up to a limit. */
export function sequenceOf(run: FlowRun, range: StepRange, most: number, starts = chapterSteps(run)): Sequence {
  const chapters = new Map(starts.map(({ chapter, step }) => [step, t(chapter.title)]));
  const spans = [...spansOf(run, range, chapters)];
  const threads = new Set(spans.map(({ thread }) => thread));
  const lanes = inLaneOrder(run.threads.filter(({ index }) => threads.has(index))).map((thread) => ({
    ...thread,
    title: threadTitle(thread),
  }));
  const laneOf = new Map(lanes.map(({ index }, lane) => [index, lane]));
  const ranks = ranksOf(run, range, spans);
  const threshold = thresholdOf(ranks, most);

  const parts: Part[] = [];
  let room = most * OVERFLOW;
  let shownTo = range.first;
  for (const span of spans) {
    if (room <= 0) break;
    const title = chapters.get(span.first);
    if (title !== undefined) parts.push({ kind: 'chapter', step: span.first, title });
    parts.push(...stimuliIn(run, span, laneOf));
    const lines = linesOf(run, span, range, laneOf, (n) => ranks[n - range.first]! <= threshold);
    parts.push({ kind: 'stay', lane: laneOf.get(span.thread) ?? 0, first: span.first, end: span.end, lines });
    room -= lines.length;
    shownTo = span.end;
  }
  return { range, lanes, parts: folded(parts), shownTo };
}

/** How many times longer than wished for a sequence may get by its hand-overs. */
const OVERFLOW = 4;

function* stimuliIn({ inputs, flow, threads }: FlowRun, { first, end }: Span, laneOf: ReadonlyMap<number, number>): Generator<Part> {
  for (const { at, name } of inputs.stimuli) {
    const spec = flow.stimuli.find((stimulus) => stimulus.name === name);
    if (spec === undefined || at < first || at >= end) continue;
    const thread = threads.find(({ id }) => id === spec.thread)?.index ?? -1;
    yield { kind: 'stimulus', step: at, lane: laneOf.get(thread) ?? 0, title: t(spec.title) };
  }
}

function linesOf(
  run: FlowRun,
  { first, end }: Span,
  range: StepRange,
  laneOf: ReadonlyMap<number, number>,
  isShown: (n: number) => boolean,
): Line[] {
  const lines: Line[] = [];
  /** The frames among the lines that have not ended yet. */
  const frames: Step[] = [];
  for (let n = first; n < end; n++) {
    if (!isShown(n)) continue;
    const step = run.journal.step(n);
    while (frames.length > 0 && !isInside(step, frames.at(-1)!)) frames.pop();
    lines.push(lineOf(run, step, frames.length, range, laneOf));
    if (step.kind === 'enter') frames.push(step);
  }
  return lines;
}

/** Whether a step of the same stay is in a frame, or in one that was called from there. */
const isInside = ({ depth, kind, parent }: Step, frame: Step): boolean =>
  depth > frame.depth || (depth === frame.depth && kind !== 'enter' && parent === frame.n);

function lineOf(run: FlowRun, step: Step, depth: number, range: StepRange, laneOf: ReadonlyMap<number, number>): Line {
  const cause = step.cause < range.first ? undefined : run.journal.step(step.cause);
  return {
    step: step.n,
    kind: step.kind,
    symbol: step.site.fn.name,
    anchor: step.site.anchor?.token,
    edge: step.edge,
    depth,
    writes: writesOf(run, step.n).map((write) => {
      const cell = run.cells[write.cell]!;
      return { cell: cellName(cell), name: cell.name, change: changeText(run, write) };
    }),
    cause: cause && { lane: laneOf.get(cause.thread) ?? 0, step: cause.n, edge: cause.edge },
  };
}

/** So many stays at most make up what repeats. */
const LONGEST_CYCLE = 8;

/** Puts stays that look the same again and again into one part. */
function folded(parts: readonly Part[]): readonly Part[] {
  const looks = parts.map((part, index) => (part.kind === 'stay' ? look(part) : `${part.kind} ${index}`));
  const result: Part[] = [];
  for (let at = 0; at < parts.length;) {
    const { length, times } = cycleAt(looks, at);
    const stays = parts.slice(at, at + length);
    const last = parts[at + length * times - 1];
    if (times > 1 && stays.every((part) => part.kind === 'stay') && last?.kind === 'stay')
      result.push({ kind: 'repeat', times, stays: stays.map(withoutValues), end: last.end });
    else result.push(...stays);
    at += length * times;
  }
  return result;
}

const look = ({ lane, lines }: Stay): string =>
  `${lane}: ${lines.map(({ kind, symbol, anchor, edge, depth, cause }) => [kind, symbol, anchor, edge, depth, cause?.lane].join(' ')).join()}`;

const withoutValues = (stay: Stay): Stay => ({ ...stay, lines: stay.lines.map((line) => ({ ...line, writes: [] })) });

/** The cycle that covers most from `at` on: the looks of its stays come `times` times. */
function cycleAt(looks: readonly string[], at: number): { readonly length: number; readonly times: number } {
  let best = { length: 1, times: 1 };
  for (let length = 1; length <= LONGEST_CYCLE && at + 2 * length <= looks.length; length++) {
    let times = 1;
    while (looks.slice(at, at + length).every((one, index) => one === looks[at + times * length + index])) times++;
    if (times > 1 && length * times > best.length * best.times) best = { length, times };
  }
  return best;
}

/** What a line is about, in words: `irqfd_wakeup › schedule_work`. */
export function lineLabel({ kind, symbol, anchor }: Line): string {
  switch (kind) {
    case 'enter':
      return symbol;
    case 'return':
      return `↩ ${symbol}`;
    case 'at':
    case 'signal':
      return anchor === undefined ? symbol : `${symbol} › ${anchor}`;
  }
}
