import assert from 'node:assert/strict';
import type { FlowRun } from '../../../src/flows/flow';
import { callText, everyCall, prune, splice, type Call } from '../../../src/trace/call';
import type { Cut, RecordedEntry, Root, ThreadKind } from './support';

/** Comparing what runs and recordings did: as trees of calls, or as steps with what is known of their callers. */

/** Whether a call is excepted with everything below it, or by itself. `chain` is the way down to it, outermost first. */
export type Excepted = (leaveOut: 'tree' | 'call', call: Call, chain: readonly Call[]) => boolean;

/** What is left of calls when the exceptions have been applied and only the functions in `known` are kept, in the order in which they began. */
export function comparable(roots: readonly Root[], known: ReadonlySet<string>, excepted: Excepted): Root[] {
  const left = (call: Call): Call[] =>
    splice(
      prune([call], (inner, chain) => excepted('tree', inner, chain)),
      (inner) => known.has(inner.name) && !excepted('call', inner, []),
    );
  return roots.flatMap(({ kind, call }) => left(call).map((kept) => ({ kind, call: kept }))).sort((a, b) => a.call.at - b.call.at);
}

/** Cuts a sequence before each root that satisfies `starts`; what comes before the first is left out. */
export function cutAt(roots: readonly Root[], starts: (root: Root) => boolean): Root[][] {
  const pieces: Root[][] = [];
  for (const root of roots) {
    if (starts(root)) pieces.push([root]);
    else pieces.at(-1)?.push(root);
  }
  return pieces;
}

/** Both did the same, in the same order, on the same kinds of thread. */
export function agree(run: readonly Root[] | undefined, recorded: readonly Root[] | undefined): void {
  assert.ok(run && recorded && recorded.length > 0);
  assert.deepEqual(text(run).split('\n'), text(recorded).split('\n'));
}

/** Each kind of thread did the same. Which of two that can go on goes first is a scheduler's choice. */
export function agreePerThread(
  run: readonly Root[] | undefined,
  recorded: readonly Root[] | undefined,
  kinds: readonly ThreadKind[],
): void {
  for (const kind of kinds)
    agree(
      run?.filter((root) => root.kind === kind),
      recorded?.filter((root) => root.kind === kind),
    );
}

/** What a run did, in pieces, one from each entry of `name` to the next. */
export function piecesFrom<T>({ journal }: FlowRun, name: string, items: readonly T[], at: (item: T) => number): T[][] {
  const starts = Array.from({ length: journal.length }, (_, n) => n).filter(
    (n) => journal.kind(n) === 'enter' && journal.step(n).site.fn.name === name,
  );
  return starts.map((start, index) => items.filter((item) => at(item) >= start && at(item) < (starts[index + 1] ?? Infinity)));
}

export const rootAt = ({ call }: Root): number => call.at;
export const stepAt = ({ at }: Step): number => at;

export const text = (roots: readonly Root[]): string => roots.map(({ kind, call }) => `[${kind}]\n${callText([call], 1)}`).join('');

export const namesOf = (roots: readonly Root[]): ReadonlySet<string> =>
  new Set(roots.flatMap(({ call }) => [...everyCall(call)].map(({ name }) => name)));

const has = (call: Call, wanted: (inner: Call) => boolean): boolean => [...everyCall(call)].some(wanted);
export const calls = (call: Call, name: string): boolean => has(call, (inner) => inner.name === name);
export const notes = (call: Call, text: string): boolean => has(call, (inner) => inner.notes.some((note) => note.includes(text)));
export const within = (chain: readonly Call[], name: string): boolean => chain.some((outer) => outer.name === name);

/** A function's entry: on which kind of thread, and what is known of who called it, innermost first. */
export interface Step {
  readonly at: number;
  readonly kind: ThreadKind;
  readonly name: string;
  readonly ancestors: readonly string[];
}

/** What entries say of the functions in `known`, without those that are excepted. */
export function recordedSteps(
  entries: readonly RecordedEntry[],
  known: ReadonlySet<string>,
  excepted: (entry: RecordedEntry, previous: RecordedEntry | undefined) => boolean,
): Step[] {
  return entries
    .filter(({ kind }) => kind === 'entry')
    .filter((entry, index, all) => known.has(entry.name) && !excepted(entry, all[index - 1]))
    .map(({ at, thread, name, caller, stack: [, ...stack] }) => ({
      at,
      kind: thread,
      name,
      ancestors: stack.length > 0 || caller === undefined ? stack : [caller],
    }));
}

/** The entries of a cut up to a trace event of QEMU's own. */
export function entriesUntil({ entries }: Cut, event: string): readonly RecordedEntry[] {
  const end = entries.findIndex(
    ({ kind, name, details }) => kind === 'note' && name === 'tracing_mark_write' && details.startsWith(`${event} `),
  );
  assert.notEqual(end, -1, `the recording has no event ${event}`);
  return entries.slice(0, end);
}

/** The functions in `known` that calls of a run entered, in order. */
export function stepsOf(roots: readonly Root[], known: ReadonlySet<string>): Step[] {
  const walk = (kind: ThreadKind, call: Call, ancestors: readonly string[]): Step[] => [
    { at: call.at, kind, name: call.name, ancestors },
    ...call.calls.flatMap((inner) => walk(kind, inner, [call.name, ...ancestors])),
  ];
  return roots
    .flatMap(({ kind, call }) => walk(kind, call, []))
    .filter(({ name }) => known.has(name))
    .sort((a, b) => a.at - b.at);
}

/** Both entered the same functions in the same order; what the recording saw of a stack is in the run's stack, in that order. */
export function agreeInSteps(run: readonly Step[], recorded: readonly Step[], functions: ReadonlySet<string>): void {
  const entries = (steps: readonly Step[]) => steps.map(({ kind, name }) => `${kind} ${name}`);
  assert.ok(recorded.length > 0);
  assert.deepEqual(entries(run), entries(recorded));
  for (const [index, { name, ancestors }] of recorded.entries()) {
    const seen = ancestors.filter((ancestor) => functions.has(ancestor));
    const held = [...(run[index]?.ancestors ?? [])];
    const missing = seen.find((ancestor) => held.splice(0, held.indexOf(ancestor) + 1).length === 0);
    assert.equal(
      missing,
      undefined,
      `${name} was called below ${ancestors.join(' < ')}; in the run, below ${run[index]?.ancestors.join(' < ')}`,
    );
  }
}
