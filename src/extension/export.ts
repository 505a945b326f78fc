import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Reference } from '../engine/reference';
import { FORMATS, type Format } from '../flows/export/formats';
import { chapterRange, readRange, stepsBetween, wholeRun, type StepRange } from '../flows/export/range';
import { locateAll, type Sources } from '../flows/export/sources';
import { storyOf } from '../flows/export/story';
import type { Told } from '../flows/export/told';
import { projectsOf, tour } from '../flows/export/tour';
import type { FlowRun } from '../flows/flow';
import { titleOf } from '../sources/tree';
import { whereaboutsOf } from '../sources/whereabouts';
import { section } from './picks';
import { upstreamVersion } from './reveal';
import type { SourceTrees } from './sourceTrees';

/** “Export…”: a run or a part of it in a format for others. */

/**
 * Asks for the format, the part of the run and where it should go, and exports. Whatever is dismissed ends it.
 * @param position the step that the reader stands on
 */
export async function exportRun(run: FlowRun, position: number, told: Told, trees: SourceTrees): Promise<void> {
  const format = await pickFormat();
  if (format === undefined) return;
  const range = await pickRange(run, position, told);
  if (range === undefined) return;
  const write = await pickWriter(format, run, range, told);
  if (write === undefined) return;
  const take = await pickTarget(format, `${run.flow.id}.${format.extension}`);
  if (take === undefined) return;
  const text = await written(format, write, run, range, told, trees);
  if (text !== undefined) await take(text);
}

async function pickFormat(): Promise<Format | undefined> {
  const items = FORMATS.map((format) => ({ label: t(t(format.title)), detail: t(format.description), format }));
  return (await vscode.window.showQuickPick(items, { title: t('Export'), placeHolder: t('As what?'), matchOnDetail: true }))?.format;
}

/** So many steps before and after the current one are “around” it. */
const AROUND = 60;

/** A part of a run that is offered; a separator has none. */
interface PartItem extends vscode.QuickPickItem {
  readonly range?: () => Promise<StepRange | undefined>;
}

async function pickRange(run: FlowRun, position: number, { chapters }: Told): Promise<StepRange | undefined> {
  const item = (label: string, range: StepRange): PartItem => ({
    label,
    description: t('steps {0} to {1}', range.first, range.end - 1),
    range: async () => range,
  });
  const items: readonly PartItem[] = [
    item(t('Whole Run'), wholeRun(run)),
    item(t('Around This Step'), stepsBetween(run, position - AROUND, position + AROUND)),
    { label: t('From Step to Step…'), range: () => askForSteps(run, position) },
    ...section(
      t('Chapters'),
      chapters.map(({ chapter: { title } }) => item(t(title), chapterRange(run, title, chapters))),
    ),
  ];
  const picked = await vscode.window.showQuickPick(items, { title: t('Export'), placeHolder: t('Which part?') });
  return picked?.range?.();
}

async function askForSteps(run: FlowRun, position: number): Promise<StepRange | undefined> {
  const around = stepsBetween(run, position, position + AROUND);
  const last = run.journal.length - 1;
  const given = await vscode.window.showInputBox({
    title: t('Export'),
    prompt: t('The first and the last step, from 0 to {0}', last),
    value: `${around.first}-${around.end - 1}`,
    validateInput: (text) => (readRange(run, text) ? undefined : t('Two whole numbers from 0 to {0}, as in {1}', last, `0-${last}`)),
  });
  return given === undefined ? undefined : readRange(run, given);
}

/** A tour is for one tree: asks for which, where it leads through several. */
async function pickWriter(format: Format, run: FlowRun, range: StepRange, { chapters }: Told): Promise<Format['write'] | undefined> {
  if (format.id !== 'tour') return format.write;
  const projects = projectsOf(storyOf(run, range, chapters));
  if (projects.length <= 1) return format.write;
  const items = projects.map((project) => ({ label: titleOf(project), project }));
  const picked = await vscode.window.showQuickPick(items, { title: t('Export'), placeHolder: t('For which source tree?') });
  return picked && ((of, part, told, sources) => tour(of, part, told, sources, picked.project));
}

/** Takes the text of an export. */
type Target = (text: string) => Promise<void>;

/** Asks where to, and in which file: before the work, for this too may be dismissed. */
async function pickTarget({ language }: Format, fileName: string): Promise<Target | undefined> {
  const items: readonly (vscode.QuickPickItem & { readonly target: () => Promise<Target | undefined> })[] = [
    { label: t('$(go-to-file) Open in Editor'), target: async () => (text) => openUntitled(text, language) },
    { label: t('$(save-as) Save As…'), target: () => pickFile(fileName) },
    { label: t('$(copy) Copy to Clipboard'), target: async () => copy },
  ];
  return (await vscode.window.showQuickPick(items, { title: t('Export'), placeHolder: t('Where to?') }))?.target();
}

async function copy(text: string): Promise<void> {
  await vscode.env.clipboard.writeText(text);
  vscode.window.setStatusBarMessage(t('Virtflow: copied'), 3000);
}

async function openUntitled(content: string, wanted: string): Promise<void> {
  // Mermaid is a language only where an extension says so.
  const language = (await vscode.languages.getLanguages()).includes(wanted) ? wanted : 'plaintext';
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content, language }));
}

async function pickFile(fileName: string): Promise<Target | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: t('Export'),
    saveLabel: t('Export'),
    ...(folder ? { defaultUri: vscode.Uri.joinPath(folder, fileName) } : {}),
  });
  return file && ((text) => save(file, text));
}

async function save(file: vscode.Uri, text: string): Promise<void> {
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  const open = await vscode.window.showInformationMessage(
    t('Virtflow: exported to {0}.', file.path.slice(file.path.lastIndexOf('/') + 1)),
    t('Open'),
  );
  if (open !== undefined) await vscode.commands.executeCommand('vscode.open', file);
}

/** So long the window may be busy before it gets a turn. */
const SLICE_MS = 25;

/** The export's text, or nothing if the reader cancelled. Short ones are done before any progress would show. */
async function written(
  format: Format,
  write: Format['write'],
  run: FlowRun,
  range: StepRange,
  told: Told,
  trees: SourceTrees,
): Promise<string | undefined> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: t('Virtflow: exporting as {0}', t(format.title)),
    cancellable: true,
  };
  return vscode.window.withProgress(options, async (progress, token) => {
    const sources = await lookUp(format.references(run, range, told), run, trees);
    const pieces: string[] = [];
    let length = 0;
    let turn = Date.now();
    for (const piece of write(run, range, told, sources)) {
      pieces.push(piece);
      length += piece.length;
      if (Date.now() - turn < SLICE_MS) continue;
      progress.report({ message: `${(length / 1e6).toFixed(1)} MB` });
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (token.isCancellationRequested) return undefined;
      turn = Date.now();
    }
    return pieces.join('');
  });
}

/** Where references stand: in the reader's trees as far as there are some, else upstream. */
async function lookUp(references: readonly Reference[], { inputs }: FlowRun, trees: SourceTrees): Promise<Sources> {
  return locateAll(references, async (reference) => {
    const tree = await trees.bound(reference.project);
    return whereaboutsOf(reference, upstreamVersion(reference.project, inputs.parameters), tree?.resolver);
  });
}
