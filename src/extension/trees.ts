import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { NO_STEP } from '../engine/journal';
import { stackAt } from '../engine/timeline';
import { CATALOGUE } from '../flows/catalogue';
import { contextKind, type ContextKind } from '../flows/contexts';
import { presetOf, type Chapter, type Flow, type FlowRun, type Preset } from '../flows/flow';
import { withoutPictures } from '../flows/markdown';
import type { Session } from '../flows/session';
import { edgeTitle, resultText, threadTitle, writeText, writesOf } from '../flows/text';
import { chainOf, type Chain, type ChainNode } from './chain';

/** The trees of the side bar: the catalogue, and the call chain of the run. */

type FlowNode =
  | { readonly kind: 'system'; readonly title: string }
  | { readonly kind: 'flow'; readonly flow: Flow }
  | { readonly kind: 'presets'; readonly flow: Flow }
  | { readonly kind: 'preset'; readonly flow: Flow; readonly preset: Preset }
  | { readonly kind: 'chapter'; readonly flow: Flow; readonly chapter: Chapter; readonly step: number | undefined };

/** *Flows*: system, flow, chapters and presets. */
export function registerFlowsTree(session: Session): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const view = vscode.window.createTreeView<FlowNode>('virtflow.flows', {
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren(node) {
        if (node === undefined) return [...new Set(CATALOGUE.map(({ system }) => system))].map((title) => ({ kind: 'system', title }));
        switch (node.kind) {
          case 'system':
            return CATALOGUE.filter(({ system }) => system === node.title).map((flow) => ({ kind: 'flow', flow }));
          case 'flow': {
            const steps = session.run?.flow === node.flow ? session.chapters : [];
            const { flow } = node;
            const chapters = toldOf(session, flow).map((chapter): FlowNode => {
              const step = steps.find((found) => found.chapter.title === chapter.title)?.step;
              return { kind: 'chapter', flow, chapter, step };
            });
            return flow.presets.length === 0 ? chapters : [...chapters, { kind: 'presets', flow }];
          }
          case 'presets':
            return node.flow.presets.map((preset) => ({ kind: 'preset', flow: node.flow, preset }));
          case 'chapter':
          case 'preset':
            return [];
        }
      },
      getTreeItem: (node) => flowItem(node, session),
    },
  });
  const stop = session.onDidChange((change) => change === 'run' && changed.fire());
  return vscode.Disposable.from(view, changed, { dispose: stop });
}

/** The chapters of a flow: those of the scenario that is explored, if it is one of this flow. */
const toldOf = ({ run, scenario, chapters }: Session, flow: Flow): readonly Chapter[] =>
  run?.flow === flow && scenario !== undefined ? chapters.map(({ chapter }) => chapter) : flow.chapters;

function flowItem(node: FlowNode, session: Session): vscode.TreeItem {
  switch (node.kind) {
    case 'system': {
      const item = new vscode.TreeItem(t(node.title), vscode.TreeItemCollapsibleState.Expanded);
      item.iconPath = new vscode.ThemeIcon('server-environment');
      return item;
    }
    case 'flow': {
      const { Expanded, Collapsed } = vscode.TreeItemCollapsibleState;
      const item = new vscode.TreeItem(t(node.flow.title), session.run?.flow === node.flow ? Expanded : Collapsed);
      // Another identity when the run changes: what is explored opens by itself.
      item.id = `${node.flow.id} ${session.run?.flow === node.flow}`;
      const told = session.run?.flow === node.flow ? session.scenario?.content.title : undefined;
      item.description = told ?? node.flow.id;
      item.tooltip = t(node.flow.summary);
      item.iconPath = new vscode.ThemeIcon(session.run?.flow === node.flow ? 'pulse' : 'symbol-event');
      item.command = { command: 'virtflow.exploreFlow', title: t('Explore Flow'), arguments: [node.flow.id] };
      item.contextValue = 'flow';
      return item;
    }
    case 'presets': {
      const item = new vscode.TreeItem(t('Presets'), vscode.TreeItemCollapsibleState.Collapsed);
      item.description = `${node.flow.presets.length}`;
      item.tooltip = t('Cases worth seeing: defects of the hardware’s and of upstream’s, and other surprises');
      item.iconPath = new vscode.ThemeIcon('beaker');
      return item;
    }
    case 'preset': {
      const { flow, preset } = node;
      const item = new vscode.TreeItem(t(preset.title), vscode.TreeItemCollapsibleState.None);
      item.description = session.run?.flow === flow && presetOf(session.run) === preset ? t('this run') : '';
      item.tooltip = new vscode.MarkdownString(t(preset.prose));
      item.iconPath = new vscode.ThemeIcon('beaker');
      item.command = { command: 'virtflow.explorePreset', title: t('Explore Preset'), arguments: [flow.id, preset.id] };
      return item;
    }
    case 'chapter': {
      const item = new vscode.TreeItem(t(node.chapter.title), vscode.TreeItemCollapsibleState.None);
      item.tooltip = new vscode.MarkdownString(withoutPictures(t(node.chapter.prose)));
      item.iconPath = new vscode.ThemeIcon('bookmark');
      if (node.step === undefined) item.description = session.run?.flow === node.flow ? t('not in this run') : '';
      item.command = { command: 'virtflow.exploreFlow', title: t('Go to Chapter'), arguments: [node.flow.id, node.chapter.title] };
      return item;
    }
  }
}

