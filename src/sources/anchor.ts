import type { Anchor } from '../engine/reference';
import { createDeclarations } from './declared';
import { createLiveLexer } from './directives';
import type { Lexeme, Span, Text } from './lexer';

const ASSIGNMENTS = new Set(['=', '|=', '&=', '^=', '+=', '-=', '*=', '/=', '%=', '<<=', '>>=']);
const STEPS = new Set(['++', '--']);
const MEMBER_ACCESS = new Set(['.', '->']);

/**
 * Finds the identifier that an anchor means in a definition's body, outside comments, strings and preprocessor
 * lines: the first that is called, assigned to, or stands there (behind `after`, if the anchor has that). A `write` is one of a field rather than of
 * a variable of the same name; one that is nowhere assigned to falls back to its first occurrence, because fields are also written through calls:
 * `__set_bit(1, &x->masked)`. Where a variable is only declared nothing happens yet: such a place is meant only if there is no other.
 */
export function findAnchor(text: Text, whole: Span, anchor: Anchor): Span | undefined {
  const body = behind(text, whole, anchor.after?.split(' ') ?? []);
  if (body === undefined) return undefined;
  const { token } = anchor;
  switch (anchor.as) {
    case 'name':
      return findUse(text, body, token);
    case 'call':
      return findOccurrence(text, body, token, (follower) => follower.sign === '(');
    case 'write':
      return findAssigned(text, body, token, 'field') ?? findAssigned(text, body, token, 'any') ?? findUse(text, body, token);
  }
}

/** What is left of a body behind these words, the first occurrence of each after the one before. */
function behind(text: Text, whole: Span, words: readonly string[]): Span | undefined {
  let body = whole;
  for (const word of words) {
    const passed = findOccurrence(text, body, word, () => true);
    if (passed === undefined) return undefined;
    body = { start: passed.end, end: whole.end };
  }
  return body;
}

function findOccurrence(text: Text, body: Span, word: string, accepts: (follower: Lexeme) => boolean): Span | undefined {
  let occurrence: Span | undefined;
  for (const token of lexemes(text, body)) {
    if (occurrence && accepts(token)) return occurrence;
    occurrence = isWord(text, token, word) ? { start: token.start, end: token.end } : undefined;
  }
  return undefined;
}

/** The first `word` that does more than declare, else the first. */
function findUse(text: Text, body: Span, word: string): Span | undefined {
  const declared = createDeclarations(text);
  let first: Span | undefined;
  let occurrence: Span | undefined;
  for (const token of lexemes(text, body)) {
    const verdict = declared(token);
    if (occurrence && verdict === 'no') return occurrence;
    if (verdict !== 'perhaps') occurrence = undefined;
    if (isWord(text, token, word)) occurrence = { start: token.start, end: token.end };
    first ??= occurrence;
  }
  return first;
}

/** The first `word`, with whatever members and indices follow it, that is assigned to, incremented or decremented. */
function findAssigned(text: Text, body: Span, word: string, what: 'field' | 'any'): Span | undefined {
  let target: Span | undefined;
  let brackets = 0;
  let prefixed = false;
  let afterAccess = false;

  for (const token of lexemes(text, body)) {
    if (target && brackets > 0) {
      brackets += token.sign === '[' ? 1 : token.sign === ']' ? -1 : 0;
      continue;
    }
    if (target && (ASSIGNMENTS.has(token.sign) || STEPS.has(token.sign))) return target;
    const continues = MEMBER_ACCESS.has(token.sign) || (afterAccess && token.kind === 'word');
    if (target && token.sign === '[') brackets = 1;
    else if ((afterAccess || what === 'any') && isWord(text, token, word)) target = { start: token.start, end: token.end };
    else if (!continues) target = undefined;

    if (target && prefixed) return target;
    prefixed = STEPS.has(token.sign) || (prefixed && (continues || token.kind === 'word'));
    afterAccess = MEMBER_ACCESS.has(token.sign);
  }
  return undefined;
}

function* lexemes(text: Text, body: Span): Generator<Lexeme> {
  const next = createLiveLexer(text, body.start, body.end);
  for (;;) {
    const token = next();
    if (token.kind === 'directive') continue;
    yield token;
    if (token.kind === 'end') return;
  }
}

function isWord(text: Text, token: Lexeme, word: string): boolean {
  return token.kind === 'word' && token.end - token.start === word.length && text.slice(token.start, token.end) === word;
}
