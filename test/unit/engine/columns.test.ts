import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { column } from '../../../src/engine/columns';

/** What goes into a column comes out of it, across pages and while the first one grows. */

test('a column gives back what was pushed, whatever its length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20_000 }), fc.nat(), (length, salt) => {
      const numbers = column(Float64Array);
      const value = (index: number): number => (index * 2654435761 + salt) % Number.MAX_SAFE_INTEGER;
      for (let index = 0; index < length; index++) numbers.push(value(index));
      assert.equal(numbers.length, length);
      for (let index = 0; index < length; index++) assert.equal(numbers.get(index), value(index));
    }),
    { numRuns: 30 },
  );
});

test('words up to 2^53 survive, and so do not-a-number and negative ones', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.maxSafeInteger(), fc.constant(NaN)), { maxLength: 100 }), (values) => {
      const numbers = column(Float64Array);
      for (const value of values) numbers.push(value);
      assert.deepEqual(
        values.map((_, index) => numbers.get(index)),
        values,
      );
    }),
  );
});

test('a long column wastes less than a page, a short one next to nothing', () => {
  const short = column(Uint32Array);
  short.push(1);
  assert.ok(short.bytes <= 64);
  const long = column(Uint32Array);
  for (let index = 0; index < 100_000; index++) long.push(index);
  assert.ok(long.bytes >= 4 * 100_000 && long.bytes <= 4 * (100_000 + 4096));
});
