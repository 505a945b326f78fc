import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CATALOGUE, requireFlow } from '../../../../src/flows/catalogue';
import { chapterSteps, defaults, simulate, type FlowRun, type Inputs } from '../../../../src/flows/flow';
import { cellKey } from '../../../../src/flows/names';
import { inputsOf } from '../../../../src/flows/scenario/inputs';
import { readJson } from '../../../../src/flows/scenario/json';
import { changeNotes, NO_NOTES, notesOn, readNotes } from '../../../../src/flows/scenario/notes';
import { placeOf } from '../../../../src/flows/scenario/moments';
import { chaptersOf, readScenario, type Scenario } from '../../../../src/flows/scenario/scenario';
import { scenarioText, withChapter, withInputsOf } from '../../../../src/flows/scenario/write';

/** Scenarios and notes as the editor writes them: what is written reads as what it was, and what others wrote stays. */

function scenarioIn(text: string): Scenario {
  const read = readScenario(text);
  assert.ok(read.kind === 'scenario', JSON.stringify(read));
  return read.scenario;
}

function inputsIn(text: string): Inputs {
  const work = inputsOf(scenarioIn(text));
  for (;;) {
    const { done, value } = work.next();
    if (!done) continue;
    assert.ok(value.kind === 'inputs', JSON.stringify(value));
    return value.inputs;
  }
}

const telling = (run: FlowRun) => ({ title: 'A test', chapters: chapterSteps(run), notes: [], scenario: undefined });

/** A flow with stimuli at some steps of its run, and a boolean cell that is set by hand. */
const inputsOfSomeFlow = fc
  .tuple(fc.constantFrom(...CATALOGUE.map(({ id }) => id)), fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }), fc.nat(), fc.nat(3))
  .map(([id, events, at, seed]): readonly [string, Inputs] => {
    const flow = requireFlow(id);
    const parameters = defaults(flow);
    const { journal, cells, ...run } = simulate(flow, { parameters, stimuli: [], seed });
    const stimuli = events.map(([step, name]) => ({
      at: step % (journal.length + 1),
      name: flow.stimuli[name % flow.stimuli.length]!.name,
    }));
    const step = at % journal.length;
    const cell = cells.findIndex(({ type, component }) => type.kind === 'bool' && component.born < step);
    const first = Math.min(...stimuli.map((each) => each.at), Infinity);
    const edits = cell < 0 || step > first ? [] : [{ at: step, cell: cellKey({ ...run, cells }, cell), value: 1 }];
    return [id, { parameters, stimuli: stimuli.toSorted((a, b) => a.at - b.at), ...(edits.length === 0 ? {} : { edits }), seed }];
  });

function isReadAsItWas(run: FlowRun): void {
  const read = simulate(run.flow, inputsIn(scenarioText(run, telling(run))));
  assert.equal(read.journal.length, run.journal.length);
  const columns = ({ journal }: FlowRun, n: number) =>
    [journal.siteId(n), journal.linkId(n), journal.thread(n), journal.writesBefore(n)].join();
  for (let n = 0; n < run.journal.length; n++) if (columns(read, n) !== columns(run, n)) assert.fail(`step ${n} differs`);
}

test('a run that was written as a scenario is read as the same run', () => {
  fc.assert(
    fc.property(inputsOfSomeFlow, ([id, inputs]) => isReadAsItWas(simulate(requireFlow(id), inputs))),
    { numRuns: 40 },
  );
});

test('so is one in which something happens at its last step, or behind it, whatever the order of its threads', () => {
  const ioapic = requireFlow('ioapic');
  const parameters = defaults(ioapic);
  for (const seed of [0, 1, 2]) {
    const { length } = simulate(ioapic, { parameters, stimuli: [], seed }).journal;
    for (const [first, second] of [
      [length, length + 3],
      [length + 1, length + 1],
      [length + 5, length + 9999],
    ] as const)
      isReadAsItWas(
        simulate(ioapic, {
          parameters,
          stimuli: [
            { at: first, name: 'tick-twice' },
            { at: second, name: 'ipi-others' },
          ],
          seed,
        }),
      );
  }
});

test('chapters of a flow are kept where the run has them', () => {
  for (const flow of CATALOGUE) {
    const run = simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
    const starts = chaptersOf(run, scenarioIn(scenarioText(run, telling(run))));
    assert.deepEqual(
      starts.map(({ step, chapter }) => [step, chapter.title]),
      chapterSteps(run).map(({ step, chapter }) => [step, chapter.title]),
    );
  }
});

