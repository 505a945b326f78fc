import { t } from '@vscode/l10n';

/**
 * The syntax of expressions: C's operators with C's precedence over numbers, names of cells and constants, `$` variables, and
 * the names of threads in quotes. A name goes on through `.`, `->`, `[…]` and `(…)`, so that cells are written as the views write them:
 * `kvm_kpic_state(master).irr`, `redirtbl[21].remote_irr`.
 */

/** What an expression may say at most: more is no expression that anybody wrote. */
export const MAX_LENGTH = 1000;
const MAX_NESTING = 50;

export type Unary = '!' | '~' | '-' | '+';
export type Binary = keyof typeof PRECEDENCE;

/** An expression as it was written. `offset` is where in the text: of an operator, the operator itself. */
export type Expression = { readonly offset: number } & (
  | { readonly kind: 'number'; readonly value: number; readonly hex: boolean }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unary'; readonly operator: Unary; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: Binary; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'choice'; readonly condition: Expression; readonly yes: Expression; readonly no: Expression }
);

/** Why a text is no expression or has no value, and where in it. */
export interface Problem {
  readonly problem: string;
  readonly offset: number;
}

export const isProblem = (result: object): result is Problem => 'problem' in result;

/** A problem on its way out: never leaves the modules of expressions. */
export class ExpressionError extends Error implements Problem {
  override readonly name = 'ExpressionError';
  constructor(
    readonly problem: string,
    readonly offset: number,
  ) {
    super(problem);
  }
}

/** Does `work`, and gives its problem if it has one. */
export function orProblem<T>(work: () => T): T | Problem {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError) return { problem: error.problem, offset: error.offset };
    throw error;
  }
}

const PRECEDENCE = {
  '||': 1,
  '&&': 2,
  '|': 3,
  '^': 4,
  '&': 5,
  '==': 6,
  '!=': 6,
  '<': 7,
  '<=': 7,
  '>': 7,
  '>=': 7,
  '<<': 8,
  '>>': 8,
  '+': 9,
  '-': 9,
  '*': 10,
  '/': 10,
  '%': 10,
} as const;

const TOKENS = {
  space: /\s+/y,
  number: /(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)[uUlL]{0,3}(?![\w.])/y,
  name: /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|->[A-Za-z_]\w*|\[[^[\]]+\]|\([^()]+\))*/y,
  variable: /\$\w+/y,
  text: /"([^"]*)"|'([^']*)'/y,
  operator: /<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:()]/y,
};

type Token = { readonly kind: Exclude<keyof typeof TOKENS, 'space'> | 'end'; readonly text: string; readonly offset: number };

/** Reads an expression. Never throws, and takes time in proportion to the length, whatever the text. */
export const parse = (text: string): Expression | Problem => orProblem(() => read(text));

function read(text: string): Expression {
  const tokens = tokensOf(text);
  let index = 0;
  let nesting = 0;
  const peek = (): Token => tokens[index]!;

  function expected(what: string): never {
    const { kind, text: found, offset } = peek();
    const problem = kind === 'end' ? t('expected {0}, but it ends here', what) : t('expected {0}, not “{1}”', what, found);
    throw new ExpressionError(problem, offset);
  }

  function take(operator: string): void {
    if (peek().text !== operator || peek().kind !== 'operator') expected(`“${operator}”`);
    index++;
  }

  function whole(): Expression {
    const condition = binary(1);
    const { text: operator, offset } = peek();
    if (operator !== '?') return condition;
    return nested(() => {
      index++;
      const yes = whole();
      take(':');
      return { kind: 'choice', condition, yes, no: whole(), offset };
    });
  }

  function binary(least: number): Expression {
    let left = unary();
    for (;;) {
      const { kind, text: operator, offset } = peek();
      if (kind !== 'operator' || !isBinary(operator) || PRECEDENCE[operator] < least) return left;
      index++;
      left = { kind: 'binary', operator, left, right: binary(PRECEDENCE[operator] + 1), offset };
    }
  }

  function unary(): Expression {
    const { kind, text: operator, offset } = peek();
    if (kind !== 'operator' || !isUnary(operator)) return primary();
    return nested(() => {
      index++;
      return { kind: 'unary', operator, operand: unary(), offset };
    });
  }

  function primary(): Expression {
    const { kind, text: found, offset } = peek();
    if (kind === 'end' || (kind === 'operator' && found !== '(')) expected('a value');
    index++;
    switch (kind) {
      case 'number':
        return { kind, value: numberOf(found, offset), hex: /^0[xb]/i.test(found), offset };
      case 'name':
      case 'variable':
        return { kind, name: found, offset };
      case 'text':
        return { kind, text: found.slice(1, -1), offset };
      case 'operator':
        return nested(() => {
          const inner = whole();
          take(')');
          return inner;
        });
    }
  }

  function nested<T>(work: () => T): T {
    if (nesting === MAX_NESTING) throw new ExpressionError(t('is nested too deeply'), peek().offset);
    nesting++;
    const result = work();
    nesting--;
    return result;
  }

  const expression = whole();
  if (peek().kind !== 'end') expected(t('an operator'));
  return expression;
}

const isBinary = (text: string): text is Binary => Object.hasOwn(PRECEDENCE, text);
const isUnary = (text: string): text is Unary => ['!', '~', '-', '+'].includes(text);

function numberOf(text: string, offset: number): number {
  const value = Number(text.replace(/[uUlL]+$/, ''));
  if (!Number.isSafeInteger(value)) throw new ExpressionError(t('{0} has more than 53 bits', text), offset);
  return value;
}

function tokensOf(text: string): readonly Token[] {
  if (text.length > MAX_LENGTH) throw new ExpressionError(t('is longer than {0} characters', MAX_LENGTH), MAX_LENGTH);
  const tokens: Token[] = [];
  for (let offset = 0; offset < text.length;) {
    const match = (kind: keyof typeof TOKENS): string | undefined => {
      TOKENS[kind].lastIndex = offset;
      return TOKENS[kind].exec(text)?.[0];
    };
    const space = match('space');
    if (space !== undefined) {
      offset += space.length;
      continue;
    }
    const kind = (['number', 'name', 'variable', 'text', 'operator'] as const).find((each) => match(each) !== undefined);
    if (kind === undefined)
      throw new ExpressionError(t('“{0}” has no meaning here', String.fromCodePoint(text.codePointAt(offset)!)), offset);
    const found = match(kind)!;
    tokens.push({ kind, text: found, offset });
    offset += found.length;
  }
  return [...tokens, { kind: 'end', text: '', offset: text.length }];
}
