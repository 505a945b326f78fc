import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { PROJECTS, type Project } from '../../engine/reference';
import type { KnownFunctions } from '../../flows/functions';
import { isAbsent } from '../../sources/resolver';
import { titleOf, treeName } from '../../sources/tree';
import { pause } from '../progress';
import type { BoundTree, SourceTrees } from '../sourceTrees';
import type { KnownCode } from './known';
import { SOURCE_FILES } from './setting';

/** Which source trees are bound: in the language status of their files, and with what is found there when somebody asks. */

/** Says of the file in the active editor which tree Virtflow takes it for, and whether flows may pass it. */
export function registerStatus(sources: SourceTrees, code: KnownCode): vscode.Disposable {
  let item: vscode.LanguageStatusItem | undefined;

  async function update(): Promise<void> {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const isSource = uri !== undefined && /\.[chS]$/.test(uri.path);
    const file = isSource ? await sources.fileOf(uri) : undefined;
    const isKnown = isSource && (await code.isKnown(uri));
    if (uri !== vscode.window.activeTextEditor?.document.uri) return;
    void vscode.commands.executeCommand('setContext', 'virtflow.editorInFlows', isKnown);
    item?.dispose();
    item = undefined;
    if (file === undefined) return;
    item = vscode.languages.createLanguageStatusItem('virtflow.sources', SOURCE_FILES);
    item.name = 'Virtflow';
    item.text = treeName(file.tree);
    item.detail = isKnown ? t('Virtflow: flows pass this file') : t('Virtflow: no flow passes this file');
    item.command = { command: 'virtflow.showSourceTrees', title: t('Source Trees') };
  }

  void update();
  return vscode.Disposable.from(
    vscode.window.onDidChangeActiveTextEditor(() => void update()),
    sources.onDidChange(() => void update()),
    { dispose: () => item?.dispose() },
  );
}

interface TreeItem extends vscode.QuickPickItem {
  readonly tree: BoundTree | undefined;
}

/** *Show Source Trees*: the trees, and how many references of the flows are found in each, counted while one looks on. */
export async function showSourceTrees(sources: SourceTrees, code: KnownCode): Promise<void> {
  const pick = vscode.window.createQuickPick<TreeItem>();
  pick.title = t('Source Trees');
  pick.placeholder = t('Choose one to set its folder');
  pick.busy = true;
  let isOpen = true;
  pick.onDidHide(() => ((isOpen = false), pick.dispose()));
  pick.onDidAccept(() => {
    pick.hide();
    void vscode.commands.executeCommand('virtflow.setSourceFolder');
  });
  pick.items = await Promise.all(PROJECTS.map(async (project) => itemOf(project, await sources.bound(project))));
  pick.show();
  const functions = await code.functions();
  for (const { tree } of pick.items) {
    if (tree === undefined) continue;
    const detail = countText(await countIn(tree, functions, () => isOpen));
    if (!isOpen) return;
    pick.items = pick.items.map((each) => (each.tree === tree ? { ...each, detail } : each));
  }
  pick.busy = false;
}

function itemOf(project: Project, tree: BoundTree | undefined): TreeItem {
  if (tree === undefined) return { label: `$(circle-slash) ${titleOf(project)}`, description: t('no tree: steps open in outlines'), tree };
  const { root } = tree;
  const description = root.scheme === 'file' ? root.fsPath : root.toString(true);
  return { label: `$(repo) ${treeName(tree.tree)}`, description, detail: t('Counting references…'), tree };
}

interface Count {
  readonly total: number;
  readonly found: number;
  /** Not in this version, as upstream's history says. */
  readonly absent: number;
  readonly missing: readonly string[];
}

/** How many references to let the editor have its turn after. */
const SLICE = 100;

async function countIn({ tree, resolver }: BoundTree, functions: KnownFunctions, isWanted: () => boolean): Promise<Count> {
  const places = [...functions.values()].flatMap((known) => known.places);
  const own = places.flatMap(({ reference }) => (reference?.project === tree.project ? [reference] : []));
  let [found, absent] = [0, 0];
  const missing: string[] = [];
  for (const [index, reference] of own.entries()) {
    if (index % SLICE === 0) await pause();
    if (!isWanted()) break;
    const resolution = await resolver.resolve(reference);
    if (isAbsent(resolution)) absent++;
    else if (resolution.kind === 'found') found++;
    else missing.push(resolution.message);
  }
  return { total: own.length, found, absent, missing };
}

function countText({ total, found, absent, missing }: Count): string {
  const [first] = missing;
  return [
    t('{0} of {1} references found', found, total),
    ...(absent > 0 ? [t('{0} not in this version', absent)] : []),
    ...(first === undefined ? [] : [t('{0} not found, such as {1}', missing.length, first)]),
  ].join(' · ');
}
