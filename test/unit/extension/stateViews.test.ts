import assert from 'node:assert/strict';
import test from 'node:test';
import { comparisonView, stateComparisonView } from '../../../src/extension/comparisonView';
import { forkView } from '../../../src/extension/forkView';
import { historyView } from '../../../src/extension/stateViews';
import { positionView, runView } from '../../../src/extension/views';
import { createCursor } from '../../../src/engine/timeline';
import { compare } from '../../../src/flows/compare';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { createSession } from '../../../src/flows/session';
import { valueText } from '../../../src/flows/text';
import { isComparisonOf, isPositionIn, parseToWebview } from '../../../src/webview/protocol';
import { cellAt, formatValue } from '../../../src/webview/registers/values';

/** So many steps of a run are looked at. */
const SAMPLES = 40;

for (const flow of CATALOGUE) {
  test(`${flow.id}: what crosses to the panel is well-formed, and shows each value as everywhere else`, () => {
    const session = createSession();
    session.explore(flow);
    const run = session.run!;
    const view = runView(run, session);
    for (let sample = 0; sample <= SAMPLES; sample++) {
      session.seek(Math.floor(((run.journal.length - 1) * sample) / SAMPLES));
      const position = positionView(session);
      assert.equal(parseToWebview({ type: 'run', run: view, position }).type, 'run');
      for (const cell of run.cells) {
        const { type, component, cell: shown } = cellAt(view, cell.id)!;
        assert.equal(shown.name, cell.name);
        assert.equal(component, cell.component.id);
        const value = session.cursor!.value(cell.id);
        assert.equal(position.state.values[cell.id], value);
        // The names of its bits stand beside a word there, and not behind it.
        const text = type.kind === 'bits' ? valueText(run, cell, value).split(' ')[0] : valueText(run, cell, value);
        assert.equal(formatValue(type, value, view.components), text);
      }
    }
  });

  test(`${flow.id}: the fields of a register lie side by side within it, each under a name of its own`, () => {
    const session = createSession();
    session.explore(flow);
    for (const { type, name } of session.run!.cells) {
      if (type.kind !== 'bits') continue;
      let free = 0;
      for (const { low, width } of type.fields) {
        assert.ok(low >= free, `${name} has a field at bit ${low} that overlaps the one before`);
        free = low + width;
      }
      assert.ok(free <= type.bits, `${name} has a field beyond its ${type.bits} bits`);
      assert.equal(new Set(type.fields.map((field) => field.name)).size, type.fields.length, name);
    }
  });

  test(`${flow.id}: every cell's history is well-formed and ends at its last value`, () => {
    const session = createSession();
    session.explore(flow);
    const run = session.run!;
    session.seek(run.journal.length - 1);
    for (const { id, name, component } of run.cells) {
      const history = historyView(run, component.id, name)!;
      assert.equal(parseToWebview({ type: 'history', history }).type, 'history');
      const last = history.steps.length === 0 ? history.before : history.numbers[history.values.at(-1)!];
      assert.equal(last, session.cursor!.value(id));
    }
    assert.equal(historyView(run, 1e9, 'irr'), undefined);
  });
}

test('a fork says what was changed, and stands beside what it came from', () => {
  const session = createSession();
  session.explore(requireFlow('vfio-intx'));
  session.seek(1240);
  const cell = session.run!.cells.find(({ component, name }) => component.struct === 'vfio_pci_core_device' && name === 'virq_disabled')!;
  session.edit(cell.id, 1);
  const { run, base } = session;
  assert.deepEqual(forkView(run!, base!), { step: 1240, changes: [`vfio_pci_core_device(${cell.component.name}).virq_disabled = true`] });

  const pair = { title: 'Original run', run: base!.run, comparison: compare(run!, base!.run), cursor: createCursor(base!.run) };
  const comparison = comparisonView(pair);
  assert.equal(parseToWebview({ type: 'comparison', comparison, chosen: false }).type, 'comparison');
  assert.ok(isComparisonOf(runView(run!, session), comparison));
  assert.ok(isPositionIn(runView(run!, session), positionView(session)));
  const state = stateComparisonView(session, pair);
  assert.deepEqual(state.cells, [{ name: `vfio_pci_core_device(${cell.component.name}).virq_disabled`, a: 'true', b: 'false' }]);
  assert.equal(parseToWebview({ type: 'stateComparison', state }).type, 'stateComparison');
});

test('a fork by a parameter and one by a stimulus say so', () => {
  const session = createSession();
  const flow = requireFlow('vfio-intx');
  session.explore(flow);
  session.setParameters({ 'kvm-intx': false });
  assert.deepEqual(forkView(session.run!, session.base!), {
    changes: [`${flow.parameters.find(({ name }) => name === 'kvm-intx')!.title}: off`],
  });
  session.returnToBase();
  session.seek(700);
  const [stimulus] = flow.stimuli;
  session.inject(stimulus!.name);
  assert.deepEqual(forkView(session.run!, session.base!), { step: 700, changes: [stimulus!.title] });
});
