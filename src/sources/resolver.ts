import { t } from '@vscode/l10n';
import { describeReference, type Anchor, type Reference } from '../engine/reference';
import { findAnchor } from './anchor';
import { scanAssembly } from './assembly';
import { readText, type SourceFiles } from './files';
import { historyOf, placesInTree, type Confidence, type Place, type Standing } from './history';
import { createPositions, type Position } from './positions';
import { scanC, type Definition } from './scanner';
import type { Tree } from './tree';

/** Lines and columns count from 0, as in VS Code; columns and lengths are in UTF-16 code units. */
export type Resolution = Found | Missing;

/** The anchor, or the symbol's name where it is defined if the reference has no anchor; or what stands for them in this version. */
export interface Found {
  readonly kind: 'found';
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  /** As spelled in this tree. */
  readonly symbol: string;
  /** As spelled in this tree; undefined where the symbol itself is meant. */
  readonly anchor: Anchor | undefined;
  /** What upstream's history says of the place. */
  readonly standing: Exclude<Standing, Nowhere>;
  readonly confidence: Confidence;
  /** Where the symbol's name stands in its definition. */
  readonly definitionLine: number;
  readonly definitionColumn: number;
  /** Where the definition ends; `definitionLine` if that was not found. */
  readonly endLine: number;
}

export interface Missing {
  readonly kind: 'missing';
  /** `not-in-version`: upstream's history knows that there is nothing to be found. */
  readonly reason: 'no-file' | 'refused' | 'no-symbol' | 'no-anchor' | 'not-in-version';
  /** For people; names the reference and every place that was looked at. */
  readonly message: string;
  /** Of the place that came closest. */
  readonly path: string;
  /** Where the symbol is defined, if only its anchor is missing. */
  readonly definitionLine?: number;
}

/** Whether a reference is not in a tree's version, as upstream's history says: what stands for it was found, or there is nothing that does. */
export const isAbsent = (resolution: Resolution): boolean =>
  resolution.kind === 'found' ? resolution.standing.kind === 'stand-in' : resolution.reason === 'not-in-version';

export interface Resolver {
  readonly tree: Tree;
  /** Never rejects for what the tree holds: unreadable and unexpected content is `missing`. */
  resolve(reference: Reference): Promise<Resolution>;
  /** The text of a file that a reference was found in. */
  textOf(path: string): Promise<string | undefined>;
  /** Forgets one file, or all of them, after a change on disk. */
  invalidate(path?: string): void;
}

type Source =
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly message: string }
  | {
      readonly kind: 'scanned';
      readonly text: string;
      readonly definitions: ReadonlyMap<string, readonly Definition[]>;
      readonly positionOf: (offset: number) => Position;
    };

type Scanned = Source & { kind: 'scanned' };

type Nowhere = Standing & { kind: 'nowhere' };

/** A place that may hold the reference. */
type Somewhere = Place & Pick<Found, 'standing'>;

/** Why one place did not hold the reference. */
type Objection = Pick<Missing, 'reason' | 'path' | 'message' | 'definitionLine'>;

/** The further down, the closer a place came to the reference. */
const CLOSENESS: readonly Missing['reason'][] = ['no-file', 'refused', 'no-symbol', 'no-anchor', 'not-in-version'];

const KIND_PREFERENCE: readonly Definition['kind'][] = ['function', 'routine', 'object', 'macro'];

/** A resolver for one tree. Each file is read and scanned once, whoever asks and however often. */
export function createResolver(tree: Tree, files: SourceFiles, history = historyOf(tree.project)): Resolver {
  const sources = new Map<string, Promise<Source>>();

  return { tree, resolve, textOf, invalidate };

  async function resolve(reference: Reference): Promise<Resolution> {
    const objections: Objection[] = [];
    for (const place of placesInTree(reference, tree.version, history)) {
      const { standing, path } = place;
      const result = standing.kind === 'nowhere' ? notInVersion(place, standing.why) : look(await sourceOf(path), { ...place, standing });
      if ('kind' in result) return result;
      objections.push(result);
    }
    return missing(reference, objections);
  }

  function notInVersion({ path }: Place, why: string): Objection {
    return { reason: 'not-in-version', path, message: t('it is not in {0}: {1}', tree.version, t(why)) };
  }

  async function textOf(path: string): Promise<string | undefined> {
    const source = await sourceOf(path);
    return source.kind === 'scanned' ? source.text : undefined;
  }

  function invalidate(path?: string): void {
    if (path === undefined) sources.clear();
    else sources.delete(path);
  }

  function sourceOf(path: string): Promise<Source> {
    const known = sources.get(path);
    if (known) return known;
    const source = readSource(files, path);
    sources.set(path, source);
    return source;
  }
}

