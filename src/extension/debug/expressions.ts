import { t } from '@vscode/l10n';
import type { Component } from '../../engine/cell';
import { evaluate, printValue, type Value } from '../../flows/expressions';
import { instanceName } from '../../flows/names';
import { isProblem } from '../../flows/syntax';
import { ArgumentError } from './attributes';
import { cellRow, componentKey, componentRow, maskOf, structRow, typeText, type Moment, type Row, type Target } from './variables';

/** Expressions of the client: watched, hovered over, typed into the console, or given as the new value of a cell. */

/** A component or a structure by its name, else an expression's value. @throws ArgumentError where it has none */
export function rowOfText(moment: Moment, text: string): Row {
  const named = componentsNamed(moment, text.trim());
  const [only, ...others] = named;
  if (only !== undefined) return others.length === 0 ? componentRow(moment, only, text) : structRow(moment, text, named);
  const result = valueOfText(moment, text);
  if (result.cell !== undefined) return { ...cellRow(moment, moment.run.cells[result.cell]!), name: text };
  return { name: text, value: printValue(moment.run, result), type: typeText(result.type) };
}

/** @throws ArgumentError with where and why it has no value */
export function valueOfText({ run, cursor }: Moment, text: string): Value {
  const result = evaluate(run, cursor, text);
  if (isProblem(result)) throw new ArgumentError(result.problem);
  return result;
}

const componentsNamed = ({ run, cursor }: Moment, text: string): readonly Component[] =>
  run.components.filter(
    (component) =>
      component.born <= cursor.position &&
      component.cells.length > 0 &&
      [component.struct, component.name, instanceName(component), componentKey(run, component)].includes(text),
  );

/**
 * What C under the mouse means: `irqfd->resampler->notifier.gsi` is that field of the one component at hand that has it.
 * @throws ArgumentError where none has, or several do
 */
export function rowOfSource(moment: Moment, components: readonly Component[], text: string): Row {
  const field = text.split('->').at(-1) ?? text;
  const names = field.split('.').map((_, index, parts) => parts.slice(index).join('.'));
  for (const name of names) {
    const cells = components.flatMap((component) => component.cells.filter((cell) => cell.name === name || cell.name.endsWith(`.${name}`)));
    const [only, ...others] = cells;
    if (only !== undefined && others.length === 0) return { ...cellRow(moment, only), name: text };
  }
  return rowOfText(moment, text);
}

/** `cell = expression`, as one types it into the console. */
export function assignmentIn(text: string): { readonly target: string; readonly value: string } | undefined {
  const match = /^([^=!<>]*[^=!<>\s])\s*=(?!=)(.+)$/s.exec(text);
  return match ? { target: match[1]!, value: match[2]!.trim() } : undefined;
}

/** The number that a cell gets when the client sets it, or a part of it, to `text`. @throws ArgumentError where that does not fit */
export function newValue(moment: Moment, { cell, field }: Target, text: string): number {
  const { value } = valueOfText(moment, text);
  if (field === undefined) return value;
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** field.width)
    throw new ArgumentError(t('{0} cannot be {1}: expected a number of {2} bits', field.name, value, field.width));
  const rest = moment.cursor.value(cell.id) & ~maskOf(field);
  return (rest | (value << field.low)) >>> 0;
}