const commented = `{
    // Why this one: it is short.
    "version": 1,
    "title": "Kept", /* the title */
    "flow": "vfio-intx",
    "parameters": { "interrupts": 1 }, // one is enough
    "chapters": [
        // The guest first.
        { "title": "The guest", "prose": "…", "at": { "function": "edu_irq_handler" } }
    ]
}
`;

const vfio_intx = requireFlow('vfio-intx');
const { parameters } = inputsIn(commented);
const plain = simulate(vfio_intx, { parameters, stimuli: [], seed: 0 });

test('saving a fork back changes what determines the run, and nothing else', () => {
  assert.equal(withInputsOf(commented, plain), commented);
  const fork = simulate(vfio_intx, { parameters, stimuli: [{ at: 100, name: 'raise' }], seed: 7 });
  const text = withInputsOf(commented, fork);
  assert.deepEqual(inputsIn(text), fork.inputs);
  for (const comment of ['// Why this one: it is short.', '/* the title */', '// one is enough', '// The guest first.'])
    assert.ok(text.includes(comment), comment);
  assert.match(text, /^ {4}"stimuli": \[\n {8}\{/m, 'laid out as the rest');
  assert.deepEqual(Object.keys(readJson(text).value as object), ['version', 'title', 'flow', 'parameters', 'stimuli', 'seed', 'chapters']);
  assert.equal(withInputsOf(text, plain).includes('stimuli'), false);
});

test('a chapter is added where it begins', () => {
  const scenario = scenarioIn(commented);
  const handler = chapterSteps(plain).find(({ chapter }) => chapter.starts === 'edu_probe')!.step;
  const text = withChapter(commented, plain, scenario, { title: 'Before', prose: '…', step: handler });
  assert.deepEqual(
    scenarioIn(text).content.chapters?.map(({ title }) => title),
    ['Before', 'The guest'],
  );
  assert.ok(text.includes('// The guest first.'));
  const last = withChapter(text, plain, scenarioIn(text), { title: 'Behind', prose: '…', step: plain.journal.length - 1 });
  assert.deepEqual(
    scenarioIn(last).content.chapters?.map(({ title }) => title),
    ['Before', 'The guest', 'Behind'],
  );
  const none = readFileSync('test/fixtures/scenarios/intx-one-interrupt.virtflow.json', 'utf8').replace(
    /"chapters": \[.*?\n {2}\],\n/s,
    '',
  );
  assert.equal(
    scenarioIn(withChapter(none, plain, scenarioIn(none), { title: 'Only', prose: '…', step: handler })).content.chapters?.length,
    1,
  );
});

const note = (text: string) => ({ at: { function: 'irqfd_wakeup', anchor: 'schedule_work' }, text });

test('notes are added, rewritten and removed; comments between them stay', () => {
  const one = changeNotes(NO_NOTES, { kind: 'add', note: note('first') });
  const two = changeNotes(one.replace('"notes": [', '"notes": [ // ours'), { kind: 'add', note: note('second') });
  assert.deepEqual(readNotes(two), { kind: 'notes', notes: [note('first'), note('second')] });
  const rewritten = changeNotes(two, { kind: 'rewrite', note: note('first'), text: 'again' });
  assert.deepEqual(readNotes(rewritten), { kind: 'notes', notes: [note('again'), note('second')] });
  const removed = changeNotes(rewritten, { kind: 'remove', note: note('second') });
  assert.deepEqual(readNotes(removed), { kind: 'notes', notes: [note('again')] });
  assert.ok(removed.includes('// ours'));
});

test('a notes file that cannot be read is not written either', () => {
  for (const text of ['', '{', '[]', '{ "version": 2, "notes": [] }', NO_NOTES.slice(0, -3)]) {
    assert.equal(readNotes(text).kind, 'malformed');
    assert.throws(() => changeNotes(text, { kind: 'add', note: note('lost?') }), /malformed/);
  }
  assert.throws(() => changeNotes(NO_NOTES, { kind: 'remove', note: note('gone') }), /not there any more/);
});

test('a note is found on every step at its place, with an occurrence on that one', () => {
  const steps = (at: object): readonly number[] =>
    Array.from({ length: plain.journal.length }, (_, n) => n).filter((n) => notesOn(plain, n, [{ at: at as never, text: '…' }]).length > 0);
  const all = steps(note('').at);
  assert.ok(all.length > 0);
  for (const n of all) assert.equal(plain.journal.step(n).kind, 'enter');
  const place = placeOf(plain, all[0]!)!;
  assert.ok(steps(place).includes(all[0]!));
  assert.deepEqual(steps({ ...place, occurrence: 1 }), [steps(place)[0]]);
});
