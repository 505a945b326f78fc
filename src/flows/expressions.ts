import { t } from '@vscode/l10n';
import { formatValue, type CellType } from '../engine/cell';
import type { Cursor } from '../engine/timeline';
import type { FlowRun } from './flow';
import { cellsNamed, instanceName, living } from './names';
import { ExpressionError, orProblem, parse, isProblem, type Binary, type Expression, type Problem } from './syntax';

/**
 * What expressions mean in a run. Numbers are whole and exact up to 53 bits, beyond any cell; a negative one is taken for its 32-bit
 * two's complement where bits are asked for, and `~` is of 32 bits. What cannot be said exactly is a problem, not a wrong number.
 */

/** A value, of a type that says how it prints. */
export interface Value {
  readonly value: number;
  readonly type: CellType;
  /** The cell, where the expression is just its name. */
  readonly cell?: number;
}

/** An expression with the names of a run resolved. */
export interface Formula {
  /** Its value at a cursor's position; a problem where it has none there. */
  readonly at: (cursor: Cursor) => Value | Problem;
}

/** What can be asked for besides cells. */
export const VARIABLES: readonly { readonly name: string; readonly means: string }[] = [
  { name: '$step', means: 'The number of the step' },
  { name: '$thread', means: 'The thread that it is on, to compare with a name: $thread == "vCPU 0"' },
  { name: '$result', means: 'What the function returned that returned just before' },
];

/** Reads an expression and resolves its names in a run. */
export function compile(run: FlowRun, text: string): Formula | Problem {
  const expression = parse(text);
  if (isProblem(expression)) return expression;
  return orProblem((): Formula => {
    const term = resolve(run, expression, undefined);
    return {
      at: (cursor) =>
        orProblem((): Value => {
          const cell = term.cell?.(cursor);
          return { value: term.at(cursor), type: term.type, ...(cell === undefined ? {} : { cell }) };
        }),
    };
  });
}

/** The value of an expression at a cursor's position. */
export function evaluate(run: FlowRun, cursor: Cursor, text: string): Value | Problem {
  const formula = compile(run, text);
  return isProblem(formula) ? formula : formula.at(cursor);
}

/** A value as people read it, as cells of its type are. */
export const printValue = (run: FlowRun, { value, type }: Value): string =>
  value < 0 ? String(value) : formatValue(type, value, (id) => run.components[id]?.name ?? `#${id}`);

/** The constants that the types of a run's cells name, with their values: more than one where registers disagree. */
export function constantsOf({ cells }: FlowRun): ReadonlyMap<string, ReadonlySet<number>> {
  const constants = new Map<string, Set<number>>();
  for (const type of new Set(cells.map((cell) => cell.type)))
    for (const [name, value] of constantsOfType(type)) constants.set(name, (constants.get(name) ?? new Set()).add(value));
  return constants;
}

function constantsOfType(type: CellType): readonly (readonly [name: string, value: number])[] {
  switch (type.kind) {
    case 'bits':
      return type.names.flatMap((name, bit) => (name === undefined ? [] : [[name, 2 ** bit] as const]));
    case 'enum':
      return [...type.names].map(([value, name]) => [name, value] as const);
    case 'pointer':
      return [['NULL', 0]];
    case 'bool':
    case 'int':
    case 'hex':
    case 'vectors':
      return [];
  }
}

/** A part of a formula. */
interface Term {
  readonly type: CellType;
  readonly at: (cursor: Cursor) => number;
  readonly cell?: (cursor: Cursor) => number;
}

const BOOL: CellType = { kind: 'bool' };
const INT: CellType = { kind: 'int' };
const WORD: CellType = { kind: 'hex', bits: 32 };

/** @param beside the type of what it is combined with: a constant that registers disagree about is that one's */
function resolve(run: FlowRun, expression: Expression, beside: CellType | undefined): Term {
  const { offset } = expression;
  switch (expression.kind) {
    case 'number':
      return constant(expression.value, expression.hex ? { kind: 'hex', bits: 8 } : INT);
    case 'name':
      return resolveName(run, expression.name, offset, beside);
    case 'variable':
      return variable(run, expression.name, offset);
    case 'text':
      return threadNamed(run, expression.text, offset);
    case 'unary':
      return unary(expression.operator, resolve(run, expression.operand, beside), offset);
    case 'binary': {
      const [before, behind] = [expression.left, expression.right].map((side) => cellTypeOf(run, side));
      const left = resolve(run, expression.left, behind ?? beside);
      const right = resolve(run, expression.right, before ?? beside);
      return binary(expression.operator, left, right, offset);
    }
    case 'choice': {
      const condition = resolve(run, expression.condition, undefined);
      const yes = resolve(run, expression.yes, beside);
      const no = resolve(run, expression.no, beside);
      const type = yes.type === no.type ? yes.type : combined(yes.type, no.type);
      return { type, at: (cursor) => (condition.at(cursor) === 0 ? no : yes).at(cursor) };
    }
  }
}

