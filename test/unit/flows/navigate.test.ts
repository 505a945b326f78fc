import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../src/engine/timeline';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { defaults, simulate } from '../../../src/flows/flow';
import { nextContext, stepIn, stepOut, stepOver, type Direction } from '../../../src/flows/navigate';

/** Stepping, held to its laws in every flow, with things happening on threads that are in the middle of something. */

const runs: readonly Run[] = CATALOGUE.map((flow) => {
  const parameters = defaults(flow);
  const { journal } = simulate(flow, { parameters, stimuli: [], seed: 0 });
  const stimuli = flow.stimuli.map(({ name }, index) => ({
    name,
    at: Math.floor((journal.length * (index + 1)) / (flow.stimuli.length + 2)),
  }));
  return simulate(flow, { parameters, stimuli, seed: 7 });
});

/** How many functions are open on the thread of each step, that one's own included: what a stack pointer would say. */
const depths = runs.map(({ journal, threads }) => {
  const open = threads.map(() => 0);
  return Array.from({ length: journal.length }, (_, n) => {
    const thread = journal.thread(n);
    if (journal.kind(n) === 'enter') open[thread]!++;
    return journal.kind(n) === 'return' ? open[thread]!-- : open[thread]!;
  });
});

/** A run, a step of it that one can stand on, and a direction. */
const places = fc.tuple(fc.nat(runs.length - 1), fc.nat(), fc.constantFrom<Direction>(1, -1)).map(([index, choice, direction]) => {
  const run = runs[index]!;
  let at = choice % run.journal.length;
  while (run.journal.kind(at) === 'return') at--;
  return { run, depths: depths[index]!, at, direction };
});

/** The steps between two, both excluded, in the order in which they are met. */
const between = (from: number, to: number): readonly number[] =>
  Array.from({ length: Math.abs(to - from) - 1 }, (_, index) => from + Math.sign(to - from) * (index + 1));

/** Where a search ends that finds nothing. */
const beyond = ({ journal }: Run, direction: Direction): number => (direction === 1 ? journal.length : -1);

test('stepping in goes to the very next step, and back undoes on', () => {
  fc.assert(
    fc.property(places, ({ run, at, direction }) => {
      const to = stepIn(run, at, direction);
      assert.ok(between(at, to ?? beyond(run, direction)).every((n) => run.journal.kind(n) === 'return'));
      if (to !== undefined) assert.equal(stepIn(run, to, direction === 1 ? -1 : 1), at);
    }),
    { numRuns: 2000 },
  );
});

test('stepping over passes over what is deeper on the thread, all of it and nothing else', () => {
  fc.assert(
    fc.property(places, ({ run: { journal }, run, depths: deep, at, direction }) => {
      const to = stepOver(run, at, direction);
      const passed = between(at, to ?? beyond(run, direction)).filter(
        (n) => journal.thread(n) === journal.thread(at) && journal.kind(n) !== 'return',
      );
      assert.ok(passed.every((n) => deep[n]! > deep[at]!));
      if (to === undefined) return;
      assert.equal(journal.thread(to), journal.thread(at));
      assert.notEqual(journal.kind(to), 'return');
      assert.ok(deep[to]! <= deep[at]!);
      const back = stepOver(run, to, direction === 1 ? -1 : 1);
      if (deep[to] === deep[at]) assert.equal(back, at);
      else assert.ok(back === undefined || direction * (at - back) > 0);
    }),
    { numRuns: 2000 },
  );
});

test('stepping out leaves the function by its end, or comes back to its call', () => {
  fc.assert(
    fc.property(places, ({ run: { journal }, run, at }) => {
      const frame = journal.kind(at) === 'enter' ? at : journal.parent(at);
      const call = stepOut(run, at, -1);
      assert.equal(call, at !== frame ? frame : journal.parent(at) === -1 ? undefined : journal.parent(at));

      const end = Array.from({ length: journal.length - at }, (_, i) => at + i).find(
        (n) => journal.kind(n) === 'return' && journal.parent(n) === frame,
      );
      const to = stepOut(run, at, 1);
      assert.equal(to, end === undefined ? undefined : stepOver(run, end, 1));
      if (to !== undefined) assert.ok(to > end! && stepOver(run, at, 1)! <= to);
    }),
    { numRuns: 500 },
  );
});

test('the next context is another thread', () => {
  fc.assert(
    fc.property(places, ({ run: { journal }, run, at, direction }) => {
      const to = nextContext(run, at, direction);
      const same = between(at, to ?? beyond(run, direction)).filter((n) => journal.kind(n) !== 'return');
      assert.ok(same.every((n) => journal.thread(n) === journal.thread(at)));
      if (to !== undefined) assert.notEqual(journal.thread(to), journal.thread(at));
    }),
    { numRuns: 500 },
  );
});
