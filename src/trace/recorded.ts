import type { Call } from './call';
import { KERNEL_EVENTS, USER_EVENTS } from './events';
import type { Task, TracedWorld } from './line';
import { eventOf, type Entry, type TraceItem } from './read';

/** A recording as one kind of thing: functions that were entered, whatever the tracer was that saw them. */

/** The kinds of thread that a recording tells apart. */
export type Lane = 'hardirq' | 'kworker' | 'task';

/** That a function was entered (or, where only an event at its end tells of it, left). */
export interface Seen {
  /** `kernel vfio_intx_handler`: as `keyOf` makes it. */
  readonly key: string;
  /** The line. */
  readonly at: number;
  readonly lane: Lane;
  /** Who ran: unique for a task and lane. */
  readonly sequence: string;
  /** What is known of the callers, innermost first. */
  readonly ancestors: readonly string[];
  /** Whether `ancestors` are all that there are within the outermost call that was traced. */
  readonly exact: boolean;
  /** Calls that are open around it in function_graph text; 0 elsewhere. */
  readonly depth: number;
  /** Seen on somebody's stack only: whether it was entered anew nobody knows. Or told by an event that it emits. */
  readonly by: 'entry' | 'stack' | 'event';
  /** A half that the compiler split off: of calls that end in the other half nothing is seen. */
  readonly part: boolean;
}

/** A function as recordings name it: QEMU and the kernel have some of the same name. An event at a function's end is a key of its own. */
export const keyOf = (world: TracedWorld, name: string, when: 'entry' | 'return' = 'entry'): string =>
  when === 'entry' ? `${world} ${name}` : `${world} ${name} returns`;

/** More threads than that are followed one after the other, not all at a time. */
const MAX_PATHS = 4096;

/** What stands between the function that emits an event and the tracer. */
const TRACER = /^(__traceiter_|trace_event_|__bpf_trace_|perf_trace_|event_triggers_)/;

/** The functions that a recording's items tell of, in the order of each thread. A window's beginning is passed on. */
export function* seen(items: Iterable<TraceItem>): Generator<Seen | { readonly window: string }, void, void> {
  /** By sequence. */
  const paths = new Map<string, Path>();
  for (const item of items) {
    switch (item.kind) {
      case 'window':
        paths.clear();
        yield { window: item.title };
        break;
      case 'call':
        yield* seenInTree(item.call, item.task, item.call.context, []);
        break;
      case 'entry':
      case 'note':
        yield* seenInEntry(item, paths);
    }
  }
}

function laneOf(context: Call['context'], { comm }: Task): Lane {
  if (context !== 'task') return 'hardirq';
  return comm.startsWith('kworker') ? 'kworker' : 'task';
}

const sequenceOf = (context: Call['context'], { pid, cpu }: Task): string => (context === 'task' ? `${pid}` : `${context} ${cpu}`);

function* seenInTree(call: Call, task: Task, outer: Call['context'], ancestors: readonly string[]): Generator<Seen, void, void> {
  const { context } = call;
  // An interrupt hits whatever runs: what it hit did not call it.
  const above = context === outer ? ancestors : [];
  const key = keyOf('kernel', call.name);
  const where = { at: call.at, lane: laneOf(context, task), sequence: sequenceOf(context, task), depth: ancestors.length, exact: true };
  yield { key, ancestors: above, by: 'entry', part: call.part, ...where };
  for (const note of call.notes) yield* seenInNote(note, where, [key, ...above]);
  for (const inner of call.calls) yield* seenInTree(inner, task, context, [key, ...above]);
}

/** What a trace event inside of a call says. */
function* seenInNote(
  note: string,
  where: Omit<Seen, 'key' | 'ancestors' | 'by' | 'part'>,
  ancestors: readonly string[],
): Generator<Seen, void, void> {
  const { name, details } = eventOf(note);
  const event = functionOfEvent(name, details);
  if (event !== undefined) yield { key: event, ancestors, by: 'event', part: false, ...where };
}

function* seenInEntry(entry: Entry, paths: Map<string, Path>): Generator<Seen, void, void> {
  const { at, task, context, stack, stackWorld, part } = entry;
  const where = { at, lane: laneOf(context, task), sequence: sequenceOf(context, task), depth: 0 };
  const frames = stack.filter((name) => !TRACER.test(name)).map((name) => keyOf(stackWorld, name));
  const event = entry.kind === 'note' ? functionOfEvent(entry.name, entry.details) : undefined;
  const own = entry.kind === 'entry' ? keyOf(entry.world, entry.name) : (event ?? frames[0]);
  if (own === undefined) return;
  const by = entry.kind === 'entry' ? 'entry' : event === undefined ? 'stack' : 'event';
  const world: TracedWorld = own.startsWith('kernel ') ? 'kernel' : 'user';
  // A program's stack and the kernel's are recorded apart.
  const pathIn = (of: TracedWorld): Path => pathOf(paths, `${of} ${where.sequence}`);
  if (isSystemCall(entry)) pathIn('kernel').length = 0;

  if (frames.length === 0 && entry.caller === undefined) {
    close(pathIn(world), ENDS.get(own));
    yield { key: own, ancestors: [], exact: false, by, part, ...where };
    return;
  }
  const outer = frames.length === 0 ? [keyOf(entry.world, entry.caller!)] : frames[0] === own ? frames.slice(1) : frames;
  const path = pathIn(frames.length > 0 ? stackWorld : world);
  const { open, opened } = follow(path, outer);
  if (frames.length > 0) for (const { key, ancestors } of opened) yield { key, ancestors, exact: true, by: 'stack', part: false, ...where };
  // A program's function, or a system call's stub, has no frame of its own yet, and the one that is passed over for it is its caller's.
  const callerLacks = entry.kind === 'entry' && stackWorld === 'user' && frames.length > 0;
  // Where the program was does not tell who called in the kernel.
  if (frames.length > 0 && world !== stackWorld) {
    path.length = Math.min(path.length, callerLacks ? open + 1 : open);
    yield { key: own, ancestors: [], exact: false, by, part, ...where };
    return;
  }
  // A half that the compiler split off is entered right behind the other one, or instead of it.
  if (part && path.at(-1)?.key === own) return;
  path.length = Math.min(path.length, callerLacks ? open + 1 : open);
  yield { key: own, ancestors: keysInward(path), exact: frames.length > 0 && world === 'kernel', by, part, ...where };
  path.push({ key: own, callerLacks: callerLacks && path.length === open });
}