const constant = (value: number, type: CellType): Term => ({ type, at: () => value });

/** The type of the first cell in an expression. */
function cellTypeOf(run: FlowRun, expression: Expression): CellType | undefined {
  switch (expression.kind) {
    case 'name': {
      const [cell] = cellsNamed(run, expression.name);
      return cell === undefined ? undefined : run.cells[cell]?.type;
    }
    case 'unary':
      return cellTypeOf(run, expression.operand);
    case 'binary':
      return cellTypeOf(run, expression.left) ?? cellTypeOf(run, expression.right);
    case 'choice':
      return cellTypeOf(run, expression.yes) ?? cellTypeOf(run, expression.no);
    case 'number':
    case 'variable':
    case 'text':
      return undefined;
  }
}

function resolveName(run: FlowRun, name: string, offset: number, beside: CellType | undefined): Term {
  const cells = cellsNamed(run, name);
  const instances = [...new Set(cells.map((id) => instanceName(run.cells[id]!.component)))];
  if (instances.length > 1) throw new ExpressionError(t('{0} could be of {1}', name, listed(instances)), offset);
  const [first] = cells;
  if (first !== undefined) return cellTerm(run, name, cells, run.cells[first]!.type, offset);
  if (name === 'true' || name === 'false') return constant(Number(name === 'true'), BOOL);
  if (name === 'NULL') return constant(0, INT);
  const own = beside && constantsOfType(beside).find(([each]) => each === name)?.[1];
  const values = own === undefined ? [...(constantsOf(run).get(name) ?? [])] : [own];
  if (values.length > 1) throw new ExpressionError(t('{0} is not the same in every register: {1}', name, values.join(', ')), offset);
  if (values[0] !== undefined) return constant(values[0], values[0] < 0 ? INT : WORD);
  const { fields } = fieldsOf(run, name);
  throw new ExpressionError(
    fields.length > 0 ? t('{0} is a structure: it has {1}', name, listed(fields)) : t('there is no {0} in this run', name),
    offset,
  );
}

/** The fields of a structure or instance. */
function fieldsOf({ components }: FlowRun, name: string): { readonly fields: readonly string[] } {
  const found = components.find((component) => [component.struct, component.name, instanceName(component)].includes(name));
  return { fields: found?.cells.map((cell) => cell.name) ?? [] };
}

const MAX_LISTED = 8;

const listed = (names: readonly string[]): string =>
  names.length > MAX_LISTED
    ? t('{0} or {1} others', names.slice(0, MAX_LISTED).join(', '), names.length - MAX_LISTED)
    : [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' or ');

function cellTerm(run: FlowRun, name: string, lives: readonly number[], type: CellType, offset: number): Term {
  const cell = ({ position }: Cursor): number => {
    const found = living(run, lives, position);
    if (found === undefined) throw new ExpressionError(t('there is no {0} yet at step {1}', name, position), offset);
    return found;
  };
  return { type, cell, at: (cursor) => cursor.value(cell(cursor)) };
}

function variable({ journal, threads }: FlowRun, name: string, offset: number): Term {
  switch (name) {
    case '$step':
      return { type: INT, at: ({ position }) => position };
    case '$thread':
      return {
        type: { kind: 'enum', names: new Map(threads.map(({ index, title }) => [index, title])) },
        at: ({ position }) => (position < 0 ? -1 : journal.thread(position)),
      };
    case '$result':
      return {
        type: INT,
        at({ position }) {
          const returned = [position, position - 1].find((step) => step >= 0 && journal.kind(step) === 'return');
          const result = returned === undefined ? undefined : journal.step(returned).result;
          if (result === undefined) throw new ExpressionError(t('no number was returned just before step {0}', position), offset);
          return result;
        },
      };
    default:
      throw new ExpressionError(t('there is no {0}, only {1}', name, VARIABLES.map((each) => each.name).join(', ')), offset);
  }
}

