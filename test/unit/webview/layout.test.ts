import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { DETAILS } from '../../../src/webview/host';
import type { StepRow } from '../../../src/webview/protocol';
import { hopsTo, layOut, rowAtHeight, rowOfStep, ROW_HEIGHT } from '../../../src/webview/sequence/layout';
import { createSample } from '../../webview/sample';

/** Runs with any hand-overs: each step in any of three lanes, brought about by any earlier step. */
const runs = fc
  .array(
    fc.record({
      kind: fc.constantFrom<StepRow['kind'][]>('enter', 'at', 'return', 'signal'),
      lane: fc.nat(2),
      depth: fc.nat(3),
      back: fc.option(fc.nat(20), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((rows) =>
    rows.map(({ kind, lane, depth, back }, n): StepRow => {
      const step = { n, kind, lane, depth, symbol: `f${depth}`, world: 'linux', writes: false };
      return back === undefined || back >= n ? step : { ...step, cause: n - 1 - back };
    }),
  );
const details = fc.constantFrom(...DETAILS);

test('rows do not overlap, and each is found by its step and by its height', () => {
  fc.assert(
    fc.property(runs, details, fc.boolean(), (steps, detail, returns) => {
      const layout = layOut(steps, detail, returns);
      layout.rows.forEach((step, row) => {
        assert.ok((layout.tops[row + 1] ?? 0) - (layout.tops[row] ?? 0) >= ROW_HEIGHT);
        assert.equal(rowOfStep(layout, step), row);
        assert.equal(rowAtHeight(layout, (layout.tops[row] ?? 0) + 1), row);
      });
    }),
  );
});

test('an arrow leads down, from the lane of the cause to the lane of the effect', () => {
  fc.assert(
    fc.property(runs, details, fc.boolean(), (steps, detail, returns) => {
      const layout = layOut(steps, detail, returns);
      const laneOf = (row: number) => steps[layout.rows[row] ?? -1]?.lane;
      for (const { from, to, step } of layout.arrows) {
        const effect = steps[step];
        assert.ok(from < to);
        assert.equal(laneOf(to), effect?.lane);
        assert.equal(laneOf(from), steps[effect?.cause ?? -1]?.lane);
        assert.notEqual(laneOf(from), laneOf(to));
      }
    }),
  );
});

test('the way to any step ends, and goes back in time', () => {
  fc.assert(
    fc.property(runs, (steps) => {
      const hops = hopsTo(steps, steps.length - 1);
      hops.forEach(({ cause, step }, index) => assert.ok(cause < step && step <= (hops[index - 1]?.cause ?? Infinity)));
    }),
  );
});

test('the way to the unmasking in the sample is told as people tell it', () => {
  const { run } = createSample(1);
  const unmasking = run.steps.findLastIndex(({ anchor }) => anchor === 'masked');
  const told = hopsTo(run.steps, unmasking).map(({ cause, step }) => [
    run.lanes[run.steps[cause]?.lane ?? -1]?.context,
    run.steps[step]?.edge,
  ]);
  assert.deepEqual(told.toReversed(), [
    ['device', 'hardirq'],
    ['hardirq', 'workqueue'],
    ['kworker', 'vmexit'],
    ['vcpu', 'vmentry'],
    ['guest', 'vmexit'],
  ]);
});

test('details show less and less', () => {
  const { steps } = createSample(2).run;
  const [everything, functions, contexts] = [
    layOut(steps, 'everything', true),
    layOut(steps, 'functions', false),
    layOut(steps, 'contexts', false),
  ].map(({ rows }) => rows.length);
  assert.equal(everything, steps.length);
  assert.ok(everything > (functions ?? 0) && (functions ?? 0) > (contexts ?? 0));
});

test('what a filter hides takes no hand-over with it', () => {
  const { steps } = createSample(3).run;
  const handovers = steps.filter(({ cause }) => cause !== undefined).length;
  for (const detail of DETAILS) assert.equal(layOut(steps, detail, false).arrows.length, handovers, detail);
});
