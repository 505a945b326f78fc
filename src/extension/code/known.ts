import * as vscode from 'vscode';
import type { FnInfo } from '../../engine/fn';
import { referenceOf } from '../../engine/fn';
import { casesOf, functionKey, knowFunctions, type KnownFunction, type KnownFunctions } from '../../flows/functions';
import type { Resolution } from '../../sources/resolver';
import { isReferenced } from '../../sources/links';
import { placesOf } from '../../sources/places';
import { pause } from '../progress';
import type { BoundTree, SourceTrees, TreeFile } from '../sourceTrees';

/** Modelled functions in the reader's own files. */

/** A function of a file in which flows make steps: usually one modelled function, or several where one does the work of others. */
export interface Definition {
  readonly functions: readonly KnownFunction[];
  /** Its name. */
  readonly range: vscode.Range;
  /** From its name to the end of its body. */
  readonly whole: vscode.Range;
}

export interface KnownCode {
  /** What all flows do in each function. The runs are made when it is first asked for. */
  functions(): Promise<KnownFunctions>;
  /** Whether flows may pass a file: only then it is worth reading. */
  isKnown(uri: vscode.Uri): Promise<boolean>;
  /** The modelled functions of a file, in its order; also of what is being edited. */
  definitionsIn(uri: vscode.Uri): Promise<readonly Definition[]>;
  /** Where a modelled function, or an identifier in it, is in the reader's trees. */
  resolve(fn: FnInfo, anchor?: Parameters<typeof referenceOf>[1]): Promise<Located | undefined>;
}

/** A place in a tree of the reader's. */
export interface Located {
  readonly uri: vscode.Uri;
  readonly range: vscode.Range;
}

export function createKnownCode(sources: SourceTrees): KnownCode {
  let known: Promise<KnownFunctions> | undefined;
  const byTree = new WeakMap<BoundTree['resolver'], Promise<ReadonlyMap<string, readonly KnownFunction[]>>>();

  const functions = (): Promise<KnownFunctions> => (known ??= knowFunctions(casesOf(), pause));

  /** The functions that may be in each file of a tree. */
  function byPath({ tree, resolver }: BoundTree): Promise<ReadonlyMap<string, readonly KnownFunction[]>> {
    const found = byTree.get(resolver) ?? functions().then((all) => groupByPath(all, tree));
    byTree.set(resolver, found);
    return found;
  }

  async function knownFile(uri: vscode.Uri): Promise<TreeFile | undefined> {
    const file = await sources.fileOf(uri);
    return file && isReferenced(file.tree.project, file.path) ? file : undefined;
  }

  async function definitionsIn(uri: vscode.Uri): Promise<readonly Definition[]> {
    const file = await knownFile(uri);
    if (file === undefined) return [];
    const definitions = new Map<number, Definition>();
    for (const known of (await byPath(file)).get(file.path) ?? []) {
      const resolution = await file.resolver.resolve(referenceOf(known.fn)!);
      if (resolution.kind === 'missing' || resolution.path !== file.path) continue;
      const { definitionLine: line } = resolution;
      const earlier = definitions.get(line);
      const range = earlier?.range ?? rangeOf(resolution);
      definitions.set(line, { functions: [...(earlier?.functions ?? []), known], range, whole: range });
    }
    return [...definitions.values()].toSorted((a, b) => a.range.start.compareTo(b.range.start));
  }

  return {
    functions,
    isKnown: async (uri) => (await knownFile(uri)) !== undefined,
    definitionsIn,
    async resolve(fn, anchor) {
      const reference = referenceOf(fn, anchor);
      const found = reference && (await sources.resolve(reference));
      return found?.resolution.kind === 'found' ? { uri: found.uri, range: rangeOf(found.resolution) } : undefined;
    },
  };
}

function groupByPath(functions: KnownFunctions, { project, version }: BoundTree['tree']): ReadonlyMap<string, readonly KnownFunction[]> {
  const groups = new Map<string, KnownFunction[]>();
  for (const known of functions.values()) {
    const reference = referenceOf(known.fn);
    if (reference?.project !== project) continue;
    for (const path of new Set(placesOf(reference, version).map((place) => place.path)))
      groups.set(path, [...(groups.get(path) ?? []), known]);
  }
  return groups;
}

const rangeOf = ({ line, column, length }: Extract<Resolution, { kind: 'found' }>): vscode.Range =>
  new vscode.Range(line, column, line, column + length);
