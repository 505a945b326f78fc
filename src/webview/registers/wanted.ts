import type { ShownState } from '../host';
import type { ComponentView, RunOutline } from '../protocol';
import type { Row } from './values';

/** Whether a reader wants to see a line of a component; `written`: the current step wrote it. */
export type Wanted = (component: ComponentView, row: Row, written: boolean) => boolean;

/** The lines that fit a filter, by the names of structure, instance, cell or bits, among those that are to be shown at all. */
export function wantedBy({ types }: RunOutline, filter: string, shown: ShownState): Wanted {
  const sought = filter.trim().toLowerCase();
  const matches = (text: string): boolean => text.toLowerCase().includes(sought);
  const namesBit = (type: number): boolean => {
    const known = types[type];
    return known?.kind === 'bits' && known.fields.some(({ name }) => matches(name));
  };
  const isShown = (cells: ComponentView['cells'], written: boolean): boolean => {
    switch (shown) {
      case 'all':
        return true;
      case 'touched':
        return cells.some(({ touched }) => touched);
      case 'changed':
        return written;
    }
  };
  return ({ struct, name, cells }, row, written) => {
    const own = cells.slice(row.from, row.to);
    return isShown(own, written) && (sought === '' || [struct, name, row.name].some(matches) || own.some(({ type }) => namesBit(type)));
  };
}
