import type { Lexeme, Text } from './lexer';
import { isControl } from './vocabulary';

/** Whether a word only declares; `perhaps` until a further token has been seen. */
export type Declared = 'yes' | 'no' | 'perhaps';

const TAGGED = new Set(['struct', 'union', 'enum']);

/** A statement so far, `w` for each word: a type, the variables before, and the stars of the next one. */
const VARIABLE = /^w+\**(?:w,\**)*$/;
/** The same where a pointer to a function is declared. */
const POINTER = /^w+\**\(\*$/;
/** No declaration begins like this. */
const OTHER = '!';
/** Nor is one this long, so that a long statement is not read over and over. */
const LONGEST = 40;

/**
 * Is told the tokens of a body in turn, and says of the word before each whether it only names a variable that has no value yet, as in
 * `struct a *x, y;` or `int (*x)(void);`, or is the tag of a structure.
 */
export function createDeclarations(text: Text): (token: Lexeme) => Declared {
  let statement = '';
  let before: 'tagged' | 'variable' | 'pointer' | 'pointer)' | 'other' = 'other';
  let expectsTag = false;

  return (token) => {
    const verdict = judge(token.sign);
    if (verdict === 'perhaps') before = 'pointer)';
    else if (token.kind !== 'word') before = 'other';
    else before = expectsTag ? 'tagged' : VARIABLE.test(statement) ? 'variable' : POINTER.test(statement) ? 'pointer' : 'other';
    const spelled = token.kind === 'word' ? text.slice(token.start, token.end) : '';
    expectsTag = TAGGED.has(spelled);
    statement = extended(statement, token, spelled);
    return verdict;
  };

  function judge(sign: string): Declared {
    switch (before) {
      case 'tagged':
        return 'yes';
      case 'variable':
        return sign === ';' || sign === ',' || sign === '[' ? 'yes' : 'no';
      case 'pointer':
        return sign === ')' ? 'perhaps' : 'no';
      case 'pointer)':
        return sign === '(' ? 'yes' : 'no';
      case 'other':
        return 'no';
    }
  }
}

function extended(statement: string, { kind, sign }: Lexeme, spelled: string): string {
  if (sign === ';' || sign === '{' || sign === '}') return '';
  if (statement.length >= LONGEST || (kind === 'word' && isControl(spelled))) return OTHER;
  if (kind === 'word') return `${statement}w`;
  return sign === '*' || sign === ',' || sign === '(' ? statement + sign : OTHER;
}
