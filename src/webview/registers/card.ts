import { t } from '@vscode/l10n';
import { h } from '../dom';
import { icon } from '../icons';
import type { ComponentView, RunOutline, StateView } from '../protocol';
import { createRow, type RowView } from './row';
import type { Target } from './target';
import { rowsOf, type Row } from './values';
import type { Wanted } from './wanted';

/** A component: its head, and its lines, which are made when it is first in demand. */
export interface Card {
  readonly element: HTMLElement;
  /** Shows the state as far as it is wanted. The result: whether anything is. */
  update(state: StateView, step: number, was: ReadonlyMap<number, number>, wanted: Wanted): boolean;
  setFolded(folded: boolean): void;
  setPinned(pinned: boolean): void;
}

/** Makes a component's card. */
export function createCard(run: RunOutline, component: ComponentView, targets: WeakMap<Element, Target>): Card {
  const pin = h('button', { type: 'button', class: 'pin', tabindex: -1 }, icon('pin'));
  const head = h(
    'div',
    { class: 'component-head' },
    icon('chevron', 'icon fold-sign'),
    h('span', { class: 'struct' }, component.struct),
    h('span', { class: 'name' }, component.name),
    h('span', { class: 'changed-sign', 'aria-hidden': 'true' }),
    pin,
  );
  const group = h('div', { class: 'cells', role: 'group' });
  const element = h(
    'div',
    { class: 'component', role: 'treeitem', 'aria-level': 1, 'aria-expanded': 'true', tabindex: -1, hidden: true },
    head,
    group,
  );
  const rows = rowsOf(component, run.types);
  let views: readonly RowView[] | undefined;
  let changed: boolean | undefined;

  function setChanged(now: boolean): void {
    if (now === changed) return;
    changed = now;
    element.classList.toggle('changed', now);
    const name = `${component.struct} ${component.name}`;
    element.setAttribute('aria-label', now ? t('{0}, changed by this step', name) : name);
  }

  const writtenRow = (state: StateView, step: number, { from, to }: Row): boolean => {
    for (let at = component.first + from; at < component.first + to; at++) if (state.writers[at] === step) return true;
    return false;
  };

  return {
    element,
    update(state, step, was, wanted) {
      const exists = component.born <= step;
      const shown = rows.map((row) => exists && wanted(component, row, writtenRow(state, step, row)));
      const any = shown.includes(true);
      element.hidden = !any;
      if (!any) return false;
      if (views === undefined) {
        views = rows.map((row) => createRow(run, component, row, targets));
        group.replaceChildren(...views.map((view) => view.element));
      }
      views.forEach((view, index) => {
        const visible = shown[index] === true;
        if (view.element.hidden === visible) view.element.hidden = !visible;
        if (visible) view.update(state, step, was);
      });
      setChanged(rows.some((row) => writtenRow(state, step, row)));
      return true;
    },
    setFolded(folded) {
      group.hidden = folded;
      element.setAttribute('aria-expanded', String(!folded));
    },
    setPinned(pinned) {
      element.classList.toggle('pinned', pinned);
      pin.title = pinned ? t('Unpin') : t('Pin to the Top');
      pin.setAttribute('aria-label', pin.title);
      pin.setAttribute('aria-pressed', String(pinned));
    },
  };
}
