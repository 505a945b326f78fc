import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { HOMES, referenceOf, type FnInfo } from '../../engine/fn';
import { PROJECTS, type Anchor, type Project } from '../../engine/reference';
import { casesOf } from '../../flows/cases';
import { functionKey, knowFunctions, type KnownFunction, type KnownFunctions, type KnownPlace } from '../../flows/functions';
import { pathsOf, placesInTree } from '../../sources/history';
import { isWordAt } from '../../sources/lexer';
import { remarkOn } from '../../sources/remark';
import type { Found } from '../../sources/resolver';
import { pause } from '../progress';
import type { BoundTree, SourceTrees, TreeFile } from '../sourceTrees';

/** Modelled functions in the reader's own files. */

/** A function of a file in which flows make steps: usually one modelled function, several where one does the work of others. */
export interface Definition {
  readonly functions: readonly KnownFunction[];
  /** Its name. */
  readonly range: vscode.Range;
  /** From its name to its end. */
  readonly whole: vscode.Range;
}

/** A place in a tree of the reader's. */
export interface Located {
  readonly uri: vscode.Uri;
  readonly range: vscode.Range;
}

export interface KnownCode {
  /** What the flows do in each function. Their runs are made when this is first asked for. */
  functions(): Promise<KnownFunctions>;
  /** Whether flows may pass a file; all others are not even read. */
  isKnown(uri: vscode.Uri): Promise<boolean>;
  /** Tells the reader that there is nothing to go to, and what can be done about it. */
  tellNothing(): Promise<void>;
  /** The modelled functions of a file, in its order, also while it is being edited. */
  definitionsIn(uri: vscode.Uri): Promise<readonly Definition[]>;
  /** The modelled function that a place is in. */
  definitionAt(uri: vscode.Uri, position: vscode.Position): Promise<Definition | undefined>;
  /** The functions that the name at a place means: that which it defines, or those that it calls or hands over to. */
  namedAt(document: vscode.TextDocument, position: vscode.Position): Promise<readonly KnownFunction[]>;
  /** The places on a line that steps stand on. */
  placesOn(uri: vscode.Uri, line: number): Promise<readonly (KnownPlace & { readonly fn: FnInfo })[]>;
  /** What is to be known of a function's place in the reader's tree, such as that it has another name there. */
  remarkOn(fn: FnInfo): Promise<string | undefined>;
  /** Where a function, or an identifier in it, is in the reader's trees. */
  locate(fn: FnInfo, anchor?: Anchor): Promise<Located | undefined>;
}

