import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor, lastWrite, stackAt, type Run } from '../../../src/engine/timeline';
import { machineOf, type Program } from './machines';

/** Laws of the journal: positions are reached the same way from everywhere, and nothing is said that was not written. */

const program: fc.Arbitrary<Program> = fc.array(
  fc.record({ thread: fc.nat(2), cell: fc.nat(4), value: fc.integer({ min: 0, max: 0xffff }), depth: fc.nat(3) }),
  { minLength: 1, maxLength: 3000 },
);

/** The state at every step, the slow way. */
function replay({ journal, cells }: Run, upTo: number): number[] {
  const values = cells.map(({ initial }) => initial);
  for (let n = 0; n <= upTo; n++) {
    const [first, end] = journal.writesOf(n);
    for (let i = first; i < end; i++) {
      const { cell, new: value } = journal.write(i);
      values[cell] = value;
    }
  }
  return values;
}

test('a random walk back and forth returns to identical states', () => {
  fc.assert(
    fc.property(program, fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), (operations, seeks) => {
      const run = machineOf(operations);
      const cursor = createCursor(run);
      for (const seek of seeks) {
        const target = seek % run.journal.length;
        cursor.seek(target);
        assert.equal(cursor.position, target);
        assert.deepEqual(
          run.cells.map(({ id }) => cursor.value(id)),
          replay(run, target),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('a cursor that has never walked gets anywhere at once', () => {
  fc.assert(
    fc.property(program, fc.nat(), (operations, seek) => {
      const run = machineOf(operations);
      const target = seek % run.journal.length;
      const cursor = createCursor(run);
      cursor.seek(target);
      assert.deepEqual(
        run.cells.map(({ id }) => cursor.value(id)),
        replay(run, target),
      );
    }),
    { numRuns: 60 },
  );
});

test('the columns say of a step what the step says of itself', () => {
  fc.assert(
    fc.property(program, (operations) => {
      const { journal } = machineOf(operations);
      for (let n = 0; n < journal.length; n++) {
        const { kind, thread, depth, site, link, parent, cause } = journal.step(n);
        assert.deepEqual(
          [journal.kind(n), journal.thread(n), journal.depth(n), journal.parent(n), journal.cause(n)],
          [kind, thread, depth, parent, cause],
        );
        assert.equal(journal.sites[journal.siteId(n)], site);
        assert.deepEqual(journal.links[journal.linkId(n)], link ?? { kind: 'none' });
      }
    }),
    { numRuns: 20 },
  );
});

test('each write holds what was there before it, and the last write is the value', () => {
  fc.assert(
    fc.property(program, (operations) => {
      const run = machineOf(operations);
      const values = run.cells.map(({ initial }) => initial);
      for (let i = 0; i < run.journal.writeCount; i++) {
        const write = run.journal.write(i);
        assert.equal(write.old, values[write.cell]);
        values[write.cell] = write.new;
      }
      const end = run.journal.length - 1;
      for (const { id, initial } of run.cells) assert.equal(lastWrite(run, id, end)?.new ?? initial, values[id]);
    }),
    { numRuns: 60 },
  );
});

test('a stack is the chain of functions that are still executing', () => {
  fc.assert(
    fc.property(program, (operations) => {
      const run = machineOf(operations);
      const open = new Map<number, number[]>();
      for (let n = 0; n < run.journal.length; n++) {
        const { kind, thread } = run.journal.step(n);
        const frames = open.get(thread) ?? [];
        if (kind === 'enter') frames.unshift(n);
        open.set(thread, frames);
        const expected = [...frames];
        if (kind === 'return') frames.shift();
        assert.deepEqual(
          stackAt(run, n).map(({ enter }) => enter.n),
          expected,
        );
      }
    }),
    { numRuns: 30 },
  );
});

test('a seek beyond either end stops there', () => {
  const cursor = createCursor(machineOf([{ thread: 0, cell: 0, value: 7, depth: 0 }]));
  cursor.seek(1e9);
  assert.equal(cursor.value(0), 7);
  cursor.seek(-5);
  assert.equal(cursor.position, -1);
  assert.equal(cursor.value(0), 0);
});
