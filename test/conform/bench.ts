import { source } from '../../src/engine/fn';
import { createMachine, type Machine, type Parameters, type Run } from '../../src/engine/machine';
import { running } from '../../src/engine/running';
import { until } from '../../src/engine/steps';

/** A machine that does one thing at a time, and comes to rest after each: work that it left for other threads included. */
export interface Bench {
  readonly machine: Machine;
  /** Runs `body` on the bench's own thread and gives what it returns. Throws if it waits for what never comes. */
  readonly perform: <T>(body: () => Run<T>) => T;
}

const { fn } = source('guest', 'bench');
const step = fn('What is done to the models from outside.', function* step(body: () => Run<unknown>) {
  return yield* body();
});

/** Makes a machine and lets `setUp` build what is on it. `recording`: whether it keeps a journal. */
export function createBench<T>(parameters: Parameters, setUp: () => T, recording = false): { readonly bench: Bench; readonly made: T } {
  let made: { readonly value: T } | undefined;
  const asked: (() => Run<unknown>)[] = [];
  let result: { readonly value: unknown } | undefined;
  const options = { parameters, seed: 0, stepLimit: Infinity, timeLimit: Number.MAX_VALUE, stimuli: [], recording };
  const machine = createMachine(options, () => {
    made = { value: setUp() };
    running().thread('bench', 'bench', 'bench', 0, function* () {
      for (;;) {
        yield* until(() => asked.length > 0);
        result = { value: yield* step(asked.shift()!) };
      }
    });
  });
  const perform = <R>(body: () => Run<R>): R => {
    result = undefined;
    asked.push(body);
    machine.run();
    if (result === undefined) throw new Error('the models wait for something that never comes');
    return (result as { readonly value: R }).value;
  };
  return { bench: { machine, perform }, made: made!.value };
}
