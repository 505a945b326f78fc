import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { layOutComparison, rowAt, rowOfStepIn, stretchesOf } from '../../../src/webview/compare/layout';
import { isComparisonOf, parseToWebview, type ComparisonView } from '../../../src/webview/protocol';
import { columnsOf } from '../../webview/columns';
import { createSample } from '../../webview/sample';

const { outline } = createSample(1);
const step = { kind: 'enter', lane: 0, depth: 0, symbol: 'f', world: 'linux', writes: false } as const;

interface Pair {
  readonly comparison: ComparisonView;
  /** The length of this run. */
  readonly length: number;
}

/** Two runs that share stretches and part in between. */
const pairs: fc.Arbitrary<Pair> = fc
  .array(
    fc.record({
      alike: fc.integer({ min: 0, max: 30 }),
      a: fc.integer({ min: 0, max: 5 }),
      b: fc.integer({ min: 0, max: 5 }),
      odd: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  .map((parts) => {
    const differences: number[] = [];
    const otherwise: number[] = [];
    let [a, b] = [0, 0];
    for (const part of parts) {
      if (part.odd && part.alike > 0) otherwise.push(a + (part.alike >> 1));
      a += part.alike;
      b += part.alike;
      if (part.a + part.b > 0) differences.push(a, a + part.a, b, b + part.b);
      a += part.a;
      b += part.b;
    }
    const steps = columnsOf(Array.from({ length: b }, (_, n) => ({ ...step, n })));
    const comparison = {
      title: 'Original run',
      lanes: outline.lanes,
      steps,
      differences: Uint32Array.from(differences),
      otherwise: Uint32Array.from(otherwise),
    };
    return { comparison, length: a };
  });

test('every step of both runs stands in exactly one row, in order, or is folded away with its twin', () => {
  fc.assert(
    fc.property(pairs, fc.nat(200), ({ comparison, length }, at) => {
      const stretches = stretchesOf(comparison, length);
      const layout = layOutComparison(stretches, at, new Set());
      let [a, b] = [0, 0];
      for (let row = 0; row < layout.rows; row++) {
        const found = rowAt(layout, row);
        assert.ok(found, `nothing stands in row ${row}`);
        if (found.kind === 'fold') {
          assert.deepEqual([found.a, found.b], [a, b]);
          a += found.count;
          b += found.count;
          continue;
        }
        assert.ok(found.a === undefined || found.a === a++);
        assert.ok(found.b === undefined || found.b === b++);
        assert.ok(found.mark === 'different' || (found.a !== undefined && found.b !== undefined));
      }
      assert.deepEqual([a, b], [length, comparison.steps.length]);
      assert.equal(rowAt(layout, layout.rows), undefined);
    }),
  );
});

test('the position is never folded away', () => {
  fc.assert(
    fc.property(pairs, fc.nat(400), ({ comparison, length }, at) => {
      fc.pre(at < length);
      const layout = layOutComparison(stretchesOf(comparison, length), at, new Set());
      const row = rowAt(layout, rowOfStepIn(layout, at));
      assert.ok(row?.kind === 'steps' && row.a === at);
    }),
  );
});

test('a fold that is opened shows all of it, and nothing else changes', () => {
  fc.assert(
    fc.property(pairs, ({ comparison, length }) => {
      const stretches = stretchesOf(comparison, length);
      const closed = layOutComparison(stretches, 0, new Set());
      const opened = layOutComparison(stretches, 0, new Set(stretches.map(({ a }) => a)));
      assert.ok(opened.blocks.every(({ kind }) => kind === 'rows'));
      assert.equal(opened.jumps.length, closed.jumps.length);
      const hidden = closed.blocks.reduce((sum, { kind, countA }) => sum + (kind === 'fold' ? countA - 1 : 0), 0);
      assert.equal(opened.rows, closed.rows + hidden);
    }),
  );
});

test('a jump leads to where something is not alike, behind something that is', () => {
  fc.assert(
    fc.property(pairs, ({ comparison, length }) => {
      const layout = layOutComparison(stretchesOf(comparison, length), 0, new Set());
      for (const jump of layout.jumps) {
        const row = rowAt(layout, jump);
        assert.ok(row?.kind === 'steps' && row.mark !== 'same');
        const before = jump === 0 ? undefined : rowAt(layout, jump - 1);
        assert.ok(before === undefined || before.kind === 'fold' || before.mark === 'same');
      }
    }),
  );
});

test('a comparison is checked down to its numbers, and against the run', () => {
  fc.assert(
    fc.property(pairs, ({ comparison, length }) => {
      assert.equal(parseToWebview({ type: 'comparison', comparison, chosen: false }).type, 'comparison');
      assert.ok(isComparisonOf({ ...outline, length }, comparison));
      assert.ok(!isComparisonOf({ ...outline, length: length + 1 }, comparison));
      const spoiled: readonly object[] = [
        { differences: [...comparison.differences] },
        { differences: Uint32Array.of(...comparison.differences, 1) },
        { differences: Uint32Array.of(...comparison.differences, length + 2, length + 2, 0, 0) },
        { otherwise: Uint32Array.of(3, 3) },
        { lanes: [], steps: columnsOf([{ ...step, n: 0 }]), differences: new Uint32Array() },
        { title: 1 },
      ];
      for (const change of spoiled)
        assert.equal(parseToWebview({ type: 'comparison', comparison: { ...comparison, ...change }, chosen: false }).type, 'malformed');
    }),
  );
});
