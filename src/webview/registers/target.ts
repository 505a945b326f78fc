import type { BitFieldView, RunOutline } from '../protocol';
import { cellAt } from './values';

/** What a reader points at: a cell, or some of its bits. */
export interface Target {
  /** The cell's number. */
  readonly cell: number;
  readonly field?: BitFieldView;
}

/** `kvm_kpic_state(master).isr IR5` */
export function targetName(run: RunOutline, { cell, field }: Target): string {
  const found = cellAt(run, cell);
  const component = run.components[found?.component ?? -1];
  if (!found || !component) return '';
  return `${component.struct}(${component.name}).${found.cell.name}${field ? ` ${field.name}` : ''}`;
}

/** Whether two point at the same bits. */
export const sameTarget = (a: Target | undefined, b: Target | undefined): boolean =>
  a?.cell === b?.cell && a?.field?.low === b?.field?.low && a?.field?.width === b?.field?.width;
