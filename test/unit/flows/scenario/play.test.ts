import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CATALOGUE, requireFlow } from '../../../../src/flows/catalogue';
import { defaults, presetInputs, simulate, type FlowRun, type Inputs } from '../../../../src/flows/flow';
import { judge, type Verdict } from '../../../../src/flows/scenario/expectations';
import { inputsOf } from '../../../../src/flows/scenario/inputs';
import { isMoment, momentOf, stepOf } from '../../../../src/flows/scenario/moments';
import { chaptersOf, readScenario, type Scenario } from '../../../../src/flows/scenario/scenario';

/** What a scenario says of a run: moments, inputs, chapters, verdicts. */

function scenario(content: object): Scenario {
  const read = readScenario(JSON.stringify({ version: 1, title: 'A test', flow: 'vfio-intx', ...content }));
  assert.ok(read.kind === 'scenario', JSON.stringify(read));
  return read.scenario;
}

function inputs(of: Scenario): Inputs {
  const work = inputsOf(of);
  for (;;) {
    const { done, value } = work.next();
    if (!done) continue;
    assert.ok(value.kind === 'inputs', JSON.stringify(value));
    return value.inputs;
  }
}

const play = (of: Scenario): FlowRun => simulate(of.flow, inputs(of));

const one = { parameters: { interrupts: 1 } };
const plain = play(scenario(one));

for (const flow of CATALOGUE)
  test(`${flow.id}: a step’s name leads back to the step`, () => {
    const run = simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
    fc.assert(
      fc.property(fc.nat(run.journal.length - 1), (step) => {
        const moment = momentOf(run, step);
        assert.equal(stepOf(run, moment), step);
        assert.ok(isMoment(run, step, moment));
        if ('step' in moment) assert.equal(run.journal.kind(step), 'return');
      }),
      { numRuns: 50 },
    );
  });

test('a stimulus happens right after its moment, in the run that all before it lead to', () => {
  const after = { function: 'irqfd_resampler_ack', occurrence: 2 };
  const played = play(
    scenario({
      ...one,
      stimuli: [{ name: 'raise', after }, { name: 'raise', after: { function: 'irqfd_resampler_ack' } }, { name: 'lower' }],
    }),
  );
  const [first, second, last] = played.inputs.stimuli;
  assert.equal(first?.at, stepOf(played, { function: 'irqfd_resampler_ack' })! + 1);
  assert.equal(second?.at, stepOf(played, after)! + 1);
  assert.equal(last?.name, 'lower');
  const before = simulate(played.flow, { ...played.inputs, stimuli: played.inputs.stimuli.slice(0, 2) });
  assert.equal(last.at, before.journal.length + 1, 'when all has come to rest');
});

test('a preset whose moments were found by occasions is the same run as a scenario', () => {
  const flow = requireFlow('mdev-mtty');
  const preset = flow.presets.find(({ stimuli = [] }) => stimuli.length > 0)!;
  const expected = presetInputs(flow, preset.id);
  const run = simulate(flow, expected);
  const stimuli = expected.stimuli.map(({ at, name }) => ({ name, after: momentOf(run, at - 1) }));
  const found = inputs(scenario({ flow: flow.id, parameters: preset.parameters, stimuli }));
  assert.deepEqual(found, expected);
});

test('an edit sets a cell by name, to a number, a truth value or an expression', () => {
  for (const value of [1, true, 'vfio_pci_irq_ctx.masked + 0x0']) {
    const { edits } = inputs(
      scenario({ ...one, edits: [{ cell: 'vfio_pci_irq_ctx.masked', value, after: { function: 'edu_irq_handler' } }] }),
    );
    assert.deepEqual(edits, [{ at: stepOf(plain, { function: 'edu_irq_handler' })! + 1, cell: 'vfio_pci_irq_ctx.masked', value: 1 }]);
  }
});

