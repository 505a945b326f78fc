import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { lineUp } from '../../../src/flows/diff';

/** The longest common subsequence is as long as the textbook's, and a bounded search still finds a common one. */

/** Sequences that are related, as runs are: one is the other with parts taken out, put in and changed. */
const pair = fc
  .tuple(
    fc.array(fc.nat(6), { maxLength: 80 }),
    fc.array(fc.record({ at: fc.nat(), remove: fc.nat(12), insert: fc.array(fc.nat(6), { maxLength: 12 }) }), { maxLength: 6 }),
  )
  .map(([a, changes]) => {
    const b = [...a];
    for (const { at, remove, insert } of changes) b.splice(at % (b.length + 1), remove, ...insert);
    return [Int32Array.from(a), Int32Array.from(b)] as const;
  });

/** The length of the longest common subsequence, by the quadratic table. */
function longest(a: Int32Array, b: Int32Array): number {
  let row = Array.from({ length: b.length + 1 }, () => 0);
  for (const each of a) {
    const next = [0];
    for (const [j, other] of b.entries()) next.push(each === other ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!));
    row = next;
  }
  return row.at(-1)!;
}

/** How many are lined up, all of which are equal and in order. */
function linedUp(a: Int32Array, b: Int32Array, partners: Int32Array): number {
  assert.equal(partners.length, a.length);
  const matched = [...partners.entries()].filter(([, partner]) => partner !== -1);
  for (const [index, [i, j]] of matched.entries()) {
    assert.equal(a[i], b[j]);
    assert.ok(index === 0 || matched[index - 1]![1] < j);
  }
  return matched.length;
}

test('as many are lined up as can be', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => assert.equal(linedUp(a, b, lineUp(a, b)), longest(a, b))),
    { numRuns: 2000 },
  );
});

test('a bounded search lines up what both have at either end, and only equals', () => {
  fc.assert(
    fc.property(pair, fc.integer({ min: 1, max: 6 }), ([a, b], maxCost) => {
      const partners = lineUp(a, b, maxCost);
      linedUp(a, b, partners);
      for (let i = 0; i < a.length && a[i] === b[i]; i++) assert.equal(partners[i], i);
    }),
    { numRuns: 2000 },
  );
});

test('a million entries that have nothing in common, or nothing in order, come to an end', () => {
  const length = 1_000_000;
  const up = Int32Array.from({ length }, (_, i) => i);
  const random = Int32Array.from({ length }, (_, i) => (i * 7919) % 1009);
  assert.ok(linedUp(up, up, lineUp(up, up)) === length);
  assert.equal(
    linedUp(
      up,
      random.map((each) => each + length),
      lineUp(
        up,
        random.map((each) => each + length),
      ),
    ),
    0,
  );
  assert.ok(linedUp(random, random.toReversed(), lineUp(random, random.toReversed())) > 0);
});
