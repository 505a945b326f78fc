import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Cell } from '../engine/cell';
import { describeReference } from '../engine/reference';
import { lastWrite } from '../engine/timeline';
import { cellToEdit } from '../flows/edits';
import { evaluate } from '../flows/expressions';
import type { FlowRun } from '../flows/flow';
import { cellKey } from '../flows/names';
import { referenceOfStep } from '../flows/places';
import type { Session } from '../flows/session';
import { isProblem } from '../flows/syntax';
import { cellName, threadTitle, valueText } from '../flows/text';
import { messageOf } from './errors';

/** What a reader asks of a value without the panel: who wrote it, and what if it were another one. */

/** More writes than this are not offered: the panel shows all. */
const OFFERED_WRITES = 1000;

/** *Who Wrote This?*: the writes to a cell, newest first; choosing one goes there. `place` names the cell, as a webview's menu does. */
export async function whoWrote(session: Session, place: unknown): Promise<void> {
  const cell = cellOf(session, place) ?? (await pickCell(session, t('Who Wrote This?')));
  if (cell === undefined || session.run === undefined) return;
  const items = writesTo(session.run, cell, session.position);
  if (items.length === 0)
    return void vscode.window.showInformationMessage(
      t('Virtflow: nothing has written {0} up to step {1}.', cellName(cell), session.position),
    );
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Who Wrote {0}?', cellName(cell)),
    placeHolder: t('Go to a write'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (picked) session.seek(picked.step);
}

function writesTo(run: FlowRun, cell: Cell, position: number): readonly (vscode.QuickPickItem & { readonly step: number })[] {
  const writes = run.journal.writesTo(cell.id, position);
  return Array.from({ length: Math.min(writes.count, OFFERED_WRITES) }, (_, index) => {
    const { step: n, old, new: value } = writes.at(writes.count - 1 - index);
    const step = run.journal.step(n);
    const reference = referenceOfStep(step);
    return {
      label: `${valueText(run, cell, old)} → ${valueText(run, cell, value)}`,
      description: `${index === 0 ? t('step {0}, the last', n) : t('step {0}', n)} · ${threadTitle(run.threads[step.thread]!)}`,
      detail: reference ? describeReference(reference) : step.site.fn.name,
      step: n,
    };
  });
}

/** *What If a Value Were Another?*: asks for a cell and its value, which may be an expression, and forks the run. */
export async function setValue(session: Session, place: unknown): Promise<void> {
  const cell = cellOf(session, place) ?? (await pickCell(session, t('What If a Value Were Another?')));
  const { run, cursor } = session;
  if (cell === undefined || run === undefined || cursor === undefined) return;
  const text = await vscode.window.showInputBox({
    title: t('What If {0} Were Another?', cellName(cell)),
    prompt: t('After step {0}. A number, a constant or an expression over cells.', session.position),
    value: valueText(run, cell, cursor.value(cell.id)).split(' ')[0] ?? '',
    validateInput: (given) => read(session, cell, given).problem,
  });
  const value = text === undefined ? undefined : read(session, cell, text).value;
  if (value !== undefined) session.edit(cell.id, value);
}

/** What a text is as a value of a cell, or why it is none. */
function read({ run, cursor, position }: Session, cell: Cell, text: string): { readonly value?: number; readonly problem?: string } {
  const evaluated = evaluate(run!, cursor!, text);
  if (isProblem(evaluated)) return { problem: evaluated.problem };
  try {
    cellToEdit(run!, cellKey(run!, cell.id), evaluated.value, position + 1);
    return { value: evaluated.value };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** The cell that the context of a webview's menu names. */
function cellOf({ run }: Session, place: unknown): Cell | undefined {
  if (typeof place !== 'object' || place === null || !('cell' in place)) return undefined;
  return typeof place.cell === 'number' ? run?.cells[place.cell] : undefined;
}

async function pickCell(session: Session, title: string): Promise<Cell | undefined> {
  const { run, cursor, position } = session;
  if (run === undefined || cursor === undefined) return undefined;
  const there = run.cells.filter(({ component }) => component.born <= position);
  const items = there.map((cell) => ({
    label: cellName(cell),
    description: valueText(run, cell, cursor.value(cell.id)),
    ...(cell.means ? { detail: t(cell.means) } : {}),
    cell,
    written: lastWrite(run, cell.id, position)?.step ?? -1,
  }));
  // What was written last is asked about first.
  items.sort((a, b) => b.written - a.written);
  return (
    await vscode.window.showQuickPick(items, { title, placeHolder: t('Which value?'), matchOnDescription: true, matchOnDetail: true })
  )?.cell;
}
