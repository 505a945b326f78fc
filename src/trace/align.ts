import type { FlowRun } from '../flows/flow';
import { once } from './loops';
import { readTrace, type Skip } from './read';
import { namesSeen, seen, type Lane, type Names, type Seen } from './recorded';
import { entered, waiting, type Entered } from './simulated';

/**
 * Lines a run up with a recording. Compared are the functions that both know, thread by thread: each thread of the
 * recording goes along some way through the run's threads of its kind. At an outermost call it may go on elsewhere in
 * the run, which is free where a piece of the run has ended and another begins (the next delivery, the next hand-over)
 * and a break where it is not.
 */

/** A run, of which the steps from one on count. */
export interface Way {
  readonly run: FlowRun;
  readonly from: number;
}

/** A function at a line of the recording. */
export interface InTrace {
  readonly name: string;
  readonly line: number;
}

/** A function at a step of a run. */
export interface InRun {
  readonly name: string;
  readonly run: FlowRun;
  readonly step: number;
}

/** Differences of one kind: how many, and the first of them. */
export interface Differences<T> {
  readonly count: number;
  readonly first: readonly T[];
}

export interface Alignment {
  /** 1 if they agree in everything that was compared. */
  readonly score: number;
  readonly matched: number;
  readonly onlyInRun: Differences<InRun>;
  readonly onlyInTrace: Differences<InTrace>;
  /** Where the recording goes on, and the run does not. */
  readonly breaks: Differences<InTrace>;
  readonly handOvers: { readonly kept: number; readonly lost: Differences<InTrace> };
  /** Entries in the recording of functions that both know, but in the course of something else. */
  readonly foreign: number;
  /** How many functions both know. */
  readonly functions: number;
  /** Lines that were passed over. */
  readonly skipped: Differences<Skip>;
}

/** Entries that are aligned at a time; more are aligned in parts, so that memory stays the same however long a recording is. */
const MAX_PART = 2_000;
/** So many differences of a kind are told; of more, the number. */
const MAX_TOLD = 1_000;

/**
 * Lines a run up with a recording.
 * @param ways the run, and others that are the same up to a stimulus at their end: what happened may be any of them
 * @param others more runs of the flow: what they enter is known to the flow too, and missing if only the recording has it
 * @param lines gives the recording's lines; it is called twice, first for the names that occur
 * @param enough how many entries are compared at most: to choose between runs, not all of a long recording is needed
 */
export function align(
  ways: readonly Way[],
  others: readonly FlowRun[],
  lines: () => Iterable<string>,
  enough = Number.POSITIVE_INFINITY,
): Alignment {
  const names = namesSeen(readTrace(lines()));
  const knowledge = knowledgeOf([...ways.map(({ run }) => run), ...others], new Set([...names.entry, ...names.event, ...names.stack]));
  const { common } = knowledge;
  const tally = createTally();
  const side = runSide(ways, common, names);

  let held = 0;
  let compared = 0;
  const sequences = new Map<string, Known[]>();
  const flush = (): void => {
    const matches: Match[] = [];
    for (const sequence of sequences.values()) {
      const own = once(withoutForeign(sequence, knowledge));
      tally.foreign += sequence.length - own.length;
      if (own.length > 0) matches.push(...alignSequence(own, side, names.deepest, tally));
    }
    checkHandOvers(matches, tally);
    sequences.clear();
    held = 0;
  };
  for (const each of seen(readTrace(lines(), (skip) => note(tally.skipped, skip)))) {
    if ('window' in each) {
      flush();
      continue;
    }
    if (!common.has(each.key) || (each.by === 'event' && !names.event.has(each.key))) continue;
    const ancestors = each.ancestors.filter((key) => common.has(key));
    const known = { ...each, ancestors, between: each.ancestors[0] !== ancestors[0], detour: false };
    const sequence = sequences.get(each.sequence);
    if (sequence === undefined) sequences.set(each.sequence, [known]);
    else sequence.push(known);
    if (++held >= MAX_PART) flush();
    if (++compared >= enough) break;
  }
  flush();

  const { matched, onlyInRun, onlyInTrace, breaks, kept, lost, foreign, skipped } = tally;
  const good = matched + kept;
  const all = good + onlyInRun.count + onlyInTrace.count + breaks.count + lost.count;
  return {
    score: all === 0 ? 0 : good / all,
    matched,
    onlyInRun,
    onlyInTrace,
    breaks,
    handOvers: { kept, lost },
    foreign,
    functions: common.size,
    skipped,
  };
}

