import { createLexer, type DirectiveLine, type Lexeme, type Span, type Text, type Token } from './lexer';

/** What a preprocessor line means to the scanner; `never` is the branch of a plain `#if 0`. */
export type Directive =
  | { readonly kind: 'if'; readonly never: boolean }
  | { readonly kind: 'else' }
  | { readonly kind: 'endif' }
  | { readonly kind: 'define'; readonly name: Span; readonly body: Span }
  | { readonly kind: 'other' };

export interface DirectiveToken extends Span {
  readonly kind: 'directive';
  readonly directive: Directive;
}

export type LiveToken = Lexeme | DirectiveToken;

/** Like `createLexer`, with directives read and with everything that stands under an `#if 0` left out. */
export function createLiveLexer(text: Text, from = 0, to = text.length): () => LiveToken {
  const next = createLexer(text, from, to);
  // Conditionals open at this point, counted from the innermost `#if 0` that is being left out.
  let dead = 0;

  return () => {
    for (;;) {
      const token = next();
      if (token.kind !== 'directive') {
        if (dead === 0 || token.kind === 'end') return token;
        continue;
      }
      const directive = readDirective(text, token);
      const wasDead = dead > 0;
      dead = deadAfter(dead, directive);
      if (!wasDead || dead === 0) return { kind: 'directive', start: token.start, end: token.end, directive };
    }
  };
}

function deadAfter(dead: number, directive: Directive): number {
  switch (directive.kind) {
    case 'if':
      return dead > 0 || directive.never ? dead + 1 : 0;
    case 'else':
      return dead === 1 ? 0 : dead;
    case 'endif':
      return Math.max(dead - 1, 0);
    case 'define':
    case 'other':
      return dead;
  }
}

function readDirective(text: Text, line: DirectiveLine): Directive {
  const next = createLexer(text, line.start + 1, line.end);
  const head = next();
  switch (text.slice(head.start, head.end)) {
    case 'if': {
      const condition = next();
      const never = text.slice(condition.start, condition.end) === '0' && next().kind === 'end';
      return { kind: 'if', never };
    }
    case 'ifdef':
    case 'ifndef':
      return { kind: 'if', never: false };
    case 'else':
    case 'elif':
    case 'elifdef':
    case 'elifndef':
      return { kind: 'else' };
    case 'endif':
      return { kind: 'endif' };
    case 'define':
      return readDefine(text, line, next());
    default:
      return { kind: 'other' };
  }
}

function readDefine(text: Text, line: DirectiveLine, name: Token): Directive {
  if (name.kind !== 'word') return { kind: 'other' };
  // A blank between the name and '(' makes the parentheses part of the replacement.
  const hasParameters = name.end < line.end && text.slice(name.end, name.end + 1) === '(';
  const start = hasParameters ? endOfParameters(text, name.end, line.end) : name.end;
  return { kind: 'define', name: { start: name.start, end: name.end }, body: { start, end: line.end } };
}

function endOfParameters(text: Text, from: number, to: number): number {
  const next = createLexer(text, from, to);
  for (let token = next(); token.kind !== 'end'; token = next()) {
    if (token.kind === 'punctuator' && token.sign === ')') return token.end;
  }
  return to;
}
