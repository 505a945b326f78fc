import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { functionKey, type Edge, type KnownFunction } from '../../flows/functions';
import { edgeText, passing, passingText } from '../../flows/functionText';
import { plain } from '../../flows/markdown';
import type { Session } from '../../flows/session';
import { openDocument } from '../reveal';
import type { Locate } from './callHierarchy';
import type { KnownCode } from './known';

/** *Interrupt Call Hierarchy*: a view of our own, for where another extension answers VS Code's. */

/** Whom a function is reached from, or whom it leads to. */
export type Direction = 'callers' | 'callees';

/** A function, and the edge that leads to it from the node above. */
export interface HierarchyNode {
  readonly known: KnownFunction;
  readonly edge: Edge | undefined;
}

export interface HierarchyView extends vscode.Disposable {
  /** Shows a function: that of the key, else the one at the cursor. */
  show(key: unknown): Promise<void>;
  turn(direction: Direction): Promise<void>;
  /** Opens a node's place: of a caller, where it does it. */
  open(node: unknown): Promise<void>;
}

export function createHierarchyView(session: Session, code: KnownCode, locate: Locate): HierarchyView {
  const changed = new vscode.EventEmitter<void>();
  let root: HierarchyNode | undefined;
  let direction: Direction = 'callees';

  const view = vscode.window.createTreeView<HierarchyNode>('virtflow.callHierarchy', {
    showCollapseAll: true,
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      async getChildren(node) {
        if (node === undefined) return root && [root];
        const functions = await code.functions();
        return node.known[direction].flatMap((edge) => {
          const known = functions.get(functionKey(direction === 'callees' ? edge.to : edge.from));
          return known === undefined ? [] : [{ known, edge }];
        });
      },
      getTreeItem: (node) => itemOf(node),
    },
  });

  function itemOf(node: HierarchyNode): vscode.TreeItem {
    const { known, edge } = node;
    const { Expanded, Collapsed, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(known.fn.name, node === root ? Expanded : known[direction].length > 0 ? Collapsed : None);
    item.description = edge === undefined ? known.fn.home.path : edgeText(edge);
    item.iconPath = new vscode.ThemeIcon(iconOf(edge));
    item.tooltip = new vscode.MarkdownString(
      `**\`${known.fn.name}\`** · ${plain(known.fn.home.path)}\n\n${plain(t(known.fn.does))}\n\n${passingText(passing([known], session.run))}`,
    );
    item.contextValue = 'function';
    item.command = { command: 'virtflow.openHierarchyNode', title: t('Open'), arguments: [node] };
    return item;
  }

  function iconOf(edge: Edge | undefined): string {
    if (edge === undefined) return 'symbol-method';
    // As of “Run to Next Context”: another thread goes on.
    if (edge.handsOver) return 'debug-continue';
    return direction === 'callees' ? 'call-outgoing' : 'call-incoming';
  }

  async function turn(to: Direction): Promise<void> {
    direction = to;
    view.description = to === 'callees' ? t('Callees') : t('Callers');
    await vscode.commands.executeCommand('setContext', 'virtflow.callHierarchy', to);
    changed.fire();
  }

  return {
    async show(key) {
      const known = typeof key === 'string' ? (await code.functions()).get(key) : await atCursor(code);
      if (known === undefined) return code.tellNothing();
      root = { known, edge: undefined };
      await turn(direction);
      await vscode.commands.executeCommand('virtflow.callHierarchy.focus');
    },
    turn,
    async open(node) {
      if (!isNode(node)) return;
      const { known, edge } = node;
      const isCaller = edge !== undefined && edge.to !== known.fn;
      const place = await locate(known.fn, isCaller ? edge.anchor : undefined, edge?.visits ?? known.visits);
      const document = place && (await openDocument(place.uri));
      if (document) await vscode.window.showTextDocument(document, { selection: place.range, preserveFocus: true, preview: true });
    },
    dispose: () => vscode.Disposable.from(view, changed).dispose(),
  };
}

export const isNode = (value: unknown): value is HierarchyNode =>
  typeof value === 'object' && value !== null && 'known' in value && 'edge' in value;

async function atCursor(code: KnownCode): Promise<KnownFunction | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const { document, selection } = editor;
  const [named] = await code.namedAt(document, selection.active);
  return named ?? (await code.definitionAt(document.uri, selection.active))?.functions[0];
}
