import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import type { StepView } from '../../../src/webview/protocol';
import { niceNumber } from '../../../src/webview/timeline/draw';
import { findCells, findSteps, needleOf, nextMatch, union } from '../../../src/webview/timeline/matches';
import { createPyramid } from '../../../src/webview/timeline/pyramid';
import { isWhole, panned, partOf, showing, stepAtPart, wholeOf, zoomed, type Range } from '../../../src/webview/timeline/range';
import { columnsOf } from '../../webview/columns';
import { createSample } from '../../webview/sample';

const LANES = 3;
const runs = fc
  .array(fc.record({ lane: fc.nat(LANES + 1), depth: fc.nat(9) }), { minLength: 1, maxLength: 400 })
  .map((steps) =>
    steps.map(({ lane, depth }, n): StepView => ({ n, kind: 'at', lane, depth, symbol: 'f', world: 'linux', writes: false })),
  );

test('the pyramid says of any stretch what counting says', () => {
  fc.assert(
    fc.property(runs, fc.nat(400), fc.nat(400), (steps, a, b) => {
      const [first, end] = [Math.min(a, b, steps.length), Math.min(Math.max(a, b), steps.length)];
      const counts = new Uint32Array(LANES).fill(7);
      const heights = new Uint16Array(LANES).fill(7);
      createPyramid(columnsOf(steps), LANES).summarize(first, end, counts, heights);
      for (let lane = 0; lane < LANES; lane++) {
        // Lanes beyond the last one share its place.
        const mine = steps.slice(first, end).filter((step) => Math.min(step.lane, LANES - 1) === lane);
        assert.equal(counts[lane], mine.length);
        assert.equal(heights[lane], Math.max(0, ...mine.map(({ depth }) => depth + 1)));
      }
    }),
    { numRuns: 500 },
  );
});

test('a long stretch is told from few buckets: its grain is at most its length, and more than half of it', () => {
  const steps = Array.from({ length: 5000 }, (_, n): StepView => ({
    n,
    kind: 'at',
    lane: 0,
    depth: 0,
    symbol: 'f',
    world: 'linux',
    writes: false,
  }));
  const pyramid = createPyramid(columnsOf(steps), 1);
  assert.equal(pyramid.grainWithin(1), 1);
  for (const size of [16, 100, 700, 2000]) {
    const grain = pyramid.grainWithin(size);
    assert.ok(grain <= size && grain > size / 2, `${grain} of ${size}`);
  }
});

const lengths = fc.integer({ min: 1, max: 2_000_000 });
const moves = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('zoom' as const),
      factor: fc.double({ min: 0.05, max: 20, noNaN: true }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ kind: fc.constant('pan' as const), by: fc.double({ min: -1e6, max: 1e6, noNaN: true }) }),
    fc.record({ kind: fc.constant('show' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  { maxLength: 30 },
);

test('whatever one does, the view stays within the run, and a step that is shown is in sight', () => {
  fc.assert(
    fc.property(lengths, moves, (length, all) => {
      let range: Range = wholeOf(length);
      for (const move of all) {
        switch (move.kind) {
          case 'zoom':
            range = zoomed(range, length, move.factor, range.first + move.part * range.span);
            break;
          case 'pan':
            range = panned(range, length, move.by);
            break;
          case 'show': {
            const step = Math.floor(move.part * (length - 1));
            range = showing(range, length, step);
            const at = partOf(range, step + 0.5);
            assert.ok(at >= -1e-9 && at <= 1 + 1e-9, `step ${step} stands at ${at}`);
          }
        }
        assert.ok(range.first >= 0 && range.first + range.span <= length + 1e-6);
        assert.ok(range.span >= Math.min(24, length) - 1e-9);
      }
    }),
  );
});

test('zooming keeps the place under the pointer, and a place that is shown is found again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 2_000_000 }), fc.double({ min: 0.2, max: 0.8, noNaN: true }), (length, part) => {
      const place = part * length;
      const near = zoomed(wholeOf(length), length, 0.3, place);
      assert.ok(Math.abs(partOf(near, place) - part) < 1e-6);
      const step = stepAtPart(near, length, part);
      assert.equal(step, Math.floor(place));
      assert.ok(!isWhole(near, length) && isWhole(zoomed(near, length, 10, place), length));
    }),
  );
});

test('numbers on the axis are 1, 2 or 5 and noughts', () => {
  assert.deepEqual([0.01, 1, 1.5, 3, 7, 70, 199, 501, 60_000].map(niceNumber), [1, 1, 2, 5, 10, 100, 200, 1000, 100_000]);
});

test('functions are found where they are entered, identifiers where a step stands on them', () => {
  const { run, steps } = createSample(2);
  const found = (text: string) => [...findSteps(run.steps, text)];
  assert.deepEqual(
    found('vfio_intx_handler'),
    steps.filter(({ kind, symbol }) => kind === 'enter' && symbol === 'vfio_intx_handler').map(({ n }) => n),
  );
  assert.deepEqual(
    found('inta#'),
    steps.filter(({ anchor }) => anchor === 'INTA#').map(({ n }) => n),
  );
  assert.deepEqual(found('no such thing'), []);
  assert.deepEqual([' X ', 'Masked '].map(needleOf), [undefined, 'masked']);
});

test('cells are found by structure and name, a few at a time', () => {
  const { run } = createSample(2);
  const names = (text: string) => findCells(run, text).map(({ component, cell }) => `${run.components[component]?.struct ?? ''}.${cell}`);
  assert.ok(names('irq_ctx.mas').includes('vfio_pci_irq_ctx.masked'));
  assert.ok(names('i').length <= 8);
  assert.deepEqual(names('no such thing'), []);
});

const rising = fc.uniqueArray(fc.nat(1000), { maxLength: 50 }).map((values) => Uint32Array.from(values).sort());

test('matches of all kinds are one list, walked round and round', () => {
  fc.assert(
    fc.property(fc.array(rising, { maxLength: 4 }), fc.nat(1000), (lists, from) => {
      const all = union(lists);
      assert.deepEqual(
        [...all],
        [...new Set(lists.flatMap((list) => [...list]))].toSorted((a, b) => a - b),
      );
      const expected = { next: all.find((step) => step > from) ?? all[0], previous: all.findLast((step) => step < from) ?? all.at(-1) };
      assert.deepEqual({ next: nextMatch(all, from, 1), previous: nextMatch(all, from, -1) }, expected);
    }),
  );
});
