/** What a recording and a run have in common: calls within calls, and the context that they ran in. */

/** What kind of execution context a call was made in, as the kernel's trace flags tell it. */
export type Context = 'hardirq' | 'softirq' | 'task';

/** One call of a function, with the calls that it made. */
export interface Call {
  readonly name: string;
  /** Where it begins: a line number of a recording, or a step of a run. Orders calls of different tasks. */
  readonly at: number;
  readonly context: Context;
  /** Seen by a half that the compiler split off, without its beginning. */
  readonly part: boolean;
  /** Trace events and probe lines while this was the innermost call. */
  readonly notes: readonly string[];
  readonly calls: readonly Call[];
}

/** Leaves out every call that does not satisfy `keep`; what it called moves up into its place. */
export function splice(calls: readonly Call[], keep: (call: Call) => boolean): Call[] {
  return calls.flatMap((call) => {
    const inner = splice(call.calls, keep);
    return keep(call) ? [{ ...call, calls: inner }] : inner;
  });
}

/** Leaves out calls together with everything that they called. `chain` is the way down to the call, outermost first. */
export function prune(calls: readonly Call[], drop: (call: Call, chain: readonly Call[]) => boolean, chain: readonly Call[] = []): Call[] {
  return calls.filter((call) => !drop(call, chain)).map((call) => ({ ...call, calls: prune(call.calls, drop, [...chain, call]) }));
}

/** A call and everything below it, in the order in which they began. */
export function* everyCall(call: Call): Generator<Call> {
  yield call;
  for (const inner of call.calls) yield* everyCall(inner);
}

/** Calls as indented text, one per line. */
export function callText(calls: readonly Call[], depth = 0): string {
  return calls.map(({ name, calls: inner }) => `${'  '.repeat(depth)}${name}\n${callText(inner, depth + 1)}`).join('');
}