test('chapters come in the order in which they begin', () => {
  const chapter = (name: string, occurrence?: number) => ({ title: name, prose: name, at: { function: name, occurrence } });
  const chapters = chaptersOf(plain, scenario({ chapters: [chapter('edu_irq_handler'), chapter('vfio_intx_handler')] }));
  assert.deepEqual(
    chapters.map((found) => found.chapter.title),
    ['vfio_intx_handler', 'edu_irq_handler'],
  );
  for (const { chapter: found, step } of chapters) assert.equal(plain.journal.step(step).site.fn.name, found.title);
});

function verdict(expectation: object): Verdict {
  const judged = judge(plain, scenario({ ...one, expectations: [expectation] }));
  assert.ok(judged.kind === 'judged', JSON.stringify(judged));
  return judged.verdicts[0]!;
}

const handler = { function: 'vfio_intx_handler' };
const masked = 'vfio_pci_irq_ctx.masked';

const TRUE: readonly object[] = [
  { kind: 'reached', ...handler },
  { kind: 'reached', ...handler, times: 1 },
  { kind: 'reached', ...handler, atLeast: 1, atMost: 1 },
  { kind: 'reached', function: 'irqfd_wakeup', anchor: 'schedule_work' },
  { kind: 'reached', function: 'vfio_intx_eoi', times: 0 },
  { kind: 'never-reached', function: 'vfio_intx_eoi' },
  { kind: 'never-reached', function: 'vfio_intx_eoi', anchor: 'vfio_unmask_single_irqindex' },
  { kind: 'order', places: [handler, { function: 'irqfd_wakeup' }, { function: 'edu_irq_handler' }] },
  { kind: 'value', of: masked, is: false },
  { kind: 'value', of: masked, is: 1, at: { function: 'edu_irq_handler' } },
  { kind: 'holds', expression: `${masked} && $step > 0`, at: { function: 'edu_irq_handler', occurrence: 1 } },
  { kind: 'ending', is: 'idle' },
  { kind: 'steps', atLeast: 100, atMost: 100_000 },
];

const FALSE: readonly (readonly [object, expected: string, found: string])[] = [
  [{ kind: 'reached', ...handler, times: 2 }, 'vfio_intx_handler is reached 2×', 'it is reached 1×'],
  [{ kind: 'reached', ...handler, atMost: 0, atLeast: 0 }, 'vfio_intx_handler is reached 0×', 'it is reached 1×'],
  [{ kind: 'reached', function: 'vfio_intx_eoi' }, 'vfio_intx_eoi is reached at least 1×', 'it is reached 0×'],
  [
    { kind: 'order', places: [{ function: 'edu_irq_handler' }, handler] },
    'in this order: edu_irq_handler, vfio_intx_handler',
    'vfio_intx_handler is not reached behind those before it',
  ],
  [{ kind: 'value', of: masked, is: true }, `${masked} is true at the end`, 'it is false'],
  [
    { kind: 'value', of: masked, is: 0, at: { function: 'edu_irq_handler', occurrence: 1 } },
    `${masked} is 0 at edu_irq_handler, time 1`,
    'it is true',
  ],
  [{ kind: 'value', of: masked, is: 0, at: { step: 0 } }, `${masked} is 0 at step 0`, `there is no ${masked} yet at step 0`],
  [{ kind: 'holds', expression: `${masked} + 0` }, `${masked} + 0 at the end`, 'it is 0'],
  [{ kind: 'ending', is: 'limit' }, 'the run ends: limit', 'it ends: idle'],
  [{ kind: 'steps', atMost: 10 }, 'the run has at most 10 steps', `it has ${plain.journal.length}`],
];

for (const expectation of TRUE) test(`holds: ${JSON.stringify(expectation)}`, () => assert.equal(verdict(expectation).holds, true));

for (const [expectation, expected, found] of FALSE)
  test(`fails: ${JSON.stringify(expectation)}`, () => {
    const { holds, ...said } = verdict(expectation);
    assert.deepEqual([holds, said.expected, said.found], [false, expected, found]);
  });

test('a place that is never reached is found to be reached, and where', () => {
  const { holds, found } = verdict({ kind: 'never-reached', ...handler });
  assert.deepEqual([holds, found], [false, `it is, at step ${stepOf(plain, handler)}`]);
});
