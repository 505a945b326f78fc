import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import type { StepKind } from '../../../src/engine/journal';
import { handoversTo } from '../../../src/flows/handovers';
import { createSample } from '../../webview/sample';

const THREADS = [{ context: 'device' }, { context: 'vcpu' }, { context: 'guest' }];

/** Runs with any hand-overs: each step in any of three threads, brought about by any earlier step. */
const journals = fc
  .array(
    fc.record({
      kind: fc.constantFrom<StepKind[]>('enter', 'at', 'return', 'signal'),
      thread: fc.nat(2),
      depth: fc.nat(3),
      back: fc.option(fc.nat(20), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => ({
    length: steps.length,
    kind: (n: number) => steps[n]!.kind,
    thread: (n: number) => steps[n]!.thread,
    depth: (n: number) => steps[n]!.depth,
    cause: (n: number) => Math.max(-1, n - 1 - (steps[n]!.back ?? n)),
  }));

test('the way to any step ends, and goes back in time through the threads that it names', () => {
  fc.assert(
    fc.property(journals, (journal) => {
      const way = handoversTo({ journal, threads: THREADS }, journal.length - 1);
      way.forEach(({ cause, step }, index) => {
        const before = way[index - 1]?.cause ?? journal.length - 1;
        assert.ok(cause < step && step <= before);
        assert.equal(journal.cause(step), cause);
        assert.equal(journal.thread(step), journal.thread(before));
      });
    }),
  );
});

test('the way to the unmasking in the sample is told as people tell it', () => {
  const { run, steps, positionAt } = createSample(1);
  const unmasking = steps.findLastIndex(({ anchor }) => anchor === 'masked');
  const told = positionAt(unmasking).way.map(({ lane, edge }) => [run.lanes[lane]?.context, edge]);
  assert.deepEqual(told.toReversed(), [
    ['device', 'hardirq'],
    ['hardirq', 'workqueue'],
    ['kworker', 'vmexit'],
    ['vcpu', 'vmentry'],
    ['guest', 'vmexit'],
  ]);
});
