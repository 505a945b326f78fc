import { t } from '@vscode/l10n';
import type { Call } from './call';
import { parseLine, type Line, type Task, type TracedWorld } from './line';

/** Reads ftrace text line by line into trees of calls and entries with their ancestors. */

/** A call that nothing traced called, once it has ended, with everything below it. */
export interface CallTree {
  readonly kind: 'call';
  readonly at: number;
  readonly task: Task;
  readonly call: Call;
}

/** A function's entry, or a note outside of any call, with the stack that was recorded for it. */
export interface Entry {
  readonly kind: 'entry' | 'note';
  readonly at: number;
  readonly task: Task;
  readonly context: Call['context'];
  /** The function's name; of a note, the event's. */
  readonly name: string;
  readonly details: string;
  /** Split off by the compiler from the function with this name, which stands before. */
  readonly part: boolean;
  readonly caller: string | undefined;
  /** Of an entry: whose function it is. */
  readonly world: TracedWorld;
  /** The recorded stack, innermost first, as far as its addresses had names. Empty if none was recorded. */
  readonly stack: readonly string[];
  /** Whose functions the stack's are. */
  readonly stackWorld: TracedWorld;
}

/** A new cut of the recording begins: what was open in the one before has no end there. */
export interface Window {
  readonly kind: 'window';
  readonly at: number;
  readonly title: string;
}

export type TraceItem = Window | CallTree | Entry;

/** A line that was passed over: which one (from 1), and what was expected there. */
export interface Skip {
  readonly at: number;
  readonly expected: string;
}

interface OpenCall {
  readonly call: Call & { readonly notes: string[]; readonly calls: Call[] };
  readonly depth: number;
}

interface TaskState {
  readonly task: Task;
  readonly open: OpenCall[];
  /** Calls and notes in the tree that is open. */
  size: number;
  pending: (Entry & { readonly stack: string[]; stackWorld: TracedWorld }) | undefined;
}

/** Bounds on what is held at a time, whatever a file says. */
const MAX_TASKS = 4096;
const MAX_DEPTH = 1024;
const MAX_TREE = 200_000;
const MAX_FRAMES = 256;

/** What a stack shows of the tracer itself. */
const TRACER_FRAMES: ReadonlySet<string> = new Set(['ftrace_call', 'ftrace_regs_call', 'ftrace_trampoline']);

/**
 * Reads a recording. Items come when they are complete; `at` says in which order they began.
 * Memory is bounded by the outermost calls that are open at a time. Never throws for what a line holds.
 * @param skipped hears of every line that is passed over
 */
export function* readTrace(lines: Iterable<string>, skipped: (skip: Skip) => void = () => {}): Generator<TraceItem, void, void> {
  const tasks = new Map<string, TaskState>();
  let stackOf: TaskState | undefined;
  let at = 0;
  const skip = (expected: string): void => skipped({ at, expected });

  for (const raw of lines) {
    at++;
    const line = parseLine(raw);
    if (line.kind === 'nothing') continue;
    if (line.kind === 'frame') {
      if (stackOf?.pending === undefined) skip(t('a stack frame only below the entry that it belongs to'));
      else addFrame(stackOf.pending.stack, line.symbol?.name);
      continue;
    }
    stackOf = undefined;
    if (line.kind === 'malformed') {
      skip(line.expected);
    } else if (line.kind === 'window') {
      yield* finish(tasks);
      yield { kind: 'window', at, title: line.title };
    } else {
      const state = yield* stateOf(tasks, line.task);
      if (line.kind === 'stack') {
        stackOf = state;
        if (state.pending !== undefined) state.pending.stackWorld = line.world;
      } else yield* take(state, line, at, skip);
    }
  }
  yield* finish(tasks);
}

type TaskLine = Extract<Line, { readonly task: Task }>;

