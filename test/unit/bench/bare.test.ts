import { test } from 'node:test';
import { bareMachine } from '../../bench/bare/machine';
import * as steps from '../../bench/bare/steps';

/** The bench runs chips without the engine: all that models say while they run must be there for them, too. */

/** Those that wait are generators, and say nothing until they are asked to. */
const say = (what: unknown): unknown => (what as (...words: readonly string[]) => unknown)('token', 'token', 'token');

for (const [name, step] of Object.entries(steps)) test(`a bare model may say ${name}`, () => bareMachine({})(() => void say(step)));

test('a bare model goes on where another would give way', () => {
  bareMachine({})(() => void steps.preempt().next());
});