async function readSource(files: SourceFiles, path: string): Promise<Source> {
  const content = await readText(files, path);
  if (content.kind !== 'text') return content;
  const { text } = content;
  const definitions = path.endsWith('.S') ? scanAssembly(text) : scanC(text);
  return { kind: 'scanned', text, definitions: byName(definitions), positionOf: createPositions(text) };
}

/** A function stands before a macro of the same name, as in `#define arch_hook arch_hook`; else the text's order counts. */
function byName(definitions: readonly Definition[]): ReadonlyMap<string, readonly Definition[]> {
  const named = new Map<string, Definition[]>();
  for (const definition of definitions) {
    const known = named.get(definition.name);
    if (known) known.push(definition);
    else named.set(definition.name, [definition]);
  }
  for (const known of named.values()) {
    known.sort((a, b) => KIND_PREFERENCE.indexOf(a.kind) - KIND_PREFERENCE.indexOf(b.kind) || a.nameStart - b.nameStart);
  }
  return named;
}

function look(source: Source, place: Somewhere): Found | Objection {
  const { path, symbol, anchor } = place;
  switch (source.kind) {
    case 'absent':
      return { reason: 'no-file', path, message: t('there is no {0}', path) };
    case 'refused':
      return { reason: 'refused', path, message: source.message };
    case 'scanned': {
      const definitions = source.definitions.get(symbol) ?? [];
      const [first] = definitions;
      if (first === undefined) return noSymbol(source, place);
      return anchor ? lookForAnchor(source, place, definitions, anchor) : foundDefinition(source, place, first);
    }
  }
}

function noSymbol(source: Scanned, { path, symbol }: Place): Objection {
  const unclosed = [...source.definitions.values()].flat().find(({ body }) => body === undefined);
  const message = unclosed
    ? t('{0} does not define {1}, as far as it can be read: the braces of {2} do not balance', path, symbol, unclosed.name)
    : t('{0} does not define {1}', path, symbol);
  return { reason: 'no-symbol', path, message };
}

/** A symbol may be defined more than once, under `#if` and `#else`: the first definition with the anchor is meant. */
function lookForAnchor(source: Scanned, place: Somewhere, definitions: readonly Definition[], anchor: Anchor): Found | Objection {
  for (const definition of definitions) {
    const span = definition.body && findAnchor(source.text, definition.body, anchor);
    if (span) return found(source, place, definition, span.start, span.end - span.start);
  }
  return noAnchor(source, place, definitions, anchor);
}

function noAnchor(source: Scanned, place: Place, definitions: readonly Definition[], anchor: Anchor): Objection {
  const { path, symbol } = place;
  const nameStart = definitions[0]?.nameStart ?? 0;
  const isOpen = definitions.every(({ body }) => body === undefined);
  const { token, as, after } = anchor;
  const wanted = as === 'call' ? t('a call of {0}', token) : after === undefined ? token : t('{0} behind {1}', token, after);
  const message = isOpen
    ? t('the end of {0} was not found in {1}: its braces do not balance', symbol, path)
    : t('{0} in {1} does not contain {2}', symbol, path, wanted);
  return { reason: 'no-anchor', path, message, definitionLine: source.positionOf(nameStart).line };
}

function foundDefinition(source: Scanned, place: Somewhere, definition: Definition): Found {
  return found(source, place, definition, definition.nameStart, definition.name.length);
}

function found(source: Scanned, place: Somewhere, definition: Definition, offset: number, length: number): Found {
  const { path, symbol, anchor, standing, confidence } = place;
  const { line: definitionLine, column: definitionColumn } = source.positionOf(definition.nameStart);
  const endLine = definition.body === undefined ? definitionLine : source.positionOf(definition.body.end).line;
  const defined = { definitionLine, definitionColumn, endLine };
  return { kind: 'found', path, symbol, anchor, standing, confidence, ...source.positionOf(offset), length, ...defined };
}

function missing(reference: Reference, objections: readonly Objection[]): Missing {
  const [closest, ...others] = objections.toSorted((a, b) => CLOSENESS.indexOf(b.reason) - CLOSENESS.indexOf(a.reason));
  if (closest === undefined) throw new Error(`no place to look at for ${describeReference(reference)}`);
  const reasons = [closest, ...others].map(({ message }) => message).join('; ');
  return { kind: 'missing', ...closest, message: `${describeReference(reference)}: ${reasons}` };
}
