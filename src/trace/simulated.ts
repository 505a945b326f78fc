import type { FnInfo } from '../engine/fn';
import { NO_STEP, type Journal, type Step } from '../engine/journal';
import { contextKind, type ContextKind } from '../flows/contexts';
import type { FlowRun } from '../flows/flow';
import { KERNEL_EVENTS, USER_EVENTS, type Emitter } from './events';
import { keyOf, type Lane } from './recorded';

/** A run in the form of a recording: functions that were entered, thread by thread, and who handed over to whom. */

/** That a run entered a function, or left one whose end an event tells of. */
export interface Entered {
  readonly key: string;
  readonly run: FlowRun;
  readonly step: number;
  readonly lane: Lane;
  /** Innermost first. */
  readonly ancestors: readonly string[];
  /** Whether it begins what the thread does after somebody handed over to it, or ends that. */
  readonly first: boolean;
  readonly last: boolean;
  /** What begins where this entry's thread handed over, before it entered another. */
  readonly to: readonly HandedOver[];
}

/** What a thread does first after a hand-over. */
export interface HandedOver {
  readonly key: string;
  readonly lane: Lane;
}

/** The contexts that no tracer of the host sees. */
const UNSEEN: ReadonlySet<string> = new Set(['guest', 'device'] satisfies ContextKind[]);

function laneOf(context: string): Lane {
  const kind = contextKind(context);
  return kind === 'hardirq' || kind === 'kworker' ? kind : 'task';
}

const worldOf = (world: string): 'kernel' | 'user' | undefined => {
  switch (world) {
    case 'linux':
      return 'kernel';
    case 'qemu':
      return 'user';
    default:
      return undefined;
  }
};

/** By name: the functions whose end an event tells of, and behind which of their calls it comes if not behind them. */
const RETURNS: ReadonlyMap<string, Emitter> = new Map(
  [...KERNEL_EVENTS.values(), ...USER_EVENTS.values()].filter(({ when }) => when === 'return').map((emitter) => [emitter.name, emitter]),
);

/** The function whose end an event tells of where a step returns from a function, and the step that entered it. */
function ended(journal: Journal, { parent, site: { fn } }: Step): { readonly fn: FnInfo; readonly entered: number } | undefined {
  const caller = journal.parent(parent);
  const around = caller === NO_STEP ? undefined : journal.step(caller).site.fn;
  if (around !== undefined && RETURNS.get(around.name)?.behind === fn.name) return { fn: around, entered: caller };
  const own = RETURNS.get(fn.name);
  return own !== undefined && own.behind === undefined ? { fn, entered: parent } : undefined;
}

/** Functions that last over a hand-over to their own thread: loops, and whatever waits. A recording shows each once, or never. */
export function waiting({ journal }: FlowRun): ReadonlySet<string> {
  const found = new Set<number>();
  for (let n = 0; n < journal.length; n++) {
    const step = journal.step(n);
    if (step.cause === NO_STEP) continue;
    for (let outer = step.parent; outer !== NO_STEP && !found.has(outer); outer = journal.parent(outer)) found.add(outer);
  }
  return new Set(
    [...found].flatMap((n) => {
      const { fn } = journal.step(n).site;
      const world = worldOf(fn.home.world);
      return world === undefined ? [] : [keyOf(world, fn.name)];
    }),
  );
}

/** Every function of the host that a run enters, thread after thread, as far as `known` has it. */
export function entered(run: FlowRun, known: (key: string) => boolean): readonly Entered[] {
  const { journal, threads } = run;
  const perThread = threads.map((): Draft[] => []);
  /** By thread: the piece that runs there now. A piece is what a thread does after somebody handed over to it. */
  const pieces: Piece[] = threads.map(() => ({ from: undefined }));
  const ancestorsOf = new Map<number, readonly string[]>();
  /** What a thread had entered last when it signalled, by step. */
  const latestAt = new Map<number, Draft | undefined>();
  const enter = (thread: number, entry: Pick<Draft, 'key' | 'step' | 'lane' | 'ancestors'>): void => {
    const piece = pieces[thread]!;
    const drafts = perThread[thread]!;
    if (piece !== drafts.at(-1)?.piece) piece.from?.to.push({ key: entry.key, lane: entry.lane });
    drafts.push({ ...entry, piece, to: [] });
  };

  for (let n = 0; n < journal.length; n++) {
    const step = journal.step(n);
    const thread = threads[step.thread]!;
    if (step.kind === 'signal') latestAt.set(n, perThread[step.thread]!.at(-1));
    if (UNSEEN.has(contextKind(thread.context))) continue;
    if (step.cause !== NO_STEP) pieces[step.thread] = { from: latestAt.get(step.cause) };
    const world = worldOf(step.site.fn.home.world);
    // The kernel's stack begins where the program entered it.
    const outer = (ancestorsOf.get(step.parent) ?? []).filter((key) => world !== undefined && key.startsWith(world));
    if (step.kind === 'enter') {
      const key = world === undefined ? undefined : keyOf(world, step.site.fn.name);
      const kept = key !== undefined && known(key);
      ancestorsOf.set(n, kept ? [key, ...outer] : (ancestorsOf.get(step.parent) ?? []));
      if (kept) enter(step.thread, { key, step: n, lane: laneOf(thread.context), ancestors: outer });
    } else if (step.kind === 'return') {
      const end = ended(journal, step);
      const endWorld = end === undefined ? undefined : worldOf(end.fn.home.world);
      if (end === undefined || endWorld === undefined) continue;
      const key = keyOf(endWorld, end.fn.name, 'return');
      const around = (ancestorsOf.get(end.entered) ?? []).filter((each) => each.startsWith(endWorld));
      if (known(key)) enter(step.thread, { key, step: n, lane: laneOf(thread.context), ancestors: around });
    }
  }
  return perThread.flatMap((drafts) =>
    drafts.map(({ piece, ...rest }, index) => {
      const first = piece !== drafts[index - 1]?.piece;
      return { ...rest, run, first, last: piece !== drafts[index + 1]?.piece };
    }),
  );
}

interface Piece {
  /** The entry that handed over, if it is known. */
  readonly from: Draft | undefined;
}

type Draft = Pick<Entered, 'key' | 'step' | 'lane' | 'ancestors'> & { readonly piece: Piece; readonly to: HandedOver[] };
