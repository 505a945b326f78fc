import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Claims } from '../engine/reference';
import { CATALOGUE, requireFlow } from '../flows/catalogue';
import type { Flow } from '../flows/flow';
import { collectClaims, everyRun } from '../flows/places';
import { checkSources, type CheckFailure, type CheckReport, type Drift, type Spot } from '../sources/check';
import { titleOf, treeName, versionFileOf } from '../sources/tree';
import { pause } from './progress';
import type { BoundTree, SourceTrees } from './sourceTrees';

/** *Check Sources*: what the flows claim of source, held against the reader's trees, with what differs in the Problems view. For people who maintain annotations. */
export interface SourceCheck extends vscode.Disposable {
  /** @param ids the flows to check; all unless there are some */
  run(ids: readonly string[]): Promise<void>;
}

/** Makes ready to check; problems stay until the next check, or until the trees are others. */
export function registerSourceCheck(sources: SourceTrees): SourceCheck {
  const problems = vscode.languages.createDiagnosticCollection('virtflow-sources');
  const stop = sources.onDidChange(() => problems.clear());

  async function run(ids: readonly string[]): Promise<void> {
    const flows = ids.length === 0 ? CATALOGUE : ids.map(requireFlow);
    const trees = await sources.all();
    if (trees.length === 0) return askForTree();
    const reports = await reportsOn(trees, flows);
    if (reports === undefined) return;
    problems.clear();
    problems.set(await diagnosticsOf(reports, trees));
    void tell(reports);
  }

  return { run, dispose: () => vscode.Disposable.from(problems, stop).dispose() };
}

async function askForTree(): Promise<void> {
  const set = t('Set Source Folder…');
  const picked = await vscode.window.showInformationMessage(t('Virtflow: there is no source tree to check.'), set);
  if (picked === set) await vscode.commands.executeCommand('virtflow.setSourceFolder');
}

/** One report per tree, or nothing if the reader cancelled. */
async function reportsOn(trees: readonly BoundTree[], flows: readonly Flow[]): Promise<readonly CheckReport[] | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title: t('Virtflow: checking sources'), cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const claims = await claimsOf(flows, progress, token);
    if (claims === undefined) return undefined;
    progress.report({ message: trees.map(({ tree }) => treeName(tree)).join(', ') });
    const reports = await checkSources(
      trees.map(({ resolver }) => resolver),
      claims,
    );
    return token.isCancellationRequested ? undefined : reports;
  });
}

/** So long the window may be busy before it gets a turn. */
const SLICE_MS = 25;

/** Runs the flows in every way that makes a difference; nothing if that is cancelled. */
async function claimsOf(
  flows: readonly Flow[],
  progress: vscode.Progress<{ message?: string; increment?: number }>,
  token: vscode.CancellationToken,
): Promise<Claims | undefined> {
  const claims = collectClaims();
  let turn = Date.now();
  for (const flow of flows) {
    progress.report({ message: t(flow.title) });
    for (const run of everyRun(flow, {})) {
      claims.add(run);
      if (Date.now() - turn < SLICE_MS) continue;
      await pause();
      if (token.isCancellationRequested) return undefined;
      turn = Date.now();
    }
    progress.report({ increment: 100 / flows.length });
  }
  return claims;
}

/** What is gone warns, what upstream is known to have changed informs; each at the place nearest to it. */
async function diagnosticsOf(
  reports: readonly CheckReport[],
  trees: readonly BoundTree[],
): Promise<readonly [vscode.Uri, readonly vscode.Diagnostic[]][]> {
  const byFile = new Map<string, { readonly uri: vscode.Uri; readonly diagnostics: vscode.Diagnostic[] }>();
  const add = async (spot: Spot, message: string, severity: vscode.DiagnosticSeverity, code: string): Promise<void> => {
    const { uri, line } = await nearest(spot, trees);
    const diagnostic = new vscode.Diagnostic(new vscode.Range(line, 0, line, Number.MAX_SAFE_INTEGER), message, severity);
    diagnostic.source = 'Virtflow';
    diagnostic.code = code;
    const file = byFile.get(uri.toString()) ?? { uri, diagnostics: [] };
    byFile.set(uri.toString(), file);
    file.diagnostics.push(diagnostic);
  };
  for (const { failures, drift } of reports) {
    for (const failure of failures) await add(failure.spot, failureText(failure), vscode.DiagnosticSeverity.Warning, 'gone');
    for (const change of drift) await add(change.spot, driftText(change), vscode.DiagnosticSeverity.Information, change.kind);
  }
  return [...byFile.values()].map(({ uri, diagnostics }) => [uri, diagnostics]);
}

const failureText = ({ expected, message }: CheckFailure): string => t('expected {0}; {1}', expected, message);
const driftText = ({ place, message }: Drift): string => `${place}: ${message}`;

/** The line of a spot; the file's first line if it has none; in a file that is not there, that by which the tree is known. */
async function nearest(
  { project, path, line }: Spot,
  trees: readonly BoundTree[],
): Promise<{ readonly uri: vscode.Uri; readonly line: number }> {
  const { root, resolver } = trees.find(({ tree }) => tree.project === project)!;
  if ((await resolver.textOf(path)) === undefined) return { uri: vscode.Uri.joinPath(root, versionFileOf(project)), line: 0 };
  return { uri: vscode.Uri.joinPath(root, path), line: (line ?? 1) - 1 };
}

/** Says in a sentence per tree how it went. */
async function tell(reports: readonly CheckReport[]): Promise<void> {
  const sentences = reports.map(({ project, version, references, failures }) =>
    t(
      '{0} {1}: {2} of {3} references found, {4} not in this version, {5} gone.',
      titleOf(project),
      version,
      references.resolved,
      references.total,
      references.absent,
      failures.length,
    ),
  );
  const show = t('Show Problems');
  const picked = await vscode.window.showInformationMessage(`Virtflow: ${sentences.join(' ')}`, show);
  if (picked === show) await vscode.commands.executeCommand('workbench.actions.view.problems');
}
