import { anchorKey, anchorOfKey, type Project, type Reference } from '../engine/reference';
import type { Resolver } from './resolver';
import { compareVersions } from './versions';

/**
 * The index of line numbers, for readers without a tree. It holds facts alone: where in which version a function or an anchor stands. Most
 * numbers are the same in the next version, so that versions stand side by side, in columns.
 */
export type LineIndex = { readonly [P in Project]?: ProjectLines };

export interface ProjectLines {
  /** Oldest first. */
  readonly versions: readonly string[];
  /** By path, then by symbol, both as spelled in those versions. */
  readonly files: Readonly<Record<string, Readonly<Record<string, SymbolColumns>>>>;
}

export interface SymbolColumns {
  readonly line: Column;
  readonly length: Column;
  /** How many lines below the symbol's, by `anchorKey`. */
  readonly anchors?: Readonly<Record<string, Column>>;
}

/** One number per version, with commas between: nothing for the same as in the version before, `-` for none. Commas at the end are left out. */
export type Column = string;

/** Where a symbol stands in one version; lines count from 1, as they do in links. */
export interface SymbolLines {
  readonly line: number;
  /** How many lines the definition has. */
  readonly length: number;
  /** By `anchorKey`. */
  readonly anchors: ReadonlyMap<string, number>;
}

/** One version of one project: path, then symbol as spelled in that version. */
export type VersionLines = ReadonlyMap<string, ReadonlyMap<string, SymbolLines>>;

/** Where a symbol stands in a version, if the index knows. */
export function linesOf(lines: ProjectLines | undefined, version: string, path: string, symbol: string): SymbolLines | undefined {
  const columns = lines?.files[path]?.[symbol];
  const at = lines?.versions.indexOf(version) ?? -1;
  return columns === undefined || at < 0 ? undefined : readSymbol(columns, at);
}

function readSymbol({ line: lines, length: lengths, anchors = {} }: SymbolColumns, at: number): SymbolLines | undefined {
  const line = readColumn(lines, at);
  const length = readColumn(lengths, at);
  if (line === undefined || length === undefined) return undefined;
  const offsets = Object.entries(anchors).map(([key, column]) => [key, readColumn(column, at)] as const);
  return { line, length, anchors: new Map(offsets.flatMap(([key, offset]) => (offset === undefined ? [] : [[key, line + offset]]))) };
}

function readColumn(column: Column, at: number): number | undefined {
  const value = column
    .split(',')
    .slice(0, at + 1)
    .findLast((cell) => cell !== '');
  return value === undefined || value === '-' ? undefined : Number(value);
}

function writeColumn(values: readonly (number | undefined)[]): Column {
  const cells = values.map((value, i) => (i > 0 && value === values[i - 1] ? '' : String(value ?? '-')));
  return cells.join(',').replace(/,+$/, '');
}

/** Every reference that the index has of a file in any version: its symbols, and the identifiers in them. */
export function indexedIn(lines: ProjectLines | undefined, project: Project, path: string): readonly Reference[] {
  return Object.entries(lines?.files[path] ?? {}).flatMap(([symbol, { anchors = {} }]) => [
    { project, path, symbol },
    ...Object.keys(anchors).map((key) => ({ project, path, symbol, anchor: anchorOfKey(key) })),
  ]);
}

/**
 * One version's part of the index, made from a real tree of that version. References that the tree does not
 * hold, or that belong to another project, are left out.
 */
export async function readLines(resolver: Resolver, references: readonly Reference[]): Promise<VersionLines> {
  const paths = new Map<string, Map<string, SymbolLines & { readonly anchors: Map<string, number> }>>();
  for (const reference of references.filter(({ project }) => project === resolver.tree.project)) {
    const { project, path, symbol } = reference;
    const meant = await resolver.resolve(reference);
    const found = meant.kind === 'found' ? meant : await resolver.resolve({ project, path, symbol });
    if (found.kind === 'missing') continue;
    const symbols = getOrAdd(paths, found.path, () => new Map());
    const { definitionLine, endLine } = found;
    const known = symbols.get(found.symbol);
    // Under #if and #else a symbol may be defined twice, and its anchors stand in either.
    const anchors = known?.anchors ?? new Map<string, number>();
    if (found.anchor) anchors.set(anchorKey(found.anchor), found.line + 1);
    if (known === undefined || definitionLine + 1 < known.line)
      symbols.set(found.symbol, { line: definitionLine + 1, length: endLine - definitionLine + 1, anchors });
  }
  return paths;
}

/** The index with a version's part made anew. The order of everything is the alphabet's, and that of versions their age. */
export function withVersion(index: LineIndex, project: Project, version: string, lines: VersionLines): LineIndex {
  const before = index[project];
  const versions = [...new Set([...(before?.versions ?? []), version])].toSorted(compareVersions);
  const paths = sortedKeys(before?.files, lines);
  const files = paths.map((path) => {
    const symbols = sortedKeys(before?.files[path], lines.get(path));
    const columns = symbols.map((symbol) => {
      const inVersion = (each: string): SymbolLines | undefined =>
        each === version ? lines.get(path)?.get(symbol) : linesOf(before, each, path, symbol);
      return [symbol, columnsOf(versions.map(inVersion))] as const;
    });
    return [path, Object.fromEntries(columns.flatMap(([symbol, each]) => (each === undefined ? [] : [[symbol, each]])))] as const;
  });
  return { ...index, [project]: { versions, files: Object.fromEntries(files.filter(([, symbols]) => Object.keys(symbols).length > 0)) } };
}

/** The columns of a symbol in all versions; nothing if it is in none. */
function columnsOf(lines: readonly (SymbolLines | undefined)[]): SymbolColumns | undefined {
  if (lines.every((each) => each === undefined)) return undefined;
  const keys = [...new Set(lines.flatMap((each) => [...(each?.anchors.keys() ?? [])]))].toSorted();
  const offsets = keys.map((key) => {
    const below = lines.map((each) => (each?.anchors.has(key) ? each.anchors.get(key)! - each.line : undefined));
    return [key, writeColumn(below)] as const;
  });
  return {
    line: writeColumn(lines.map((each) => each?.line)),
    length: writeColumn(lines.map((each) => each?.length)),
    ...(keys.length > 0 ? { anchors: Object.fromEntries(offsets) } : {}),
  };
}

/** An index as it is committed: a symbol per line. */
export function printIndex(index: LineIndex): string {
  const list = (entries: readonly string[], indent: string): string => entries.map((entry) => `\n${indent}${entry}`).join(',');
  const projects = Object.entries(index).map(([project, { versions, files }]) => {
    const paths = Object.entries(files).map(([path, symbols]) => {
      const lines = Object.entries(symbols).map(([symbol, columns]) => `${JSON.stringify(symbol)}: ${JSON.stringify(columns)}`);
      return `${JSON.stringify(path)}: {${list(lines, '    ')}\n   }`;
    });
    return `"${project}": {\n  "versions": ${JSON.stringify(versions)},\n  "files": {${list(paths, '   ')}\n  }\n }`;
  });
  return `{${list(projects, ' ')}\n}\n`;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const added = create();
  map.set(key, added);
  return added;
}

const sortedKeys = (
  record: Readonly<Record<string, unknown>> | undefined,
  map: ReadonlyMap<string, unknown> | undefined,
): readonly string[] => [...new Set([...Object.keys(record ?? {}), ...(map?.keys() ?? [])])].toSorted();
