import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import {
  isPositionIn,
  parseToHost,
  parseToWebview,
  PANEL_COMMANDS,
  type HistoryView,
  type StepColumns,
  type ToHost,
  type ToWebview,
} from '../../../src/webview/protocol';
import { columnsOf } from '../../webview/columns';
import { createSample } from '../../webview/sample';

const sample = createSample(1);
const RUN: Extract<ToWebview, { type: 'run' }> = { type: 'run', run: sample.run, position: sample.positionAt(3) };

const HISTORY: HistoryView = {
  component: 2,
  cell: 'masked',
  steps: Uint32Array.of(3, 8, 8, 20),
  values: Uint32Array.of(0, 1, 0, 1),
  texts: ['true', 'false'],
  numbers: [1, 0],
  initial: 'false',
  before: 0,
  writers: Uint32Array.of(0, 1, 0, 1),
  places: [
    { symbol: 'vfio_intx_handler', anchor: 'masked', thread: 'host hard-IRQ', context: 'hardirq' },
    { symbol: 'vfio_pci_intx_unmask_handler', reference: 'linux:drivers/vfio/pci/vfio_pci_intrs.c', thread: 'vCPU 0', context: 'vcpu' },
  ],
  truncated: false,
};

/** Anything that could cross the line, with the words of the protocol strewn in so that checks are reached that pure noise never reaches. */
const words = fc.constantFrom(
  ...[
    'type',
    'ready',
    'command',
    'seek',
    'setParameter',
    'inject',
    'run',
    'position',
    'playing',
    'empty',
    'outline',
    'history',
    'component',
    'cell',
    'step',
    'name',
    'value',
    'stimulus',
    'does',
    'stack',
    'components',
    '__proto__',
  ],
  ...PANEL_COMMANDS,
);
const noise = fc.anything({
  key: fc.oneof(words, fc.string()),
  values: [words, fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(undefined)],
  withNullPrototype: true,
});
const messages = fc.oneof(
  noise,
  fc.record(
    {
      type: words,
      command: noise,
      step: noise,
      name: noise,
      value: noise,
      stimulus: noise,
      run: noise,
      position: noise,
      playing: noise,
      component: noise,
      cell: noise,
    },
    { requiredKeys: [] },
  ),
);

const TO_HOST: Readonly<Record<ToHost['type'] | 'malformed', readonly string[]>> = {
  ready: ['type'],
  command: ['command', 'type'],
  seek: ['step', 'type'],
  revealStep: ['step', 'type'],
  setParameter: ['name', 'type', 'value'],
  inject: ['stimulus', 'type'],
  history: ['cell', 'component', 'type'],
  edit: ['cell', 'type', 'value'],
  compare: ['type'],
  compareState: ['type'],
  malformed: ['problem', 'type'],
};
const TO_WEBVIEW: Readonly<Record<ToWebview['type'] | 'malformed', readonly string[]>> = {
  run: ['position', 'run', 'type'],
  outline: ['position', 'run', 'type'],
  position: ['position', 'type'],
  playing: ['playing', 'type'],
  history: ['history', 'type'],
  comparison: ['chosen', 'type'],
  stateComparison: ['state', 'type'],
  empty: ['type'],
  malformed: ['problem', 'type'],
};

test('whatever a webview sends comes out as a known message with its known fields, or as malformed', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const parsed = parseToHost(message);
      assert.deepEqual(Object.keys(parsed).toSorted(), TO_HOST[parsed.type]);
    }),
    { numRuns: 3000 },
  );
});

test('whatever claims to come from the extension comes out the same way', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const parsed = parseToWebview(message);
      assert.deepEqual(Object.keys(parsed).toSorted(), TO_WEBVIEW[parsed.type]);
    }),
    { numRuns: 3000 },
  );
});

test('messages that fit pass unchanged, without fields that nobody knows', () => {
  const toHost: readonly ToHost[] = [
    { type: 'ready' },
    { type: 'command', command: 'stepBack' },
    { type: 'seek', step: 0 },
    { type: 'revealStep', step: 7 },
    { type: 'setParameter', name: 'irqchip', value: 'split' },
    { type: 'inject', stimulus: 'assert' },
    { type: 'history', component: 2, cell: 'redirtbl[21]' },
    { type: 'edit', cell: 3, value: -1 },
    { type: 'compare' },
    { type: 'compareState' },
  ];
  for (const message of toHost) assert.deepEqual(parseToHost({ ...message, extra: 1 }), message);
  const toWebview: readonly ToWebview[] = [
    RUN,
    { type: 'outline', run: sample.outline, position: sample.positionAt(3) },
    { type: 'position', position: sample.positionAt(5) },
    { type: 'playing', playing: true },
    { type: 'history', history: HISTORY },
    { type: 'empty' },
  ];
  for (const message of toWebview) assert.deepEqual(parseToWebview({ ...message, extra: 1 }), message);
});

/** Turns columns of a good run into others. */
function spoilSteps(changes: { readonly [K in keyof StepColumns]?: (column: StepColumns[K]) => unknown }): (run: typeof RUN) => unknown {
  return ({ run }) => {
    const changed = Object.entries(changes as Record<string, (column: unknown) => unknown>).map(([name, change]) => [
      name,
      change(run.steps[name as keyof StepColumns]),
    ]);
    return { ...run, steps: { ...run.steps, ...Object.fromEntries(changed) } };
  };
}