/** What a line adds to its task's calls. */
function* take(
  state: TaskState,
  line: Exclude<TaskLine, { readonly kind: 'stack' }>,
  at: number,
  skip: (expected: string) => void,
): Generator<TraceItem, void, void> {
  yield* takePending(state);
  switch (line.kind) {
    case 'entry':
      state.pending = {
        kind: 'entry',
        at,
        ...line.symbol,
        caller: line.caller?.name,
        details: line.details,
        world: line.world,
        ...where(line),
      };
      return;
    case 'note':
      if (state.open.length > 0) addNote(state, line.text, skip);
      else state.pending = { kind: 'note', at, part: false, caller: undefined, world: 'kernel', ...eventOf(line.text), ...where(line) };
      return;
    case 'close':
      yield* closeDownTo(state, line.depth + 1);
      if (state.open.at(-1)?.depth === line.depth) yield* closeDownTo(state, line.depth);
      else skip(t('the end of a call whose beginning was recorded'));
      return;
    case 'open':
    case 'leaf':
      yield* closeDownTo(state, line.depth);
      if (state.open.length >= MAX_DEPTH || state.size >= MAX_TREE)
        skip(t('at most {0} calls in each other and {1} in a tree', MAX_DEPTH, MAX_TREE));
      else openCall(state, line, at);
      if (line.kind === 'leaf') yield* closeDownTo(state, line.depth);
  }
}

const where = ({ task, context }: TaskLine) => ({ task, context, stack: [], stackWorld: 'kernel' as TracedWorld });

/** `kvm_inj_virq: IRQ 0x26` → the event and what it says. */
export function eventOf(text: string): { readonly name: string; readonly details: string } {
  const colon = text.indexOf(': ');
  return colon === -1 ? { name: text, details: '' } : { name: text.slice(0, colon), details: text.slice(colon + 2) };
}

/** The idle tasks of all processors share a number, so the processor tells them apart. */
function* stateOf(tasks: Map<string, TaskState>, task: Task): Generator<TraceItem, TaskState, void> {
  const key = task.pid === 0 ? `idle ${task.cpu}` : String(task.pid);
  let state = tasks.get(key);
  if (state === undefined) {
    if (tasks.size >= MAX_TASKS) yield* finish(tasks);
    state = { task, open: [], size: 0, pending: undefined };
    tasks.set(key, state);
  }
  return state;
}

function openCall(state: TaskState, { symbol, depth, context }: Extract<TaskLine, { readonly kind: 'open' | 'leaf' }>, at: number): void {
  const caller = state.open.at(-1)?.call;
  // What the compiler split off a function and called from its rest is the same call.
  const same = symbol.part && caller?.name === symbol.name ? caller : undefined;
  const call = same ?? { name: symbol.name, at, context, part: symbol.part, notes: [], calls: [] };
  if (same === undefined) caller?.calls.push(call);
  state.open.push({ call, depth });
  state.size++;
}

function addNote(state: TaskState, text: string, skip: (expected: string) => void): void {
  if (state.size >= MAX_TREE) return skip(t('at most {0} notes in a tree', MAX_TREE));
  state.open.at(-1)?.call.notes.push(text);
  state.size++;
}

/** Ends every open call at `depth` or deeper. */
function* closeDownTo(state: TaskState, depth: number): Generator<CallTree, void, void> {
  for (let last = state.open.at(-1); last !== undefined && last.depth >= depth; last = state.open.at(-1)) {
    state.open.pop();
    if (state.open.length > 0) continue;
    state.size = 0;
    yield { kind: 'call', at: last.call.at, task: state.task, call: last.call };
  }
}

function* takePending(state: TaskState): Generator<Entry, void, void> {
  if (state.pending !== undefined) yield state.pending;
  state.pending = undefined;
}

function* finish(tasks: Map<string, TaskState>): Generator<TraceItem, void, void> {
  for (const state of tasks.values()) {
    yield* takePending(state);
    yield* closeDownTo(state, 0);
  }
  tasks.clear();
}

function addFrame(stack: string[], name: string | undefined): void {
  if (name !== undefined && !TRACER_FRAMES.has(name) && stack.length < MAX_FRAMES) stack.push(name);
}
