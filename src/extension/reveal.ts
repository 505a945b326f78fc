import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { NO_STEP } from '../engine/journal';
import { describeReference, type Project, type Reference } from '../engine/reference';
import { annotation } from '../flows/annotation';
import { plain, withoutPictures } from '../flows/markdown';
import { referenceOfStep } from '../flows/places';
import type { Session } from '../flows/session';
import { versionNear, webLink } from '../sources/links';
import { remarkOn } from '../sources/remark';
import { isVersion } from '../sources/versions';
import { showError } from './errors';
import { locate, type Target } from './locate';
import type { Outlines } from './outline';
import type { SourceTrees } from './sourceTrees';
import type { StepComments } from './stepComments';

/** Follows the session in the editor: opens the step's line, marks it, and shows the annotation beside it. */
export interface Reveal extends vscode.Disposable {
  /** Opens the place of the current step; `takeFocus` puts the cursor there. */
  now(takeFocus: boolean): Promise<void>;
  /** Opens the place of another step, without going to it. */
  peek(step: number): Promise<void>;
}

/** Marks and annotates each step as the session moves. */
export function registerReveal(session: Session, sources: SourceTrees, outlines: Outlines, comments: StepComments): Reveal {
  const mark = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('editor.stackFrameHighlightBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.infoForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Full,
  });
  let shown: Target | undefined;
  /** Moves may come faster than files open: only the latest one is shown. */
  let latest = 0;

  async function now(takeFocus: boolean): Promise<void> {
    const mine = ++latest;
    const { run, position } = session;
    if (run === undefined || position === NO_STEP) return;
    const target = await targetOf(position);
    if (mine !== latest || target === undefined) return;
    const document = await openDocument(target.uri);
    if (mine !== latest || document === undefined) return;
    const line = Math.min(target.line, document.lineCount - 1);
    const editor = await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.One,
      preserveFocus: !takeFocus,
      preview: true,
      selection: new vscode.Range(line, 0, line, 0),
    });
    if (mine !== latest) return;
    shown = { ...target, line };
    editor.revealRange(new vscode.Range(line, 0, line, 0), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    paint();
    comments.show(document.uri, line, comment(session, target));
  }

  async function peek(step: number): Promise<void> {
    const target = await targetOf(step);
    const document = target && (await openDocument(target.uri));
    if (document === undefined) return;
    const line = Math.min(target!.line, document.lineCount - 1);
    const selection = new vscode.Range(line, 0, line, 0);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.One, preserveFocus: true, preview: true, selection });
    paint();
  }

  async function targetOf(n: number): Promise<Target | undefined> {
    const { run } = session;
    if (run === undefined || n >= run.journal.length) return undefined;
    return locate(sources, outlines, run.journal.step(n).site);
  }

  function paint(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const here = shown !== undefined && editor.document.uri.toString() === shown.uri.toString();
      editor.setDecorations(mark, here ? [editor.document.lineAt(Math.min(shown!.line, editor.document.lineCount - 1)).range] : []);
    }
    const active = vscode.window.activeTextEditor?.document.uri.toString();
    void vscode.commands.executeCommand('setContext', 'virtflow.editorOnStep', shown !== undefined && active === shown.uri.toString());
  }

  const subscriptions = [
    mark,
    vscode.window.onDidChangeVisibleTextEditors(paint),
    vscode.window.onDidChangeActiveTextEditor(paint),
    sources.onDidChange(() => void now(false)),
    { dispose: session.onDidChange(() => void now(false)) },
  ];
  return { now, peek, dispose: () => subscriptions.forEach((subscription) => subscription.dispose()) };
}

/** Opens a file, or an outline as C. Tells the reader if it cannot be opened. */
export async function openDocument(uri: vscode.Uri): Promise<vscode.TextDocument | undefined> {
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    return uri.scheme === 'virtflow-outline' && document.languageId !== 'c'
      ? await vscode.languages.setTextDocumentLanguage(document, 'c')
      : document;
  } catch (error) {
    showError(error, t('Virtflow cannot open {0}', uri.toString(true)));
    return undefined;
  }
}

/** What a step is about, with its chapter and its place. Everything variable goes in as text; no link can run anything. */
function comment(session: Session, { real }: Target): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString();
  const { run, position } = session;
  if (run === undefined) return markdown;
  markdown.appendMarkdown(annotation(run, position));
  const chapter = session.chapters.find((found) => found.step === position)?.chapter;
  if (chapter) markdown.appendMarkdown(`\n\n---\n\n**${plain(t(chapter.title))}**\n\n${withoutPictures(t(chapter.prose))}`);
  const reference = referenceOfStep(run.journal.step(position));
  const remark = reference && real && remarkOn(reference, real.tree, real.resolution);
  if (remark) markdown.appendMarkdown(`\n\n$(${remark.kind}) ${plain(remark.text)}`);
  if (reference) markdown.appendMarkdown(`\n\n[${describeReference(reference)}](${upstreamPage(reference, run.inputs.parameters)})`);
  markdown.supportThemeIcons = true;
  return markdown;
}

/** The upstream page of a reference, at the version that the reader chose, else the one that the run models. */
export function upstreamPage(reference: Reference, parameters: Readonly<Record<string, unknown>>): string {
  return webLink(reference, upstreamVersion(reference.project, parameters)).url;
}

/** The version of a project that web links of a run lead to: the one that the reader chose, unless it is none. */
export function upstreamVersion(project: Project, parameters: Readonly<Record<string, unknown>>): string {
  const chosen = vscode.workspace.getConfiguration('virtflow.upstream').get<string>(project)?.replace(/^v/, '');
  if (chosen !== undefined && isVersion(chosen)) return chosen;
  return versionNear(project, parameters[project]);
}