/** Each turns one part of a good run into nonsense. */
const SPOILED: Readonly<Record<string, (run: typeof RUN) => unknown>> = {
  'a step in no lane': spoilSteps({ lanes: (column) => column.with(7, 6) }),
  'a step of no kind': spoilSteps({ kinds: (column) => column.with(7, 4) }),
  'a step in no place': spoilSteps({ sites: (column) => column.with(7, sample.run.steps.siteTable.length) }),
  'a step that was reached in no way': spoilSteps({ edges: (column) => column.with(7, 200) }),
  'a step brought about by itself': spoilSteps({ causes: (column) => column.with(7, 7) }),
  'a step brought about by what never was': spoilSteps({ causes: (column) => column.with(7, -2) }),
  'columns of different lengths': spoilSteps({ depths: (column) => column.slice(1) }),
  'columns that are lists': spoilSteps({ writes: (column) => [...column] }),
  'columns of another type': spoilSteps({ depths: (column) => Float64Array.from(column) }),
  'columns shorter than they say': spoilSteps({ length: (length) => length + 1 }),
  'places without a name': spoilSteps({ siteTable: (sites) => sites.map(() => ({ world: 'linux' })) }),
  'numbers for edges': spoilSteps({ edgeTable: (edges) => edges.map((_edge, index) => index) }),
  'other steps than it says': ({ run }) => ({ ...run, length: run.length - 1 }),
  'no steps': ({ run }) => ({ ...run, length: 0, steps: columnsOf([]) }),
  'a list of steps': ({ run }) => ({ ...run, steps: sample.steps }),
  'numbers for lanes': ({ run }) => ({ ...run, lanes: [1, 2, 3] }),
  'a parameter of no kind': ({ run }) => ({
    ...run,
    parameters: [{ name: 'a', title: 'a', description: 'a', kind: 'colour', value: 'red' }],
  }),
  'a parameter that is not a number': ({ run }) => ({
    ...run,
    parameters: [{ name: 'a', title: 'a', description: 'a', kind: 'number', value: Number.NaN, minimum: 0, maximum: 1 }],
  }),
  'a chapter without a step': ({ run }) => ({ ...run, chapters: [{ title: 'a' }] }),
  'cells that overlap': ({ run }) => ({ ...run, components: run.components.map((component) => ({ ...component, first: 0 })) }),
  'a cell of no type': ({ run }) => ({ ...run, types: run.types.slice(1) }),
  'a type of no kind': ({ run }) => ({ ...run, types: run.types.map(() => ({ kind: 'float' })) }),
  'a bit beyond its word': ({ run }) => ({
    ...run,
    types: run.types.map(() => ({ kind: 'bits', bits: 8, fields: [{ name: 'a', low: 32, width: 1 }] })),
  }),
};

for (const [what, spoil] of Object.entries(SPOILED)) {
  test(`a run with ${what} is malformed`, () => {
    assert.equal(parseToWebview({ ...RUN, run: spoil(RUN) }).type, 'malformed');
  });
}

test('a history is checked down to its numbers', () => {
  const spoiled: readonly object[] = [
    { steps: [3, 8, 8, 20] },
    { steps: Uint32Array.of(3, 8, 7, 20) },
    { steps: Uint32Array.of(3, 8) },
    { values: Uint32Array.of(0, 1, 2, 1) },
    { values: new Float64Array(4) },
    { texts: [true, false] },
    { numbers: [1] },
    { writers: Uint32Array.of(0, 1, 0, 2) },
    { places: [{}, {}] },
    { cell: 3 },
  ];
  for (const change of spoiled) assert.equal(parseToWebview({ type: 'history', history: { ...HISTORY, ...change } }).type, 'malformed');
});

test('a position must stand where it says, and its way go back in time', () => {
  const position = sample.positionAt(sample.run.length - 1);
  assert.ok(position.way.length > 1);
  const spoiled: readonly object[] = [
    { here: sample.positionAt(3).here },
    { here: undefined },
    { way: position.way.toReversed() },
    { way: position.way.map((hop) => ({ ...hop, cause: hop.step })) },
    { way: [1, 2] },
  ];
  for (const change of spoiled) assert.equal(parseToWebview({ type: 'position', position: { ...position, ...change } }).type, 'malformed');
  const nowhere = { ...position, here: { ...position.here, lane: 6 } };
  assert.equal(parseToWebview({ type: 'outline', run: sample.outline, position: nowhere }).type, 'malformed');
  assert.equal(parseToWebview({ ...RUN, position: nowhere }).type, 'malformed');
});

test('a position is checked down to its numbers', () => {
  const position = sample.positionAt(3);
  const { state } = position;
  const told = (changed: object) => parseToWebview({ type: 'position', position: { ...position, state: { ...state, ...changed } } }).type;
  assert.equal(told({}), 'position');
  assert.equal(told({ values: [...state.values] }), 'malformed');
  assert.equal(told({ writers: new Float64Array(state.writers) }), 'malformed');
  assert.equal(told({ changes: [{ cell: -1, was: 0 }] }), 'malformed');
  assert.equal(told({ changes: [{ cell: 0, was: NaN }] }), 'malformed');
});

test('a position fits a run only with all of its cells', () => {
  const position = sample.positionAt(3);
  const { state } = position;
  const fitting = (changed: object) => isPositionIn(sample.run, { ...position, state: { ...state, ...changed } });
  assert.ok(fitting({}));
  assert.ok(!fitting({ values: state.values.slice(1) }));
  assert.ok(!fitting({ writers: state.writers.slice(1) }));
  assert.ok(!fitting({ changes: [{ cell: state.values.length, was: 0 }] }));
  assert.ok(!isPositionIn(sample.run, { ...position, step: sample.run.length }));
});
