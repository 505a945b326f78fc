import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { DETAILS } from '../../../src/webview/host';
import type { StepKind, StepView } from '../../../src/webview/protocol';
import { arrowsAcross, layOut, rowAtHeight, rowOfStep, ROW_HEIGHT } from '../../../src/webview/sequence/layout';
import { mapScroll } from '../../../src/webview/sequence/scroll';
import { columnsOf } from '../../webview/columns';
import { createSample } from '../../webview/sample';

/** Runs with any hand-overs: each step in any of three lanes, brought about by any earlier step. */
const runs = fc
  .array(
    fc.record({
      kind: fc.constantFrom<StepKind[]>('enter', 'at', 'return', 'signal'),
      lane: fc.nat(2),
      depth: fc.nat(3),
      back: fc.option(fc.nat(20), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((rows) =>
    rows.map(({ kind, lane, depth, back }, n): StepView => {
      const step = { n, kind, lane, depth, symbol: `f${depth}`, world: 'linux', writes: false };
      return back === undefined || back >= n ? step : { ...step, cause: n - 1 - back };
    }),
  );
const details = fc.constantFrom(...DETAILS);

test('rows do not overlap, and each is found by its step and by its height', () => {
  fc.assert(
    fc.property(runs, details, fc.boolean(), (steps, detail, returns) => {
      const layout = layOut(columnsOf(steps), 3, detail, returns);
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
      const layout = layOut(columnsOf(steps), 3, detail, returns);
      const laneOf = (row: number) => steps[layout.rows[row] ?? -1]?.lane;
      const { from: froms, to: tos, steps: effects } = layout.arrows;
      for (let index = 0; index < layout.arrows.length; index++) {
        const [from, to, step] = [froms[index]!, tos[index]!, effects[index]!];
        const effect = steps[step];
        assert.ok(from < to);
        assert.equal(laneOf(to), effect?.lane);
        assert.equal(laneOf(from), steps[effect?.cause ?? -1]?.lane);
        assert.notEqual(laneOf(from), laneOf(to));
      }
    }),
  );
});

test('the arrows across a window are those that touch it', () => {
  fc.assert(
    fc.property(runs, details, fc.nat(60), fc.nat(60), (steps, detail, first, length) => {
      const { arrows } = layOut(columnsOf(steps), 3, detail, false);
      const all = Array.from({ length: arrows.length }, (_, index) => index);
      assert.deepEqual(
        arrowsAcross(arrows, first, first + length),
        all.filter((index) => arrows.from[index]! < first + length && arrows.to[index]! >= first),
      );
    }),
  );
});

test('arrows are found among very many', () => {
  const steps = Array.from({ length: 40_000 }, (_, n): StepView => {
    const step = { n, kind: 'at', lane: n % 2, depth: 0, symbol: 'f', world: 'linux', writes: false } as const;
    if (n === 39_999) return { ...step, cause: 2 };
    return n % 10 === 1 ? { ...step, cause: n - 1 } : step;
  });
  const { arrows } = layOut(columnsOf(steps), 2, 'everything', true);
  assert.deepEqual(
    arrowsAcross(arrows, 5, 25).map((index) => arrows.steps[index]),
    [11, 21, 39_999],
  );
});

test('a scroll bar reaches both ends of any run, one to one where it may', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60_000_000 }), fc.integer({ min: 22, max: 3000 }), (total, viewport) => {
      const { height, toContent, toScrollTop } = mapScroll(total, viewport);
      assert.ok(height <= 17_000_000);
      if (total <= viewport) return;
      assert.equal(toContent(0), 0);
      assert.ok(Math.abs(toContent(height - viewport) - (total - viewport)) < 0.01);
      assert.ok(Math.abs(toContent(toScrollTop(total / 3)) - total / 3) < 0.01);
      if (total < 10_000_000) assert.equal(toContent(total / 3), total / 3);
    }),
  );
});

test('details show less and less', () => {
  const { run } = createSample(2);
  const [everything, functions, contexts] = [
    layOut(run.steps, run.lanes.length, 'everything', true),
    layOut(run.steps, run.lanes.length, 'functions', false),
    layOut(run.steps, run.lanes.length, 'contexts', false),
  ].map(({ rows }) => rows.length);
  assert.equal(everything, run.length);
  assert.ok(everything > (functions ?? 0) && (functions ?? 0) > (contexts ?? 0));
});

test('what a filter hides takes no hand-over with it', () => {
  const { run, steps } = createSample(3);
  const handovers = steps.filter(({ cause }) => cause !== undefined).length;
  for (const detail of DETAILS) assert.equal(layOut(run.steps, run.lanes.length, detail, false).arrows.length, handovers, detail);
});
