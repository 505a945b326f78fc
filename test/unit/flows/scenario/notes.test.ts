import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CATALOGUE } from '../../../../src/flows/catalogue';
import { defaults, simulate, type FlowRun } from '../../../../src/flows/flow';
import type { Moment, Note } from '../../../../src/flows/scenario/format';
import { isAt, isMoment, placeOf, stepsAt } from '../../../../src/flows/scenario/moments';
import { findNotes, notesOn } from '../../../../src/flows/scenario/notes';

/** Notes are found again: each once, where the run comes to it first, or with the reason why it does not. */

const runs = CATALOGUE.map((flow) => simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 }));

/** What a note may be on: a place of some run, with or without an occurrence, a number, or what no flow knows. */
const someMoment = fc.oneof(
  fc
    .tuple(fc.constantFrom(...runs), fc.nat(), fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }))
    .map(([run, n, occurrence]): Moment => {
      const place = placeOf(run, n % run.journal.length);
      if (place === undefined) return { step: n };
      return occurrence === undefined ? place : { ...place, occurrence };
    }),
  fc.nat(5000).map((step): Moment => ({ step })),
  fc.constantFrom<Moment>({ function: 'nobody_models_this' }, { function: 'irqfd_wakeup', anchor: 'nobody_models_this' }),
);
const someNotes = fc.array(fc.record({ at: someMoment, text: fc.constant('Ask Paolo.') }), { maxLength: 8 });

const firstOf = (run: FlowRun, note: Note): number | undefined => {
  for (let step = 0; step < run.journal.length; step++) if (isMoment(run, step, note.at)) return step;
  return undefined;
};

test('each note is found once: at the first of its steps and a place that stands there, or with the reason why not', () => {
  fc.assert(
    fc.property(fc.constantFrom(...runs), someNotes, (run, notes) => {
      const found = findNotes(run, notes);
      assert.equal(found.length, notes.length);
      assert.deepEqual(new Set(found.map(({ note }) => note)), new Set(notes));
      for (const each of found) {
        const { at } = each.note;
        const first = firstOf(run, each.note);
        if (each.kind === 'elsewhere') {
          assert.equal(first, undefined);
          assert.ok(each.problem);
        } else {
          assert.equal(each.step, first);
          assert.deepEqual(notesOn(run, each.step, [each.note]), [each.note]);
          if (!('step' in at)) assert.ok(each.site && isAt(each.site, at));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('those that the run comes to are in the order of its steps, and before all others', () => {
  fc.assert(
    fc.property(fc.constantFrom(...runs), someNotes, (run, notes) => {
      const steps = findNotes(run, notes).map((each) => (each.kind === 'here' ? each.step : Infinity));
      assert.deepEqual(
        steps,
        steps.toSorted((a, b) => (a === b ? 0 : a - b)),
      );
    }),
    { numRuns: 30 },
  );
});

test('a note on a call in a caller is found in the caller, not in the function that the step enters', () => {
  const [run] = runs;
  const call = Array.from({ length: run!.journal.length }, (_, n) => n).find((n) => {
    const { kind, link, parent } = run!.journal.step(n);
    return kind === 'enter' && parent >= 0 && link?.kind === 'call' && link.token === undefined;
  })!;
  const { site, parent } = run!.journal.step(call);
  const at = { function: run!.journal.step(parent).site.fn.name, anchor: site.fn.name };
  const [first] = stepsAt(run!, at);
  const [found] = findNotes(run, [{ at, text: '…' }]);
  assert.ok(found?.kind === 'here');
  assert.equal(found.step, first);
  assert.equal(found.site?.fn.name, at.function);
});

test('without a run, a note is told of that no run can come to', () => {
  const known: Note = { at: { function: 'irqfd_wakeup' }, text: '…' };
  const gone: Note = { at: { function: 'nobody_models_this' }, text: '…' };
  assert.deepEqual(findNotes(undefined, [gone, known]), [
    { kind: 'elsewhere', note: gone, problem: 'no flow knows a function “nobody_models_this”' },
    { kind: 'elsewhere', note: known, problem: undefined },
  ]);
});
