import type { Lexeme, Text } from './lexer';
import { definesObject, isAttribute, isCapitals, isControl, isQualifier, mayBeType, mayTrail } from './vocabulary';

/** An identifier and where it starts. */
export interface Word {
  readonly start: number;
  readonly text: string;
}

/** What has been read so far of one declaration at file level. */
export interface Declaration {
  /** A word that may belong to a type stands before `word`. */
  readonly typed: boolean;
  /** Parentheses and brackets that are open. */
  readonly nesting: number;
  /** The word just read. */
  readonly word: Word | undefined;
  /** The name, if this turns out to be an object. */
  readonly object: Word | undefined;
  /** A '[' was read: words behind it are attributes. */
  readonly sized: boolean;
  /** The `name(…)` that may turn out to be a function. */
  readonly head: Head | undefined;
  /** `extern "C"` was just read. */
  readonly linkage: boolean;
}

interface Head {
  readonly name: Word;
  /** The group of parentheses that is being read, or was read last, is this head's own. */
  readonly current: boolean;
  /** No type stands before it: a macro that defines what its arguments name, or one that lacks its semicolon. */
  readonly loose: boolean;
  /** The name was itself in parentheses: `(*name)(…)`, `FNAME(name)(…)`. */
  readonly wrapped: boolean;
  readonly firstArgument?: Word;
  readonly lastArgument?: Word;
}

export const NO_DECLARATION: Declaration = {
  typed: false,
  nesting: 0,
  word: undefined,
  object: undefined,
  sized: false,
  head: undefined,
  linkage: false,
};

/** The declaration with one more token; a declaration that lacked its semicolon is left behind. */
export function extendDeclaration(declaration: Declaration, token: Lexeme, text: Text): Declaration {
  if (declaration.nesting > 0) return insideGroup(declaration, token, text);
  if (token.kind === 'word') return withWord(declaration, wordOf(token, text));
  if (token.kind === 'literal') return withLiteral(declaration);
  switch (token.sign) {
    case '(':
      return openGroup(declaration);
    case '[':
      return { ...leaveGroup(settle(declaration)), nesting: 1, sized: true };
    case ',':
      return { ...settle(declaration), sized: false };
    default:
      return leaveGroup(settle(declaration));
  }
}

/** The declaration behind the body of a struct, union or enum, which stands for a type. */
export function afterAggregate(declaration: Declaration): Declaration {
  return { ...settle(declaration), typed: true };
}

/** The function's name, if a '{' at this point opens a function's body. */
export function functionName({ head }: Declaration): Word | undefined {
  return head?.loose && isCapitals(head.name.text) ? head.firstArgument : head?.name;
}

/** The object's name, if a '=' at this point opens its initializer. */
export function objectName({ head, object }: Declaration): Word | undefined {
  if (head === undefined) return object;
  return head.wrapped ? head.name : head.lastArgument;
}

/** The object's name, if a ';' at this point ends a macro that defines and initializes one. */
export function macroObjectName({ head }: Declaration): Word | undefined {
  return head !== undefined && definesObject(head.name.text) ? head.firstArgument : undefined;
}

function wordOf(token: Lexeme, text: Text): Word {
  return { start: token.start, text: text.slice(token.start, token.end) };
}

function withWord(declaration: Declaration, word: Word): Declaration {
  // `module_init(x)` without a semicolon: a new declaration starts here.
  if (declaration.head && !mayTrail(word.text)) return withWord(NO_DECLARATION, word);
  const { nesting, sized } = declaration;
  const object = sized || isAttribute(word.text) ? declaration.object : word;
  // Spelled out, as in `nest` and `settle`: there is one such record per token at file level, and spreading is slow.
  return { typed: isTyped(declaration), nesting, word, object, sized, head: left(declaration.head), linkage: false };
}

function withLiteral(declaration: Declaration): Declaration {
  const settled = settle(declaration);
  return declaration.word?.text === 'extern' ? { ...settled, linkage: true } : settled;
}

function openGroup(declaration: Declaration): Declaration {
  const { word, head } = declaration;
  const opened = { ...settle(declaration), nesting: 1 };
  if (word === undefined) return { ...opened, head: head && wrap(head) };
  if (isControl(word.text) || isAttribute(word.text)) return opened;
  const isTrailer = head !== undefined && !(head.loose && !word.text.startsWith('__'));
  if (isTrailer) return opened;
  // A head that is replaced lacked its semicolon; the types before it, if any, were its own.
  const loose = head !== undefined || !declaration.typed;
  return { ...opened, head: { name: word, current: true, loose, wrapped: false } };
}

/** A group that follows a head's own group directly: the name is in the first of the two. */
function wrap(head: Head): Head {
  if (!head.current || head.firstArgument === undefined) return head;
  return { name: head.firstArgument, current: false, loose: false, wrapped: true };
}

function insideGroup(declaration: Declaration, token: Lexeme, text: Text): Declaration {
  const { head, nesting } = declaration;
  if (token.kind === 'word') {
    return head?.current ? { ...declaration, head: withArgument(head, wordOf(token, text), nesting) } : declaration;
  }
  switch (token.sign) {
    case '(':
    case '[':
      return nest(declaration, nesting + 1);
    case ')':
    case ']':
      return nest(declaration, nesting - 1);
    default:
      return declaration;
  }
}

function withArgument(head: Head, word: Word, nesting: number): Head {
  if (isQualifier(word.text)) return head;
  const { name, current, loose, wrapped } = head;
  const firstArgument = head.firstArgument ?? word;
  const lastArgument = nesting === 1 ? word : head.lastArgument;
  return { name, current, loose, wrapped, firstArgument, lastArgument };
}

function nest({ typed, word, object, sized, head, linkage }: Declaration, nesting: number): Declaration {
  return { typed, nesting, word, object, sized, head, linkage };
}

/** Whatever word was just read is now behind us. */
function settle(declaration: Declaration): Declaration {
  const { nesting, object, sized, head } = declaration;
  if (declaration.word === undefined && !declaration.linkage) return declaration;
  return { typed: isTyped(declaration), nesting, word: undefined, object, sized, head, linkage: false };
}

function isTyped({ typed, word }: Declaration): boolean {
  return typed || (word !== undefined && mayBeType(word.text));
}

function leaveGroup(declaration: Declaration): Declaration {
  const head = left(declaration.head);
  return head === declaration.head ? declaration : { ...declaration, head };
}

function left(head: Head | undefined): Head | undefined {
  return head?.current ? { ...head, current: false } : head;
}