export function createKnownCode(sources: SourceTrees): KnownCode {
  const paths = new Map(PROJECTS.map((project) => [project, pathsIn(project)]));
  let known: Promise<KnownFunctions> | undefined;
  const byTree = new WeakMap<BoundTree['tree'], Promise<ReadonlyMap<string, readonly KnownFunction[]>>>();

  const functions = (): Promise<KnownFunctions> => (known ??= knowFunctions(casesOf(), pause));

  async function knownFile(uri: vscode.Uri): Promise<TreeFile | undefined> {
    const file = await sources.fileOf(uri);
    return file && paths.get(file.tree.project)?.has(file.path) ? file : undefined;
  }

  /** The functions that may be in each file of a tree. */
  function byPath({ tree }: BoundTree): Promise<ReadonlyMap<string, readonly KnownFunction[]>> {
    let grouped = byTree.get(tree);
    if (grouped === undefined) byTree.set(tree, (grouped = functions().then((all) => groupByPath(all, tree))));
    return grouped;
  }

  async function definitionsIn(uri: vscode.Uri): Promise<readonly Definition[]> {
    const file = await knownFile(uri);
    if (file === undefined) return [];
    const definitions = new Map<number, Definition>();
    for (const one of (await byPath(file)).get(file.path) ?? []) {
      const found = await file.resolver.resolve(referenceOf(one.fn)!);
      if (found.kind === 'missing' || found.path !== file.path) continue;
      const others = definitions.get(found.definitionLine)?.functions ?? [];
      // The function itself comes before those whose work it does in this version.
      const functions = found.standing.kind === 'stand-in' ? [...others, one] : [one, ...others];
      definitions.set(found.definitionLine, { functions, ...extentOf(found) });
    }
    return [...definitions.values()].toSorted((a, b) => a.range.start.compareTo(b.range.start));
  }

  async function definitionAt(uri: vscode.Uri, position: vscode.Position): Promise<Definition | undefined> {
    return (await definitionsIn(uri)).find(({ whole }) => whole.contains(position) || whole.start.line === position.line);
  }

  async function locate(fn: FnInfo, anchor?: Anchor): Promise<Located | undefined> {
    const reference = referenceOf(fn, anchor);
    const found = reference && (await sources.resolve(reference));
    return found?.resolution.kind === 'found' ? { uri: found.uri, range: rangeOf(found.resolution) } : undefined;
  }

  return {
    functions,
    isKnown: async (uri) => (await knownFile(uri)) !== undefined,
    async tellNothing() {
      const uri = vscode.window.activeTextEditor?.document.uri;
      if (uri === undefined || (await sources.fileOf(uri)) !== undefined)
        return void vscode.window.showInformationMessage(t('Virtflow: no flow passes here.'));
      const set = t('Set Source Folder…');
      const chosen = await vscode.window.showInformationMessage(
        t('Virtflow: this file is in none of your Linux, QEMU or ACRN trees.'),
        set,
      );
      if (chosen === set) await vscode.commands.executeCommand('virtflow.setSourceFolder');
    },
    definitionsIn,
    definitionAt,
    async namedAt(document, position) {
      const range = document.getWordRangeAtPosition(position, /\w+/);
      const definition = range && (await definitionAt(document.uri, position));
      if (range === undefined || definition === undefined) return [];
      if (definition.range.contains(position)) return definition.functions;
      const name = document.getText(range);
      const code = document.getText(new vscode.Range(definition.whole.start, range.end));
      if (!isWordAt(code, code.length - name.length)) return [];
      const all = await functions();
      const callees = definition.functions.flatMap((one) => one.callees);
      const meant = callees.filter(({ anchor, to }) => anchor?.token === name || to.name === name);
      return [...new Set(meant.map(({ to }) => to))].flatMap((fn) => all.get(functionKey(fn)) ?? []);
    },
    async placesOn(uri, line) {
      const definition = await definitionAt(uri, new vscode.Position(line, 0));
      const places = definition?.functions.flatMap(({ fn, places: all }) => all.map((place) => ({ ...place, fn }))) ?? [];
      const located = await Promise.all(places.map(({ fn, anchor }) => locate(fn, anchor)));
      return places.filter((_, index) => located[index]?.range.start.line === line && located[index].uri.toString() === uri.toString());
    },
    async remarkOn(fn) {
      const reference = referenceOf(fn);
      const found = reference && (await sources.resolve(reference));
      return found && remarkOn(reference, found.tree, found.resolution)?.text;
    },
    locate,
  };
}

/** The files of a project that modelled functions are in, in any version. */
const pathsIn = (project: Project): ReadonlySet<string> =>
  new Set(HOMES.filter(({ world }) => world === project).flatMap(({ path }) => pathsOf(project, path)));

function groupByPath(functions: KnownFunctions, { project, version }: BoundTree['tree']): ReadonlyMap<string, readonly KnownFunction[]> {
  const groups = new Map<string, KnownFunction[]>();
  for (const one of functions.values()) {
    const reference = referenceOf(one.fn);
    if (reference?.project !== project) continue;
    for (const path of new Set(placesInTree(reference, version).map((place) => place.path))) {
      const group = groups.get(path);
      if (group === undefined) groups.set(path, [one]);
      else group.push(one);
    }
  }
  return groups;
}

function extentOf({ definitionLine, definitionColumn, symbol, endLine }: Found): Pick<Definition, 'range' | 'whole'> {
  const range = new vscode.Range(definitionLine, definitionColumn, definitionLine, definitionColumn + symbol.length);
  return { range, whole: new vscode.Range(range.start, new vscode.Position(endLine, Number.MAX_SAFE_INTEGER)) };
}

const rangeOf = ({ line, column, length }: Found): vscode.Range => new vscode.Range(line, column, line, column + length);