/** What a flow's runs say of the functions that both know. */
interface Knowledge {
  readonly common: ReadonlySet<string>;
  /** Those that are ever entered from no other of them. */
  readonly outermost: ReadonlySet<string>;
  /** Those that ever enter no other of them. */
  readonly innermost: ReadonlySet<string>;
  /** Who enters whom. */
  readonly calls: ReadonlySet<string>;
}

const call = (caller: string, callee: string): string => `${caller} > ${callee}`;

function knowledgeOf(runs: readonly FlowRun[], occurring: ReadonlySet<string>): Knowledge {
  const waits = new Set(runs.flatMap((run) => [...waiting(run)]));
  const common = new Set<string>();
  const outermost = new Set<string>();
  const innermost = new Set<string>();
  const calls = new Set<string>();
  for (const run of runs) {
    const all = entered(run, (name) => occurring.has(name) && !waits.has(name));
    for (const [index, { key, ancestors }] of all.entries()) {
      common.add(key);
      if (ancestors[0] === undefined) outermost.add(key);
      else calls.add(call(ancestors[0], key));
      if (all[index + 1]?.ancestors[0] !== key) innermost.add(key);
    }
  }
  return { common, outermost, innermost, calls };
}

/** An entry in a recording with those of its callers that both sides know. */
interface Known extends Seen {
  /** Whether it was called by way of a function that the flow does not know. */
  readonly between: boolean;
  /** Whether that function makes it for somebody else, as far as the flow tells: the flow never makes this call, or one around it. */
  readonly detour: boolean;
}

/** Without what somebody else does with the same functions. */
function withoutForeign(sequence: readonly Known[], knowledge: Knowledge): readonly Known[] {
  const own: Known[] = [];
  for (let start = 0, end = 1; start < sequence.length; start = end++) {
    while (end < sequence.length && sequence[end]!.ancestors.length > 0) end++;
    const tree = sequence.slice(start, end);
    if (!isForeign(tree, knowledge)) own.push(...withDetours(tree, knowledge));
  }
  return own;
}

/** Finds what a function that the flow does not know has called, where the flow never makes that call, and all below it. */
function withDetours(tree: readonly Known[], { calls }: Knowledge): readonly Known[] {
  let from = Number.POSITIVE_INFINITY;
  return tree.map((each) => {
    const { key, between, ancestors } = each;
    const caller = ancestors[0];
    if (ancestors.length <= from)
      from = between && caller !== undefined && !calls.has(call(caller, key)) ? ancestors.length : Number.POSITIVE_INFINITY;
    return { ...each, detour: ancestors.length >= from };
  });
}

/** An outermost call of what the flow never enters outermost; one that called nothing where the flow's do; one whose every call is none of the flow's. */
function isForeign(tree: readonly Known[], { outermost, innermost, calls }: Knowledge): boolean {
  const { key, exact, ancestors } = tree[0]!;
  if (!exact || ancestors.length > 0) return false;
  if (!outermost.has(key)) return true;
  return tree.length === 1
    ? !innermost.has(key)
    : !tree.some((each) => each.ancestors[0] !== undefined && calls.has(call(each.ancestors[0], each.key)));
}

interface Tally {
  matched: number;
  kept: number;
  foreign: number;
  readonly onlyInRun: Noted<InRun>;
  readonly onlyInTrace: Noted<InTrace>;
  readonly breaks: Noted<InTrace>;
  readonly lost: Noted<InTrace>;
  readonly skipped: Noted<Skip>;
}

interface Noted<T> {
  count: number;
  readonly first: T[];
}

function note<T>(noted: Noted<T>, difference: T): void {
  if (noted.count++ < MAX_TOLD) noted.first.push(difference);
}