function threadNamed({ threads }: FlowRun, name: string, offset: number): Term {
  const found = threads.find(({ id, title }) => id === name || title === name);
  if (found === undefined)
    throw new ExpressionError(t('there is no thread “{0}”, only {1}', name, threads.map(({ id }) => id).join(', ')), offset);
  return constant(found.index, INT);
}

function unary(operator: '!' | '~' | '-' | '+', operand: Term, offset: number): Term {
  switch (operator) {
    case '!':
      return { type: BOOL, at: (cursor) => Number(operand.at(cursor) === 0) };
    case '~':
      return { type: WORD, at: (cursor) => ~word(operand.at(cursor), 32, offset) >>> 0 };
    case '-':
      return { type: INT, at: (cursor) => 0 - operand.at(cursor) };
    case '+':
      return operand;
  }
}

function binary(operator: Binary, left: Term, right: Term, offset: number): Term {
  const truth = (holds: (cursor: Cursor) => boolean): Term => ({ type: BOOL, at: (cursor) => Number(holds(cursor)) });
  const compare = (holds: (a: number, b: number) => boolean): Term => truth((cursor) => holds(left.at(cursor), right.at(cursor)));
  const compute = (result: (a: number, b: number) => number): Term => ({
    type: combined(left.type, right.type),
    at: (cursor) => exact(result(left.at(cursor), right.at(cursor)), offset),
  });
  const bitwise = (of: (a: number, b: number) => number): Term =>
    compute((a, b) => {
      const [x, y] = [word(a, 53, offset), word(b, 53, offset)];
      return (of(x / HIGH, y / HIGH) >>> 0) * HIGH + (of(x, y) >>> 0);
    });
  switch (operator) {
    case '||':
      return truth((cursor) => left.at(cursor) !== 0 || right.at(cursor) !== 0);
    case '&&':
      return truth((cursor) => left.at(cursor) !== 0 && right.at(cursor) !== 0);
    case '==':
      return compare((a, b) => a === b);
    case '!=':
      return compare((a, b) => a !== b);
    case '<':
      return compare((a, b) => a < b);
    case '<=':
      return compare((a, b) => a <= b);
    case '>':
      return compare((a, b) => a > b);
    case '>=':
      return compare((a, b) => a >= b);
    case '|':
      return bitwise((a, b) => a | b);
    case '^':
      return bitwise((a, b) => a ^ b);
    case '&':
      return bitwise((a, b) => a & b);
    case '<<':
      return compute((a, by) => word(a, 53, offset) * 2 ** shift(by, offset));
    case '>>':
      return compute((a, by) => Math.floor(word(a, 53, offset) / 2 ** shift(by, offset)));
    case '+':
      return compute((a, b) => a + b);
    case '-':
      return compute((a, b) => a - b);
    case '*':
      return compute((a, b) => a * b);
    case '/':
      return compute((a, b) => Math.trunc(a / divisor(b, offset)));
    case '%':
      return compute((a, b) => a % divisor(b, offset));
  }
}

/** Bits are combined 32 at a time. */
const HIGH = 2 ** 32;

/** What is computed with a hexadecimal number is one. */
function combined(left: CellType, right: CellType): CellType {
  const widths = [left, right].flatMap((type) => ('bits' in type ? [type.bits] : []));
  return widths.length === 0 ? INT : { kind: 'hex', bits: widths.includes(32) ? 32 : widths.includes(16) ? 16 : 8 };
}

function word(value: number, bits: 32 | 53, offset: number): number {
  const unsigned = value < 0 && value >= -(2 ** 31) ? value + HIGH : value;
  if (unsigned < 0 || unsigned >= 2 ** bits)
    throw new ExpressionError(t('{0} has more than {1} bits', value, bits === 32 || value < 0 ? 32 : 53), offset);
  return unsigned;
}

function shift(by: number, offset: number): number {
  if (by < 0 || by > 52) throw new ExpressionError(t('cannot shift by {0}', by), offset);
  return by;
}

function divisor(by: number, offset: number): number {
  if (by === 0) throw new ExpressionError(t('cannot divide by 0'), offset);
  return by;
}

function exact(value: number, offset: number): number {
  if (!Number.isSafeInteger(value)) throw new ExpressionError(t('the result has more than 53 bits'), offset);
  // -0 prints, and compares by Object.is, otherwise than 0.
  return value + 0;
}
