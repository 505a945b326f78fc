import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { slot, table } from '../../../src/engine/columns';

/** What goes into a table comes out of it, across pages. */

test('every row gives back what was put into it, whatever the length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20_000 }), fc.nat(), (length, salt) => {
      const rows = table({ byte: 'uint8', word: 'uint32', number: 'float64' });
      const value = (row: number): number => (row * 2654435761 + salt) % Number.MAX_SAFE_INTEGER;
      for (let row = 0; row < length; row++) {
        const page = rows.append();
        page.byte[slot(row)] = row & 0xff;
        page.word[slot(row)] = value(row) >>> 0;
        page.number[slot(row)] = value(row);
      }
      assert.equal(rows.length, length);
      for (let row = 0; row < length; row++) {
        const { byte, word, number } = rows.page(row);
        assert.deepEqual([byte[slot(row)], word[slot(row)], number[slot(row)]], [row & 0xff, value(row) >>> 0, value(row)]);
      }
    }),
    { numRuns: 20 },
  );
});

test('a row far beyond the end, or before the first, is refused', () => {
  const rows = table({ byte: 'uint8' });
  rows.append();
  assert.throws(() => rows.page(1_000_000), /no row 1000000/);
  assert.throws(() => rows.page(-1), /no row -1/);
});

test('a table holds less than a page more than its rows', () => {
  const rows = table({ word: 'uint32', number: 'float64' });
  for (let row = 0; row < 100_000; row++) rows.append();
  assert.ok(rows.bytes >= 12 * 100_000 && rows.bytes <= 12 * (100_000 + 4096), `${rows.bytes}`);
});
