import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readRange } from '../../../../src/flows/export/range';
import { RUNS } from './runs';

const run = RUNS[0]!;
const last = run.journal.length - 1;

test('a range is read back as it is written, with both of its ends', () => {
  fc.assert(
    fc.property(fc.nat(last), fc.nat(last), fc.constantFrom('-', ' - ', '–'), (a, b, dash) => {
      const [first, end] = [Math.min(a, b), Math.max(a, b)];
      assert.deepEqual(readRange(run, `${first}${dash}${end}`), { first, end: end + 1 });
    }),
  );
});

for (const text of ['', '-', '5', '5-', '-5', '9-3', '1.5-3', '0x1-3', '1-2-3', `0-${last + 1}`, `0-${'9'.repeat(400)}`])
  test(`“${text.slice(0, 20)}” is no range of the run`, () => assert.equal(readRange(run, text), undefined));