/** *Call chain*: every function of the run in the order in which it ran, with what it called and wrote. */
export function registerChainTree(session: Session): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  /** Made when somebody looks. */
  let made: { readonly run: FlowRun; readonly chain: Chain } | undefined;
  function chain(): Chain | undefined {
    const { run } = session;
    if (run !== undefined && made?.run !== run) made = { run, chain: chainOf(run) };
    return run && made?.chain;
  }

  const view = vscode.window.createTreeView<ChainNode>('virtflow.chain', {
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren: (node) => [...(chain()?.children(node) ?? [])],
      getParent: (node) => chain()?.parent(node),
      getTreeItem: (node) =>
        node.kind === 'step' ? chainItem(session, node.step, chain()!.hasChildren(node.step)) : partItem(chain()!, node),
    },
  });
  const stop = session.onDidChange((change) => {
    if (change === 'run') changed.fire();
    void follow();
  });

  async function follow(): Promise<void> {
    const { run, position } = session;
    if (run === undefined || !view.visible || position === NO_STEP) return;
    view.message = t('Step {0} of {1}: {2}', position, run.journal.length - 1, stackAt(run, position)[0]?.enter.site.fn.name ?? '');
    await Promise.resolve(view.reveal(chain()!.shown(position), { select: true, focus: false, expand: false })).catch(() => undefined);
  }

  return vscode.Disposable.from(
    view,
    changed,
    view.onDidChangeVisibility(() => void follow()),
    { dispose: stop },
  );
}

const ICONS: Readonly<Record<ContextKind, string>> = {
  device: 'circuit-board',
  hardirq: 'zap',
  kworker: 'gear',
  qemu: 'vm',
  vcpu: 'vm-active',
  guest: 'account',
  other: 'circle',
};

/** Some of the many steps of a function. */
function partItem(chain: Chain, node: ChainNode): vscode.TreeItem {
  const [first, last] = chain.span(node);
  const item = new vscode.TreeItem(t('Steps {0} to {1}', first, last), vscode.TreeItemCollapsibleState.Collapsed);
  item.id = `${first} to ${last}`;
  item.iconPath = new vscode.ThemeIcon('ellipsis');
  return item;
}

function chainItem(session: Session, n: number, hasChildren: boolean): vscode.TreeItem {
  const run = session.run!;
  const step = run.journal.step(n);
  const { fn, anchor, note } = step.site;
  const thread = run.threads[step.thread]!;
  const label = step.kind === 'enter' ? fn.name : (anchor?.token ?? fn.name);
  const item = new vscode.TreeItem(label, hasChildren ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
  // By an id: VS Code finds a node that it has not shown yet by its label else, and siblings often have the same.
  item.id = String(n);
  const writes = writesOf(run, n).map((write) => writeText(run, write));
  const details = [
    step.parent === NO_STEP ? threadTitle(thread) : undefined,
    step.edge === 'none' || step.edge === 'call' || step.edge === 'root' ? undefined : edgeTitle(step.edge),
    writes.length > 0 ? t('writes') : undefined,
    resultText(step),
  ];
  item.description = details.filter((detail) => detail !== undefined).join(' · ');
  item.tooltip = [t(note ?? fn.does), ...writes].join('\n\n');
  const icon =
    step.parent === NO_STEP
      ? ICONS[contextKind(thread.context)]
      : step.kind === 'enter'
        ? 'symbol-method'
        : writes.length > 0
          ? 'edit'
          : 'debug-stackframe-dot';
  item.iconPath = new vscode.ThemeIcon(icon);
  item.command = { command: 'virtflow.seek', title: t('Go to Step'), arguments: [n] };
  return item;
}