const none = <T>(): Noted<T> => ({ count: 0, first: [] });
const createTally = (): Tally => ({
  matched: 0,
  kept: 0,
  foreign: 0,
  onlyInRun: none(),
  onlyInTrace: none(),
  breaks: none(),
  lost: none(),
  skipped: none(),
});

const nameOf = (key: string): string => key.slice(key.indexOf(' ') + 1);

/** A run's entries by lane, with what it costs to leave each out. */
type RunSide = ReadonlyMap<Lane, readonly (Entered & { readonly cost: number })[]>;

function runSide(ways: readonly Way[], common: ReadonlySet<string>, { entry, event }: Names): RunSide {
  const lanes = new Map<Lane, (Entered & { readonly cost: number })[]>();
  for (const each of ways.flatMap(({ run, from }) => looped(entered(run, (key) => common.has(key)).filter(({ step }) => step >= from)))) {
    const lane = lanes.get(each.lane) ?? [];
    lanes.set(each.lane, lane);
    lane.push({ ...each, cost: entry.has(each.key) || event.has(each.key) ? 1 : 0 });
  }
  return lanes;
}

/** Entries of a run with each loop gone round once; where that takes a piece's last entry away, the one before ends it. */
function looped(entries: readonly Entered[]): readonly Entered[] {
  const kept = once(entries);
  return kept.map((each, index) => (kept[index + 1]?.first === false || each.last ? each : { ...each, last: true }));
}

interface Match {
  readonly recorded: Seen;
  readonly run: Entered;
}

/** What the way is chosen by: a difference weighs 1, and so little what was only seen on a stack that it never outweighs an entry. */
const MATCH = 2;
const VAGUE_MATCH = 1;
const STACK_MATCH = 1 / 64;
/** For a single call it is never worth while to go on elsewhere and come back. */
const BREAK = 2;
const NEVER = -0x40000000;

const STEP_BOTH = 1;
const STEP_RECORDED = 2;
const STEP_RUN = 3;
const JUMPED = 4;

/** The best way of one thread's entries through the run: counts what differs, and gives what matched. */
function alignSequence(recorded: readonly Known[], side: RunSide, deepest: number, tally: Tally): readonly Match[] {
  const run = side.get(recorded[0]!.lane) ?? [];
  const n = recorded.length;
  const m = run.length;
  const width = m + 1;
  const ways = new Uint8Array((n + 1) * width);
  const jumpFrom = new Int32Array(n + 1);
  const land = (j: number): number => (j === m || run[j]!.first ? 0 : BREAK);
  const leave = (j: number): number => (j === 0 || run[j - 1]!.last ? 0 : BREAK);

  // A recording begins and ends where it was cut.
  let row = new Float64Array(width);
  for (let i = 0; i < n; i++) {
    const { key, ancestors } = recorded[i]!;
    // Only from here on may the way go on elsewhere: what was begun is over.
    if (i > 0 && ancestors.length === 0) {
      let best = 0;
      for (let j = 1; j < width; j++) if (row[j]! - leave(j) > row[best]! - leave(best)) best = j;
      jumpFrom[i] = best;
      for (let j = 0; j < width; j++) {
        const jumped = row[best]! - leave(best) - land(j);
        if (jumped > row[j]!) {
          row[j] = jumped;
          ways[i * width + j]! |= JUMPED;
        }
      }
    }
    const next = new Float64Array(width);
    const vague = isVague(recorded[i]!);
    const gap = vague ? 0 : 1;
    const match = recorded[i]!.by === 'stack' ? STACK_MATCH : vague ? VAGUE_MATCH : MATCH;
    for (let j = 0; j < width; j++) {
      const other = j === 0 ? undefined : run[j - 1]!;
      const both = other !== undefined && other.key === key && compatible(recorded[i]!, other) ? row[j - 1]! + match : NEVER;
      const skipRecorded = row[j]! - gap;
      const skipRun = other === undefined ? NEVER : next[j - 1]! - other.cost;
      next[j] = Math.max(both, skipRecorded, skipRun);
      ways[(i + 1) * width + j] = next[j] === both ? STEP_BOTH : next[j] === skipRecorded ? STEP_RECORDED : STEP_RUN;
    }
    row = next;
  }

  let j = 0;
  for (let k = 1; k < width; k++) if (row[k]! > row[j]!) j = k;
  return wayBack(recorded, run, { ways, jumpFrom, land, leave }, j, deepest, tally);
}

