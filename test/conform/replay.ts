import { isDeepStrictEqual } from 'node:util';
import type { Adapter, Results, Subject } from './adapter';
import type { Leaf, Op, Scenario, State } from './recording';

/** Replays a scenario on models and compares all that they give with what was recorded. */

/** A value that the models have otherwise. */
export interface Mismatch {
  /** The operation's index in its scenario; -1 is the initial state. */
  readonly op: number;
  readonly name: string;
  /** The path of a register, or the name of a result. */
  readonly leaf: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** What became of a scenario. */
export interface Tally {
  readonly operations: number;
  readonly values: number;
  readonly mismatches: readonly Mismatch[];
  /** How often an operation was passed over, by its name. */
  readonly skipped: ReadonlyMap<string, number>;
}

/** Replays a scenario. Models that throw end it: that is a mismatch of the leaf `error`. */
export function replay(scenario: Scenario, adapter: Adapter): Tally {
  const mismatches: Mismatch[] = [];
  const skipped = new Map<string, number>();
  let values = 0;
  let operations = 0;
  const at = { op: -1, name: 'initial' };
  const check = (leaf: string, expected: unknown, got: unknown): void => {
    values++;
    if (!same(expected, got)) mismatches.push({ ...at, leaf, expected, got });
  };
  try {
    const subject: Subject = adapter.build(scenario);
    const expected = structuredClone(scenario.initial);
    compareState(expected, subject.state(), check);
    for (const [index, op] of scenario.ops.entries()) {
      Object.assign(at, { op: index, name: op.op });
      operations++;
      const results = subject.perform(op);
      if (results === undefined) skipped.set(op.op, (skipped.get(op.op) ?? 0) + 1);
      else compareResults(op, results, adapter, check);
      mergeInto(expected, op.state);
      compareState(expected, subject.state(), check);
    }
  } catch (error) {
    mismatches.push({ ...at, leaf: 'error', expected: undefined, got: error instanceof Error ? (error.stack ?? error.message) : error });
  }
  return { operations, values, mismatches, skipped };
}

type Check = (leaf: string, expected: unknown, got: unknown) => void;

function compareResults(op: Op, results: Results, { results: names }: Adapter, check: Check): void {
  // A recording writes null where there was nothing to give.
  for (const name of names) if (name in op || results[name] !== undefined) check(name, op[name] ?? undefined, results[name]);
}

/** Compares every register that the recording mentions. */
function compareState(expected: State, got: Leaf | State | undefined, check: Check, prefix = ''): void {
  for (const name in expected) {
    const want = expected[name]!;
    const have = isState(got) ? got[name] : undefined;
    if (isState(want)) compareState(want, have, check, `${prefix}${name}.`);
    else check(`${prefix}${name}`, want, have);
  }
}

/** The state after an operation: what changed, and the rest as it was. */
function mergeInto(state: { [name: string]: Leaf | State }, delta: State): void {
  for (const [name, value] of Object.entries(delta)) {
    const held = state[name];
    if (isState(value) && isState(held)) mergeInto(held, value);
    else state[name] = isState(value) ? structuredClone(value) : value;
  }
}

const isState = (value: Leaf | State | undefined): value is State => typeof value === 'object' && value !== null && !Array.isArray(value);

const same = (expected: unknown, got: unknown): boolean =>
  expected === got || (typeof expected === 'object' && isDeepStrictEqual(expected, got));
