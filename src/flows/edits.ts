import { t } from '@vscode/l10n';
import type { Cell, CellType } from '../engine/cell';
import { source } from '../engine/fn';
import type { Intervention } from '../engine/machine';
import { running } from '../engine/running';
import { cellsNamed, instanceName, living } from './names';

/** What a reader sets by hand: a run in which one cell got another value, and everything else took its course from there. */

/** A cell that gets a value as step `at` is about to be made. */
export interface Edit {
  readonly at: number;
  /** The cell's name: of several lives of an instance, the one that is there then. */
  readonly cell: string;
  readonly value: number;
}

/** An edit that cannot be made: which one, and why. */
export class EditError extends Error {
  override readonly name = 'EditError';
}

const { fn } = source('user', 'what-if');

const what_if = fn('You set this value by hand. From here on the run is another one.', function* what_if(cell: Cell, value: number) {
  running().write(cell, value);
});

/** Steps that an edit makes before the one that writes. */
export const STEPS_TO_EDIT = 1;

/**
 * An edit as something that is done to a machine. When its time comes it throws an EditError if there is no such cell or the value does
 * not fit.
 */
export const intervention = ({ at, cell, value }: Edit): Intervention => ({
  at,
  thread: { id: 'reader', title: 'You', context: 'reader' },
  body: () => what_if(cellToEdit(running(), cell, value, at), value),
});

/**
 * The cell of a machine or run that an edit at step `at` is of.
 * @throws EditError if there is no such cell then, if there are several, or if the value does not fit it
 */
export function cellToEdit(
  of: { readonly cells: readonly Cell[]; readonly components: readonly unknown[] },
  name: string,
  value: number,
  at: number,
): Cell {
  const named = cellsNamed(of, name);
  const instances = new Set(named.map((id) => instanceName(of.cells[id]!.component)));
  if (instances.size > 1) throw new EditError(t('{0} could be of {1}', name, [...instances].join(', ')));
  const id = living(of, named, at - 1);
  const cell = id === undefined ? undefined : of.cells[id];
  if (cell === undefined)
    throw new EditError(named.length > 0 ? t('there is no {0} yet at step {1}', name, at) : t('there is no {0}', name));
  const expected = misfit(cell.type, value, of.components.length);
  if (expected !== undefined) throw new EditError(t('{0} cannot be {1}: expected {2}', name, value, expected));
  return cell;
}

/** What a cell of a type expects instead of a value, or `undefined` if it fits. */
function misfit(type: CellType, value: number, components: number): string | undefined {
  const isWhole = (minimum: number, maximum: number): boolean => Number.isInteger(value) && value >= minimum && value <= maximum;
  switch (type.kind) {
    case 'bool':
      return isWhole(0, 1) ? undefined : t('true or false');
    case 'int':
      return Number.isSafeInteger(value) ? undefined : t('a whole number');
    case 'hex':
    case 'bits':
    case 'vectors':
      return isWhole(0, 2 ** type.bits - 1) ? undefined : t('a number of {0} bits', type.bits);
    case 'enum':
      return type.names.has(value) ? undefined : t('one of {0}', [...type.names.values()].join(', '));
    case 'pointer':
      return isWhole(0, components) ? undefined : t('NULL or the number of an object');
  }
}
