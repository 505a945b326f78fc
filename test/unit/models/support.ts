import { source } from '../../../src/engine/fn';
import { createMachine, type Run } from '../../../src/engine/machine';
import { running } from '../../../src/engine/running';

/** Runs model functions on a machine of their own, outside of any flow. */

const { fn } = source('guest', 'test');
/** Tests may write cells like any function. */
const probe = fn('What a test does to a model.', function* probe(body: () => Run<unknown>) {
  return yield* body();
});

/**
 * Runs `body` on the one thread of a new machine and gives what it returns.
 * @throws Error if it waits for something that nobody brings about
 */
export function onMachine<T>(body: () => Run<T>, parameters: Readonly<Record<string, string>> = {}): T {
  let result: { readonly value: T } | undefined;
  const options = { parameters, seed: 0, stepLimit: Infinity, timeLimit: 0, stimuli: [], recording: false };
  const machine = createMachine(options, () => {
    running().thread('test', 'test', 'test', 0, function* () {
      result = { value: (yield* probe(body)) as T };
    });
  });
  machine.run();
  if (result === undefined) throw new Error('the model waits for something that never comes');
  return result.value;
}