/** Who called it, or for whom, or whether it was called anew, is not known: it counts if it fits, and may be somebody else's if not. */
const isVague = ({ by, ancestors, exact, detour }: Known): boolean => by === 'stack' || detour || (ancestors.length === 0 && !exact);

/** An outermost call that calls nothing known: anybody's. */
const isAlone = (recorded: readonly Known[], i: number): boolean =>
  recorded[i]!.ancestors.length === 0 && (recorded[i + 1]?.ancestors.length ?? 0) === 0;

interface Ways {
  readonly ways: Uint8Array;
  readonly jumpFrom: Int32Array;
  readonly land: (j: number) => number;
  readonly leave: (j: number) => number;
}

function wayBack(
  recorded: readonly Known[],
  run: readonly (Entered & { readonly cost: number })[],
  { ways, jumpFrom, land, leave }: Ways,
  end: number,
  deepest: number,
  tally: Tally,
): readonly Match[] {
  const width = run.length + 1;
  const matches: Match[] = [];
  const left: number[] = [];
  let i = recorded.length;
  let j = end;
  while (i > 0) {
    const way = ways[i * width + j]!;
    if ((way & JUMPED) !== 0) {
      const from = jumpFrom[i]!;
      if (land(j) + leave(from) > 0) note(tally.breaks, { name: nameOf(recorded[i]!.key), line: recorded[i]!.at });
      j = from;
    }
    switch (ways[i * width + j]! & 3) {
      case STEP_BOTH:
        matches.push({ recorded: recorded[--i]!, run: run[--j]! });
        break;
      case STEP_RECORDED:
        i--;
        if (isVague(recorded[i]!) || isAlone(recorded, i)) tally.foreign++;
        else note(tally.onlyInTrace, { name: nameOf(recorded[i]!.key), line: recorded[i]!.at });
        break;
      default:
        if (run[--j]!.cost > 0) left.push(j);
    }
  }
  tally.matched += matches.length;
  const deepestMatched = new Set(
    matches.filter(({ recorded: { depth } }) => deepest > 0 && depth === deepest).map(({ run: { key } }) => key),
  );
  for (const index of left) {
    const { key, run: own, step, ancestors } = run[index]!;
    // Below the last level that the tracer shows there may have been anything.
    if (ancestors[0] !== undefined && deepestMatched.has(ancestors[0])) continue;
    note(tally.onlyInRun, { name: nameOf(key), run: own, step });
  }
  return matches;
}

/** Whether what each side knows of the callers can be of the same call: a caller that one side lacks may have been inlined. */
function compatible({ ancestors: [caller, ...rest] }: Seen, { ancestors }: Entered): boolean {
  if (caller === undefined || ancestors[0] === undefined || caller === ancestors[0]) return true;
  return ancestors.includes(caller) || rest.includes(ancestors[0]);
}

/** An entry that hands over in the run is followed, in the recording too, by what it handed over to, as far as that one's threads were recorded on. */
function checkHandOvers(matches: readonly Match[], tally: Tally): void {
  const recordable = new Set(matches.map(({ run }) => run.key));
  /** What comes later, while going through the recording backwards. */
  const keys = new Set<string>();
  const lanes = new Set<Lane>();
  for (const { recorded, run } of matches.toSorted((a, b) => b.recorded.at - a.recorded.at)) {
    const to = run.to.filter(({ key }) => recordable.has(key));
    if (to.some(({ key }) => keys.has(key))) tally.kept++;
    else if (to.some(({ lane }) => lanes.has(lane)))
      note(tally.lost, { name: `${nameOf(run.key)} → ${to.map(({ key }) => nameOf(key)).join(' or ')}`, line: recorded.at });
    keys.add(run.key);
    lanes.add(run.lane);
  }
}
