import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';
import { allNotes, findNotes } from '../flows/scenario/notes';
import { readScenario, type Scenario } from '../flows/scenario/scenario';
import { scenarioText, withChapter, withInputsOf } from '../flows/scenario/write';
import type { Session } from '../flows/session';
import { openText, replaceText } from './documents';
import type { Scenarios } from './scenarios';

/** The run that is explored as a scenario: in a file of its own, or back into the one that it came from. */

/** *Save Run as Scenario…*: asks for a title and a file, writes the scenario and explores it from there. */
export async function saveRunAsScenario(session: Session, scenarios: Scenarios, notes: readonly Note[]): Promise<void> {
  const { run, scenario } = session;
  if (run === undefined) return;
  const title = await vscode.window.showInputBox({
    title: t('Save Run as Scenario'),
    prompt: t('What does it show?'),
    value: scenario?.content.title ?? run.flow.title,
    validateInput: (given) => (given.trim() === '' ? t('A title') : undefined),
  });
  if (title === undefined) return;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: t('Save Run as Scenario'),
    // Not `virtflow.json`: VS Code’s own dialog would append it again.
    filters: { [t('Scenarios')]: ['json'] },
    ...(folder ? { defaultUri: vscode.Uri.joinPath(folder, `${fileName(title)}.virtflow.json`) } : {}),
  });
  if (file === undefined) return;
  const text = scenarioText(run, {
    title,
    chapters: session.chapters,
    notes: findNotes(run, allNotes(scenario, notes)).flatMap(({ kind, note }) => (kind === 'here' ? [note] : [])),
    scenario,
  });
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  await vscode.window.showTextDocument(file, { preview: false });
  await scenarios.explore(file);
}

/** *Save Run to Scenario*: parameters, stimuli, what was set by hand and the seed; all else in the file stays. */
export async function saveRunToScenario(session: Session, scenarios: Scenarios): Promise<void> {
  const { run } = session;
  if (run === undefined) return;
  const { document } = await scenarioFile(scenarios);
  await replaceText(document, withInputsOf(document.getText(), run));
}

/** *Add Chapter at This Step…*: asks for its title and adds it to the scenario’s file, where its prose is to be written. */
export async function addChapter(session: Session, scenarios: Scenarios): Promise<void> {
  const { run, position } = session;
  if (run === undefined) return;
  const { document, scenario } = await scenarioFile(scenarios);
  const title = await vscode.window.showInputBox({
    title: t('Add Chapter at Step {0}', position),
    prompt: t('The chapter’s title'),
    validateInput: (given) => (given.trim() === '' ? t('A title') : undefined),
  });
  if (title === undefined) return;
  const prose = run.journal.step(position).site.fn.does;
  await replaceText(document, withChapter(document.getText(), run, scenario, { title, prose, step: position }));
  await vscode.window.showTextDocument(document, { preview: false });
}

/** The file of the scenario that is explored, as it is now. @throws Error if there is none, or if it is malformed by now */
async function scenarioFile({ file }: Scenarios): Promise<{ readonly document: vscode.TextDocument; readonly scenario: Scenario }> {
  if (file === undefined) throw new Error(t('no scenario is explored: choose “Open Scenario…” first'));
  const document = await openText(file);
  const read = readScenario(document.getText());
  if (read.kind === 'malformed') throw new Error(t('{0} has mistakes; correct them first', vscode.workspace.asRelativePath(file)));
  return { document, scenario: read.scenario };
}

const fileName = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}]+/gu, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 60) || 'scenario';
