import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { curve, historyOf, valueBefore, writesUntil } from '../../../src/webview/origin/history';
import type { HistoryView } from '../../../src/webview/protocol';

/** A history that the extension could send, of words of eight bits. */
const views: fc.Arbitrary<HistoryView> = fc
  .record({
    before: fc.integer({ min: 0, max: 255 }),
    writes: fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 255 })), { maxLength: 60 }),
  })
  .map(({ before, writes }) => {
    const inOrder = writes.toSorted(([a], [b]) => a - b);
    const numbers = [...new Set(inOrder.map(([, value]) => value))];
    return {
      component: 0,
      cell: 'isr',
      steps: Uint32Array.from(inOrder, ([step]) => step),
      values: Uint32Array.from(inOrder, ([, value]) => numbers.indexOf(value)),
      texts: numbers.map(String),
      numbers,
      initial: String(before),
      before,
      writers: new Uint32Array(inOrder.length),
      places: [{ symbol: 'pic_intack', thread: 'vCPU 0', context: 'vcpu' }],
      truncated: false,
    };
  });

test('the history of a bit holds just the writes that change it, and ends where the word ends', () => {
  fc.assert(
    fc.property(views, fc.integer({ min: 0, max: 7 }), (view, low) => {
      const whole = historyOf(view, undefined);
      const one = historyOf(view, { name: 'bit', low, width: 1 });
      assert.ok(one.steps.every((step) => whole.steps.includes(step)));
      one.values.forEach((value, index) => assert.notEqual(value, valueBefore(one, index)));
      assert.equal(one.values.at(-1) ?? one.before, ((whole.values.at(-1) ?? whole.before) >>> low) & 1);
      assert.equal(one.places.length, one.steps.length);
    }),
  );
});

test('a whole word has a text for every value, the first one too', () => {
  fc.assert(
    fc.property(views, (view) => {
      const { values, before, text } = historyOf(view, undefined);
      assert.deepEqual([before, ...values].map(text), [before, ...values].map(String));
    }),
  );
});

test('writes are counted up to and including a step', () => {
  fc.assert(
    fc.property(views, fc.integer({ min: -1, max: 501 }), (view, step) => {
      const history = historyOf(view, undefined);
      assert.equal(writesUntil(history, step), history.steps.filter((each) => each <= step).length);
    }),
  );
});

test('the drawing stays within its frame, goes from left to right and never has more than it can show', () => {
  fc.assert(
    fc.property(views, (view) => {
      const points = curve(historyOf(view, undefined), 501);
      assert.ok(points.every(({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1));
      points.forEach(({ x }, index) => assert.ok(index === 0 || x >= points[index - 1]!.x));
      assert.equal(points.at(-1)?.x, 1);
    }),
  );
  const crowded = {
    steps: Array.from({ length: 100_000 }, (_, n) => n),
    values: [],
    before: 0,
    places: [],
    truncated: false,
    text: String,
  };
  assert.ok(curve({ ...crowded, values: crowded.steps.map((n) => n % 2) }, 100_000).length < 2100);
});
