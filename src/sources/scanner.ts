import { afterAggregate, extendDeclaration, functionName, macroObjectName, NO_DECLARATION, objectName } from './declaration';
import type { Declaration, Word } from './declaration';
import { createLiveLexer, type Directive } from './directives';
import type { Lexeme, Span, Text } from './lexer';

export interface Definition {
  readonly name: string;
  readonly kind: 'function' | 'object' | 'macro' | 'routine';
  /** Offset of the name in the text. */
  readonly nameStart: number;
  /** From brace to brace, from behind '=' to ';', or a macro's replacement; `undefined` if its end was not found. */
  readonly body: Span | undefined;
}

/** Where the scan is in the text; immutable, so that a branch of `#if` can be left and its start returned to. */
type Scope =
  | { readonly in: 'file'; readonly declaration: Declaration }
  | { readonly in: 'aggregate'; readonly braces: number; readonly declaration: Declaration }
  | DefinitionScope;

interface DefinitionScope {
  readonly in: 'definition';
  readonly kind: 'function' | 'object';
  readonly name: Word;
  /** Where the body starts. */
  readonly start: number;
  readonly braces: number;
}

/** An open `#if`: what its branches start from, and what the first live branch led to. */
interface Conditional {
  readonly before: Scope;
  readonly never: boolean;
  readonly after?: Scope;
}

const AT_FILE: Scope = { in: 'file', declaration: NO_DECLARATION };

/**
 * Finds what a C text defines: functions, initialized objects and macros, in the order in which they end. One
 * pass, linear in the text's length; never throws. Each branch of an `#if` is read as if it followed what stands
 * before the `#if`; behind the `#endif` the first branch counts, so braces that branches open alternatively
 * count once.
 */
export function scanC(text: Text): readonly Definition[] {
  const definitions: Definition[] = [];
  const conditionals: Conditional[] = [];
  const next = createLiveLexer(text);
  let scope = AT_FILE;

  for (let token = next(); token.kind !== 'end'; token = next()) {
    scope = token.kind === 'directive' ? direct(token.directive) : advance(token);
  }
  if (scope.in === 'definition') definitions.push(define(scope));
  return definitions;

  function direct(directive: Directive): Scope {
    switch (directive.kind) {
      case 'if':
        conditionals.push({ before: scope, never: directive.never });
        return scope;
      case 'else': {
        const conditional = conditionals.pop();
        if (conditional === undefined) return scope;
        const after = conditional.after ?? (conditional.never ? undefined : scope);
        conditionals.push({ before: conditional.before, never: false, after });
        return conditional.before;
      }
      case 'endif':
        return conditionals.pop()?.after ?? scope;
      case 'define': {
        const { name, body } = directive;
        definitions.push({ name: text.slice(name.start, name.end), kind: 'macro', nameStart: name.start, body });
        return scope;
      }
      case 'other':
        return scope;
    }
  }

  function defineByMacro(declaration: Declaration, { start: end }: Lexeme): void {
    const name = macroObjectName(declaration);
    if (name === undefined) return;
    const body = { start: name.start + name.text.length, end };
    definitions.push({ name: name.text, kind: 'object', nameStart: name.start, body });
  }

  function advance(token: Lexeme): Scope {
    switch (scope.in) {
      case 'file':
        return atFileLevel(scope.declaration, token);
      case 'aggregate':
        return inAggregate(scope.declaration, scope.braces + braceChange(token));
      case 'definition':
        return inDefinition(scope, scope.braces + braceChange(token), token);
    }
  }

  function inAggregate(declaration: Declaration, braces: number): Scope {
    if (braces === 0) return { in: 'file', declaration: afterAggregate(declaration) };
    return { in: 'aggregate', braces, declaration };
  }

  function inDefinition(definition: DefinitionScope, braces: number, token: Lexeme): Scope {
    const { kind, name, start } = definition;
    if (endsDefinition(kind, braces, token)) {
      definitions.push(define(definition, token.end));
      return AT_FILE;
    }
    return braces === definition.braces ? definition : { in: 'definition', kind, name, start, braces };
  }

  function atFileLevel(declaration: Declaration, token: Lexeme): Scope {
    if (declaration.nesting === 0) {
      switch (token.sign) {
        case ';':
          defineByMacro(declaration, token);
          return AT_FILE;
        case '}':
          return AT_FILE;
        case '{':
          return openBrace(declaration, token);
        case '=':
          return openInitializer(declaration, token);
      }
    }
    return { in: 'file', declaration: extendDeclaration(declaration, token, text) };
  }
}

function openBrace(declaration: Declaration, token: Lexeme): Scope {
  if (declaration.linkage) return AT_FILE;
  const name = functionName(declaration);
  if (name === undefined) return { in: 'aggregate', braces: 1, declaration };
  return { in: 'definition', kind: 'function', name, start: token.start, braces: 1 };
}

function openInitializer(declaration: Declaration, token: Lexeme): Scope {
  const name = objectName(declaration);
  if (name === undefined) return { in: 'file', declaration };
  return { in: 'definition', kind: 'object', name, start: token.end, braces: 0 };
}

function endsDefinition(kind: 'function' | 'object', braces: number, token: Lexeme): boolean {
  switch (kind) {
    case 'function':
      return braces === 0;
    case 'object':
      return token.sign === ';' && braces <= 0;
  }
}

function define({ name, kind, start }: DefinitionScope, end?: number): Definition {
  return { name: name.text, kind, nameStart: name.start, body: end === undefined ? undefined : { start, end } };
}

function braceChange(token: Lexeme): number {
  return token.sign === '{' ? 1 : token.sign === '}' ? -1 : 0;
}