/** `sys_ioctl(…)`: it begins anew in the kernel. */
const isSystemCall = ({ kind, world, caller, stack, stackWorld }: Entry): boolean =>
  kind === 'entry' && world === 'kernel' && caller === undefined && (stack.length === 0 || stackWorld === 'user');

/**
 * Brings a path in line with a stack, which is given innermost first. The result: how many functions of the path the stack
 * has open, and which of them had not been seen to be open.
 */
function follow(
  path: Path,
  stack: readonly string[],
): { readonly open: number; readonly opened: readonly { readonly key: string; readonly ancestors: readonly string[] }[] } {
  const opened: { readonly key: string; readonly ancestors: readonly string[] }[] = [];
  // Stacks are cut at their outer end, so the outermost frame may lie within what is open or around it.
  const outward = stack.toReversed();
  const known = outward.findIndex((frame) => path.some(({ key }) => key === frame));
  let open = 0;
  for (const key of known === -1 ? outward : outward.slice(known)) {
    const found = path.findIndex((each, index) => index >= open && each.key === key);
    const next = path[open];
    if (found !== -1) {
      open = found + 1;
    } else if (next?.callerLacks === true) {
      // Of what is open at this place the caller was not known: here it is.
      next.callerLacks = false;
      path.splice(open++, 0, { key, callerLacks: false });
    } else {
      path.length = open;
      opened.push({ key, ancestors: keysInward(path) });
      open = path.push({ key, callerLacks: false });
    }
  }
  return { open, opened };
}

/** The functions that are open as far as callers and stacks tell, outermost first. */
type Path = { readonly key: string; /** There is a caller between it and the one before. */ callerLacks: boolean }[];

/** By the key of an event at a function's end: the function. */
const ENDS: ReadonlyMap<string, string> = new Map(
  [...KERNEL_EVENTS.values(), ...USER_EVENTS.values()].flatMap(({ name, when, behind }) =>
    when === 'entry' || behind !== undefined
      ? []
      : (['kernel', 'user'] as const).map((world): [string, string] => [keyOf(world, name, 'return'), keyOf(world, name)]),
  ),
);

/** A function has ended, and what it called. */
function close(path: Path, ended: string | undefined): void {
  const index = path.findIndex(({ key }) => key === ended);
  if (index !== -1) path.length = index;
}

/** Innermost first. */
const keysInward = (path: Path): readonly string[] => path.map(({ key }) => key).toReversed();

function pathOf(paths: Map<string, Path>, key: string): Path {
  const known = paths.get(key);
  if (known !== undefined) return known;
  if (paths.size >= MAX_PATHS) paths.clear();
  const path: Path = [];
  paths.set(key, path);
  return path;
}

/** The function that emits a trace event, or that a workqueue event is about. */
function functionOfEvent(name: string, details: string): string | undefined {
  // QEMU writes its own events as `name arguments`.
  if (name === 'tracing_mark_write') return userEvent(details);
  if (name === 'workqueue_execute_start') {
    const work = /\bfunction (\w+)/.exec(details)?.[1];
    return work === undefined ? undefined : keyOf('kernel', work);
  }
  const emitter = KERNEL_EVENTS.get(name);
  // `(symbol+0x0/0x10) …` is a probe's, not the event's.
  if (emitter !== undefined && !details.startsWith('(')) return keyOf('kernel', emitter.name, emitter.when);
  return details === '' ? userEvent(name) : undefined;
}

function userEvent(text: string): string | undefined {
  const emitter = USER_EVENTS.get(/^\w+/.exec(text)?.[0] ?? '');
  return emitter && keyOf('user', emitter.name, emitter.when);
}

/** What occurs in a recording: functions whose entries were seen, those that events tell of, and those on stacks or in halves only. */
export interface Names {
  readonly entry: ReadonlySet<string>;
  readonly event: ReadonlySet<string>;
  readonly stack: ReadonlySet<string>;
  /** The most calls in each other that function_graph shows. */
  readonly deepest: number;
}

export function namesSeen(items: Iterable<TraceItem>): Names {
  const names = { entry: new Set<string>(), event: new Set<string>(), stack: new Set<string>() };
  let deepest = 0;
  for (const each of seen(items)) {
    if ('window' in each) continue;
    names[each.part ? 'stack' : each.by].add(each.key);
    deepest = Math.max(deepest, each.depth);
  }
  // Of a function whose entries are recorded an event says nothing new.
  for (const key of names.event) if (names.entry.has(key.replace(/ returns$/, ''))) names.event.delete(key);
  return { ...names, deepest };
}
