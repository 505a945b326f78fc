import { t } from '@vscode/l10n';
import { createScanner, findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import type * as z from 'zod/mini';
import { describeIssues, issueMessage } from './issues';

/** Files that people write: JSON with comments and trailing commas, read whole, with the place of everything that is wrong. */

/** Where in a file's value something is: names of properties and indexes. */
export type Path = readonly (string | number)[];

/** Something wrong in a file, and where: offsets count UTF-16 units, as editors do. */
export interface Mistake {
  /** `syntax` and `shape` are what a JSON editor with the schema says by itself; `meaning` is known here alone. */
  readonly kind: 'syntax' | 'shape' | 'meaning';
  readonly message: string;
  readonly offset: number;
  readonly length: number;
}

/** A file that has been read, whatever it holds. */
export interface JsonFile {
  readonly text: string;
  /** Undefined where it is no JSON: guesses at what was meant would be told as further mistakes. */
  readonly value: unknown;
  readonly mistakes: readonly Mistake[];
  /** The part of the text that holds a value, or the innermost one around it that is there. */
  readonly span: (path: Path) => Span;
}

export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Longer than anything that people write by hand. */
export const LONGEST = 1_000_000;
/** Deeper than any of these formats; the parser calls itself at every level. */
const DEEPEST = 32;
/** Nobody reads on for longer than this, and each costs a search for its place. */
const MOST_MISTAKES = 100;

/** Reads a text as JSON. Never throws: what is no JSON, too long or too deep is a mistake. */
export function readJson(text: string): JsonFile {
  const refused = refusal(text);
  if (refused !== undefined) return { text, value: undefined, mistakes: [refused], span: () => ({ offset: 0, length: 0 }) };
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  // The parser looks for the end of a comment behind the end of the text.
  const mistakes = errors
    .slice(0, MOST_MISTAKES)
    .map(({ error, offset, length }) =>
      syntax(words(printParseErrorCode(error)), Math.min(offset, text.length), Math.max(0, Math.min(length, text.length - offset))),
    );
  return {
    text,
    value: root === undefined || mistakes.length > 0 ? undefined : (getNodeValue(root) as unknown),
    mistakes: mistakes.length > 0 || root === undefined ? mistakes : doubledNames(root).slice(0, MOST_MISTAKES),
    span: (path) => spanOf(root, path),
  };
}

/** Reads a file's value as something of a shape: what it is, or nothing, and the mistakes. */
export function readAs<T>(
  shape: z.ZodMiniType<T>,
  file: JsonFile,
): { readonly value: T | undefined; readonly mistakes: readonly Mistake[] } {
  if (file.value === undefined) return { value: undefined, mistakes: file.mistakes };
  const result = shape.safeParse(file.value, { error: issueMessage });
  const mistakes = describeIssues(result.error?.issues ?? [], file.value)
    .slice(0, MOST_MISTAKES)
    .map(({ path, message }) => ({ kind: 'shape' as const, message, ...file.span(path) }));
  return { value: result.data, mistakes: [...file.mistakes, ...mistakes] };
}

/**
 * A mistake in what a value of a file means.
 * @param within where in a text that the value is
 */
export function meaning(file: JsonFile, path: Path, message: string, within?: number): Mistake {
  const { offset, length } = file.span(path);
  const isPlain = !file.text.slice(offset, offset + length).includes('\\');
  const [from, rest] =
    within === undefined || !isPlain || within + 2 > length ? [offset, length] : [offset + 1 + within, length - 1 - within];
  return { kind: 'meaning', message, offset: from, length: rest };
}

/** Mistakes in the order of the file, each once: several readers may look at the same part. */
export const inOrder = (mistakes: readonly Mistake[]): readonly Mistake[] =>
  [...new Map(mistakes.map((mistake) => [`${mistake.offset} ${mistake.message}`, mistake])).values()].toSorted(
    (a, b) => a.offset - b.offset,
  );

/** Line and column of an offset, both from 1, as compilers say them. */
export function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

/** Why a text is not even looked at; a JSON editor would. */
function refusal(text: string): Mistake | undefined {
  const refused = (message: string, offset: number, length: number): Mistake => ({ kind: 'meaning', message, offset, length });
  if (text.length > LONGEST) return refused(t('the file is longer than {0} characters', LONGEST), 0, 0);
  if (text.includes('\0')) return refused(t('this is no text: expected JSON in UTF-8'), text.indexOf('\0'), 1);
  const scanner = createScanner(text, true);
  for (let depth = 0, token = scanner.scan(); token !== END; token = scanner.scan()) {
    if (OPENING.has(token)) depth++;
    if (CLOSING.has(token)) depth--;
    if (depth > DEEPEST) return refused(t('nested deeper than {0} levels', DEEPEST), scanner.getTokenOffset(), scanner.getTokenLength());
  }
  return undefined;
}

// The parser's own names for its tokens are constants of its types alone.
const OPENING: ReadonlySet<number> = new Set([1, 3]);
const CLOSING: ReadonlySet<number> = new Set([2, 4]);
const END = 17;

const syntax = (message: string, offset: number, length: number): Mistake => ({ kind: 'syntax', message, offset, length });

/** What the parser calls a mistake, in words. */
function words(code: string): string {
  switch (code) {
    case 'InvalidSymbol':
      return t('this is no JSON: expected a name or a string in double quotes, a number, true or false');
    case 'PropertyNameExpected':
      return t('expected the name of a property, in double quotes');
    case 'ValueExpected':
      return t('expected a value');
    case 'ColonExpected':
      return t('expected a colon');
    case 'CommaExpected':
      return t('expected a comma');
    case 'CloseBraceExpected':
      return t('expected a closing brace');
    case 'CloseBracketExpected':
      return t('expected a closing bracket');
    case 'EndOfFileExpected':
      return t('expected the end of the file');
    case 'UnexpectedEndOfComment':
      return t('expected the end of the comment, */');
    case 'UnexpectedEndOfString':
      return t('expected the end of the string, a double quote');
    case 'InvalidUnicode':
      return t('expected four hexadecimal digits behind \\u');
    case 'InvalidEscapeCharacter':
      return t('expected one of {0} behind the backslash', '"\\/bfnrtu');
    case 'InvalidCharacter':
      return t('expected no control character: \\n is a line’s end, \\t a tab');
    default:
      return t('expected a digit');
  }
}

/** A name that an object has twice: the first value would be lost without a word. */
function doubledNames(node: Node): Mistake[] {
  const children = node.children ?? [];
  const names = node.type === 'object' ? children.flatMap((property) => property.children?.[0] ?? []) : [];
  const seen = new Set<unknown>();
  const doubled = names.filter(({ value }) => seen.size === seen.add(value).size);
  return [
    ...doubled.map(({ value, offset, length }) => syntax(t('“{0}” is here twice', String(value)), offset, length)),
    ...children.flatMap(doubledNames),
  ];
}

function spanOf(root: Node | undefined, path: Path): Span {
  if (root === undefined) return { offset: 0, length: 0 };
  for (let length = path.length; length >= 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    if (node === undefined) continue;
    // Of what is missing, or of what is too much in it, an object shows its brace alone.
    return { offset: node.offset, length: node.children !== undefined ? 1 : node.length };
  }
  return { offset: root.offset, length: 1 };
}
