import assert from 'node:assert/strict';
import test from 'node:test';
import { stepColumns, stepView } from '../../../src/extension/stepViews';
import { historyView } from '../../../src/extension/stateViews';
import { positionView, runView } from '../../../src/extension/views';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { stepOf } from '../../../src/flows/scenario/moments';
import { readScenario } from '../../../src/flows/scenario/scenario';
import { createSession } from '../../../src/flows/session';
import { parseToWebview } from '../../../src/webview/protocol';
import { stepAt } from '../../../src/webview/steps';

for (const flow of CATALOGUE) {
  test(`the columns of ${flow.id} are its steps, and the panel takes them`, () => {
    const session = createSession();
    session.explore(flow);
    const run = session.run!;
    const columns = stepColumns(run);
    for (let n = 0; n < columns.length; n++) assert.deepEqual(stepAt(columns, n), stepView(run, n));
    assert.equal(stepAt(columns, columns.length), undefined);
    for (const step of [0, columns.length >> 1, columns.length - 1]) {
      session.seek(step);
      const message = { type: 'run', run: runView(run, session), position: positionView(session) };
      assert.deepEqual(parseToWebview(structuredClone(message)), message);
    }
  });

  test(`histories in ${flow.id} are the writes to a cell`, () => {
    const session = createSession();
    session.explore(flow);
    const run = session.run!;
    const writes = Array.from({ length: run.journal.writeCount }, (_, index) => run.journal.write(index));
    const written = run.cells.filter(({ id }) => writes.some(({ cell }) => cell === id)).slice(0, 20);
    assert.ok(written.length > 0);
    for (const cell of written) {
      const history = historyView(run, cell.component.id, cell.name)!;
      const mine = writes.filter((write) => write.cell === cell.id);
      assert.deepEqual(
        [...history.steps],
        mine.map(({ step }) => step),
      );
      assert.deepEqual(
        [...history.values].map((value) => history.numbers[value]),
        mine.map((write) => write.new),
      );
      assert.equal(parseToWebview({ type: 'history', history }).type, 'history');
    }
    assert.equal(historyView(run, 0, 'no such cell'), undefined);
    assert.equal(historyView(run, 1e9, 'irr'), undefined);
  });
}

test('the panel has the notes of a step, the author’s and the reader’s', () => {
  const at = { function: 'irqfd_inject' };
  const read = readScenario(JSON.stringify({ version: 1, title: 'A test', flow: 'vfio-intx', notes: [{ at, text: 'The author’s' }] }));
  assert.ok(read.kind === 'scenario');
  const session = createSession();
  session.explore(read.scenario.flow, {}, 0, read.scenario);
  const own = [{ at, text: 'Mine' }];
  assert.equal(positionView(session, own).notes, undefined);
  session.seek(stepOf(session.run!, at)!);
  assert.deepEqual(positionView(session, own).notes, ['The author’s', 'Mine']);
});
