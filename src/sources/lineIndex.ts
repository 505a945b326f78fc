import { anchorKey, type Reference } from '../engine/reference';
import type { Resolver } from './resolver';

/** Line numbers count from 1 here, as they do in links. Anchors are keyed by `anchorKey`. */
export interface SymbolLines {
  readonly line: number;
  readonly anchors?: Readonly<Record<string, number>>;
}

/** One version of one project: path, then symbol as spelled in that version. */
export type VersionLines = Readonly<Record<string, Readonly<Record<string, SymbolLines>>>>;

/** Per project, then per version. */
export type LineIndex = Readonly<Record<string, Readonly<Record<string, VersionLines>>>>;

/**
 * One version's part of the index, made from a real tree of that version. References that the tree does not
 * hold, or that belong to another project, are left out; the order of paths, symbols and anchors is the
 * alphabet's, whatever the order of the references.
 */
export async function buildIndex(resolver: Resolver, references: readonly Reference[]): Promise<VersionLines> {
  const paths = new Map<string, Map<string, CollectedLines>>();

  for (const reference of references.filter(({ project }) => project === resolver.tree.project)) {
    const { project, path, symbol } = reference;
    const meant = await resolver.resolve(reference);
    const found = meant.kind === 'found' ? meant : await resolver.resolve({ project, path, symbol });
    if (found.kind === 'missing') continue;
    const symbols = getOrAdd(paths, found.path, () => new Map<string, CollectedLines>());
    const lines = getOrAdd(symbols, found.symbol, () => ({ line: Infinity, anchors: new Map() }));
    // Under #if and #else a symbol may be defined twice, and its anchors stand in either.
    lines.line = Math.min(lines.line, found.definitionLine + 1);
    if (found.anchor) lines.anchors.set(anchorKey(found.anchor), found.line + 1);
  }

  return sorted(paths, (symbols) => sorted(symbols, entryOf));
}

interface CollectedLines {
  line: number;
  readonly anchors: Map<string, number>;
}

function entryOf({ line, anchors }: CollectedLines): SymbolLines {
  return anchors.size > 0 ? { line, anchors: sorted(anchors, (at) => at) } : { line };
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const added = create();
  map.set(key, added);
  return added;
}

function sorted<V, R>(map: ReadonlyMap<string, V>, convert: (value: V) => R): Readonly<Record<string, R>> {
  const entries = [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, value]) => [key, convert(value)]));
}
