import * as vscode from 'vscode';
import type { FnInfo } from '../../engine/fn';
import type { Anchor } from '../../engine/reference';
import { functionKey, type Edge, type KnownFunction, type Visit } from '../../flows/functions';
import { edgeText } from '../../flows/functionText';
import type { Outlines } from '../outline';
import type { KnownCode, Located } from './known';
import { SOURCE_FILES } from './setting';

/** Callers and callees across what no static tool follows, in VS Code's own call hierarchy. */

/** Where functions are: in the reader's trees, else in an outline. */
export type Locate = (fn: FnInfo, anchor: Anchor | undefined, visits: readonly Visit[]) => Promise<Located | undefined>;

export const createLocate =
  (code: KnownCode, outlines: Outlines): Locate =>
  async (fn, anchor, [visit]) => {
    const real = (await code.locate(fn, anchor)) ?? (anchor && (await code.locate(fn)));
    if (real) return real;
    const outline = outlines.find({ fn, anchor }, visit?.of) ?? outlines.find({ fn, anchor: undefined }, visit?.of);
    return outline && { uri: outline.uri, range: new vscode.Range(outline.line, 0, outline.line, fn.name.length) };
  };

/** Extensions that answer for C: VS Code asks only one, and what they know of plain calls is not to be hidden. */
const OTHERS = ['llvm-vs-code-extensions.vscode-clangd', 'ms-vscode.cpptools', 'ccls-project.ccls'];

/** Answers *Show Call Hierarchy* in modelled functions, unless another extension does. */
export function registerCallHierarchy(code: KnownCode, locate: Locate): vscode.Disposable {
  let registered: vscode.Disposable | undefined;
  function update(): void {
    const isOurs = !OTHERS.some((id) => vscode.extensions.getExtension(id));
    if (isOurs) registered ??= vscode.languages.registerCallHierarchyProvider(SOURCE_FILES, createProvider(code, locate));
    else registered = void registered?.dispose();
  }
  update();
  return vscode.Disposable.from(vscode.extensions.onDidChange(update), { dispose: () => registered?.dispose() });
}

function createProvider(code: KnownCode, locate: Locate): vscode.CallHierarchyProvider {
  const functions = new WeakMap<vscode.CallHierarchyItem, FnInfo>();

  async function itemOf(fn: FnInfo, detail: string, visits: readonly Visit[]): Promise<vscode.CallHierarchyItem | undefined> {
    const place = await locate(fn, undefined, visits);
    if (place === undefined) return undefined;
    const item = new vscode.CallHierarchyItem(vscode.SymbolKind.Function, fn.name, detail, place.uri, place.range, place.range);
    functions.set(item, fn);
    return item;
  }

  async function known(item: vscode.CallHierarchyItem): Promise<KnownFunction | undefined> {
    const fn = functions.get(item);
    return fn && (await code.functions()).get(functionKey(fn));
  }

  /** The place in the caller that does it, if it is in the same file as the caller's item. */
  async function sites({ from, anchor, visits }: Edge, uri: vscode.Uri): Promise<vscode.Range[]> {
    const site = anchor && (await locate(from, anchor, visits));
    return site?.uri.toString() === uri.toString() ? [site.range] : [];
  }

  return {
    async prepareCallHierarchy(document, position) {
      const named = await code.namedAt(document, position);
      const meant = named.length > 0 ? named : ((await code.definitionAt(document.uri, position))?.functions ?? []);
      const items = await Promise.all(meant.map(({ fn, visits }) => itemOf(fn, fn.home.path, visits)));
      return items.filter((item) => item !== undefined);
    },
    async provideCallHierarchyIncomingCalls(item) {
      const calls = ((await known(item))?.callers ?? []).map(async (edge) => {
        const from = await itemOf(edge.from, edgeText(edge), edge.visits);
        return from && new vscode.CallHierarchyIncomingCall(from, await sites(edge, from.uri));
      });
      return (await Promise.all(calls)).filter((call) => call !== undefined);
    },
    async provideCallHierarchyOutgoingCalls(item) {
      const calls = ((await known(item))?.callees ?? []).map(async (edge) => {
        const to = await itemOf(edge.to, edgeText(edge), edge.visits);
        return to && new vscode.CallHierarchyOutgoingCall(to, await sites(edge, item.uri));
      });
      return (await Promise.all(calls)).filter((call) => call !== undefined);
    },
  };
}
