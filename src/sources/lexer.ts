/** C's tokens, as far as finding definitions needs them: comments and blanks are dropped, line splices understood. */

/** Source text; a string is one. No more than this is used, so that a test can count the reading. */
export type Text = Pick<string, 'length' | 'charCodeAt' | 'slice'>;

/** Offsets in UTF-16 code units; `end` is the first behind it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Lexeme extends Span {
  readonly kind: 'word' | 'literal' | 'punctuator' | 'end';
  /** The punctuator's spelling; empty for the other kinds. */
  readonly sign: string;
}

/** A preprocessor line with its continuations, from its '#' to before its line break. */
export interface DirectiveLine extends Span {
  readonly kind: 'directive';
}

export type Token = Lexeme | DirectiveLine;

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const SINGLE_QUOTE = 39;
const STAR = 42;
const SLASH = 47;
const BACKSLASH = 92;
const NO_CHARACTER = -1;

const IS_WORD = Array.from({ length: 128 }, (_, code) => /\w/.test(String.fromCharCode(code)));
const SIGNS = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));
const STARTS_LONGER_SIGN = SIGNS.map((sign) => '<>+-&|#=!*/%^'.includes(sign));

/**
 * Reads the tokens of text[from, to) one by one; behind the last it keeps returning `end`. Each character is
 * visited a bounded number of times. Never throws: an unterminated comment ends with the text, an unterminated
 * string with its line. Start outside comments and strings; '#' opens a directive only behind a line break (or
 * at offset 0), so a macro's body can be read on its own.
 */
export function createLexer(text: Text, from = 0, to = text.length): () => Token {
  let at = from;
  let atLineStart = from === 0;

  return next;

  function next(): Token {
    skipBlanks();
    const start = at;
    if (start >= to) return { kind: 'end', start: to, end: to, sign: '' };
    const code = text.charCodeAt(start);
    if (code === HASH && atLineStart) {
      at = endOfDirective(start);
      return { kind: 'directive', start, end: at };
    }
    atLineStart = false;
    if (isWordCharacter(code)) {
      at = endOfWord(start);
      return { kind: isDigit(code) ? 'literal' : 'word', start, end: at, sign: '' };
    }
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      at = endOfQuoted(start, code);
      return { kind: 'literal', start, end: at, sign: '' };
    }
    at = start + (STARTS_LONGER_SIGN[code] ? signLength(code, peek(start + 1), peek(start + 2)) : 1);
    return { kind: 'punctuator', start, end: at, sign: at === start + 1 ? (SIGNS[code] ?? '') : text.slice(start, at) };
  }

  function skipBlanks(): void {
    while (at < to) {
      const code = text.charCodeAt(at);
      if (code === NEWLINE) {
        atLineStart = true;
        at++;
      } else if (isBlank(code)) {
        at++;
      } else {
        const end = code === SLASH ? endOfComment(at) : code === BACKSLASH ? endOfSplice(at) : at;
        if (end === at) return;
        at = end;
      }
    }
  }

  function peek(offset: number): number {
    return offset < to ? text.charCodeAt(offset) : NO_CHARACTER;
  }

  function endOfWord(start: number): number {
    let end = start + 1;
    while (end < to && isWordCharacter(text.charCodeAt(end))) end++;
    return end;
  }

  function endOfQuoted(start: number, quote: number): number {
    let end = start + 1;
    while (end < to) {
      const code = text.charCodeAt(end);
      if (code === quote) return end + 1;
      if (code === NEWLINE) return end;
      end = code === BACKSLASH ? Math.max(endOfSplice(end), Math.min(end + 2, to)) : end + 1;
    }
    return to;
  }

  /** The offset behind the comment that starts here, or `start` if none does. */
  function endOfComment(start: number): number {
    const second = peek(start + 1);
    if (second === STAR) return endOfBlockComment(start + 2);
    if (second === SLASH) return endOfLogicalLine(start + 2);
    return start;
  }

  function endOfBlockComment(start: number): number {
    for (let end = start; end < to; end++) {
      if (text.charCodeAt(end) === STAR && peek(end + 1) === SLASH) return end + 2;
    }
    return to;
  }

  function endOfLogicalLine(start: number): number {
    let end = start;
    while (end < to) {
      const code = text.charCodeAt(end);
      if (code === NEWLINE) return end;
      end = code === BACKSLASH ? Math.max(endOfSplice(end), end + 1) : end + 1;
    }
    return to;
  }

  function endOfDirective(start: number): number {
    let end = start + 1;
    while (end < to) {
      const code = text.charCodeAt(end);
      if (code === NEWLINE) return end;
      if (code === BACKSLASH) end = Math.max(endOfSplice(end), end + 1);
      else if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) end = endOfQuoted(end, code);
      else if (code === SLASH) end = Math.max(endOfComment(end), end + 1);
      else end++;
    }
    return to;
  }

  /** The offset behind a backslash and its line break, or `start` if the backslash does not end its line. */
  function endOfSplice(start: number): number {
    const lineBreak = peek(start + 1) === RETURN ? start + 2 : start + 1;
    return peek(lineBreak) === NEWLINE ? lineBreak + 1 : start;
  }
}

/** Whether a word of code stands at an offset: nothing in a comment, in a string or on a preprocessor line does. Lines are read from the text's start. */
export function isWordAt(text: Text, offset: number): boolean {
  const next = createLexer(text);
  let token = next();
  while (token.kind !== 'end' && token.end < offset) token = next();
  return token.kind === 'word' && token.start <= offset;
}

function isBlank(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= RETURN);
}

function isWordCharacter(code: number): boolean {
  return IS_WORD[code] ?? true;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function signLength(code: number, second: number, third: number): number {
  const sign = SIGNS[code] ?? '';
  const follower = SIGNS[second] ?? '';
  if (code === second && '<>'.includes(sign)) return SIGNS[third] === '=' ? 3 : 2;
  if (code === second && '+-&|#='.includes(sign)) return 2;
  if (follower === '=' && '!<>+-*/%&|^'.includes(sign)) return 2;
  return sign === '-' && follower === '>' ? 2 : 1;
}
