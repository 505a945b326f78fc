import { t } from '@vscode/l10n';
import './registers.css';
import { h } from '../dom';
import { SHOWN_STATE, type Host, type ShownState } from '../host';
import type { Part } from '../part';
import type { ComponentView, PositionView, RunOutline } from '../protocol';
import { dropdown, searchField } from '../toolkit';
import { createCard, type Card } from './card';
import { moveFrom } from './keys';
import { createMeaning } from './meaning';
import { openEditor, typeOfField } from './editor';
import { sameTarget, type Target } from './target';
import { cellAt, fieldValue, withField } from './values';
import { wantedBy } from './wanted';

const shownTitles = (): Readonly<Record<ShownState, string>> => ({
  all: t('All'),
  touched: t('Touched'),
  changed: t('Changed'),
});

/** What becomes of what a reader does with a value. */
export interface ValueActions {
  /** Who wrote it? */
  ask(target: Target): void;
  /** What if it were another one? */
  change(cell: number, value: number): void;
}

/** The state, and a way to begin what its keys begin. */
export interface Registers extends Part<RunOutline> {
  /** Opens an editor for a value; a bit is changed at once. */
  edit(target: Target): void;
  /** Marks the value that is asked about, or none. */
  select(target: Target | undefined): void;
  /** Gives the keyboard back to where it was. */
  focus(): void;
}

/**
 * Everything that the run's state consists of: structures, their cells, the bits of those. A tree for the keyboard: up and down
 * through the lines, right into the bits.
 */
export function createRegisters(host: Host, actions: ValueActions): Registers {
  const targets = new WeakMap<Element, Target>();
  const tree = h('div', { class: 'registers', role: 'tree', 'aria-label': t('State') });
  const nothing = h('p', { class: 'nothing', hidden: true });
  const meaning = createMeaning(tree, t('Enter: who wrote this?  F2: what if it were another value?'), (element) => {
    const target = targets.get(element);
    return target && latest && { run: latest.run, target };
  });
  let cards: readonly Card[] = [];
  let filter = '';
  let latest: { readonly run: RunOutline; readonly position: PositionView } | undefined;
  let selected: Target | undefined;

  const search = searchField(t('Filter'), (text) => {
    filter = text;
    show();
  });
  const shows = dropdown(
    t('Shown state'),
    SHOWN_STATE.map((value) => ({ value, title: shownTitles()[value] })),
    host.recall().shownState,
    (value) => {
      host.remember({ shownState: SHOWN_STATE.find((known) => known === value) ?? 'touched' });
      show();
    },
  );

  function show(): void {
    if (!latest) return;
    const { run, position } = latest;
    const was = new Map(position.state.changes.map((change) => [change.cell, change.was]));
    const want = wantedBy(run, filter, host.recall().shownState);
    const visible = cards.map((card) => card.update(position.state, position.step, was, want));
    nothing.hidden = visible.includes(true);
    nothing.textContent =
      filter.trim() !== ''
        ? t('No state matches the filter.')
        : host.recall().shownState === 'changed'
          ? t('This step changes no state.')
          : t('No state yet.');
    keepTabStop();
  }

  /** Exactly one element of the tree is reached by Tab. */
  function keepTabStop(): void {
    const current = tree.querySelector<HTMLElement>('[tabindex="0"]');
    if (current && current.closest('[hidden]') === null) return;
    if (current) current.tabIndex = -1;
    const first = tree.querySelector<HTMLElement>('.component:not([hidden])');
    if (first) first.tabIndex = 0;
  }

  function focus(element: HTMLElement): void {
    const current = tree.querySelector<HTMLElement>('[tabindex="0"]');
    if (current) current.tabIndex = -1;
    element.tabIndex = 0;
    element.focus();
  }

  const cardOf = (element: Element | null): number => cards.findIndex((card) => card.element === element?.closest('.component'));
  const keyOf = ({ struct, name }: ComponentView): string => `${struct}(${name})`;

  function toggle(element: HTMLElement): void {
    cards[cardOf(element)]?.setFolded(element.getAttribute('aria-expanded') === 'true');
  }

  function togglePin(index: number): void {
    const component = latest?.run.components[index];
    if (!component) return;
    const key = keyOf(component);
    const { pins } = host.recall();
    host.remember({ pins: pins.includes(key) ? pins.filter((pinned) => pinned !== key) : [...pins, key] });
    arrange();
  }

  /** The pinned components first, all others as they came to be. */
  function arrange(): void {
    if (!latest) return;
    const { pins } = host.recall();
    const isPinned = latest.run.components.map((component) => pins.includes(keyOf(component)));
    cards.forEach((card, index) => card.setPinned(isPinned[index] === true));
    const order = [...cards.keys()].toSorted((a, b) => Number(isPinned[b]) - Number(isPinned[a]));
    const focused = document.activeElement;
    tree.replaceChildren(...order.map((index) => cards[index]!.element));
    if (focused instanceof HTMLElement && tree.contains(focused)) focused.focus();
  }

  function edit(item: HTMLElement): void {
    const target = targets.get(item);
    const found = target && latest && cellAt(latest.run, target.cell);
    if (!found || found.type.kind === 'pointer') return;
    const { cell, field } = target;
    const word = latest!.position.state.values[cell] ?? 0;
    if (field?.width === 1) return actions.change(cell, withField(word, field, 1 - fieldValue(word, field)));
    const line = item.closest<HTMLElement>('.cell')!;
    meaning.hide();
    const asked = field
      ? { label: field.name, type: typeOfField(field), value: fieldValue(word, field) }
      : { label: found.cell.name, type: found.type, value: word };
    openEditor(line, asked, (value) => {
      focus(item);
      if (value !== undefined) actions.change(cell, field ? withField(word, field, value) : value);
    });
  }

  function markSelected(): void {
    tree.querySelector('[aria-selected]')?.removeAttribute('aria-selected');
    if (selected) itemOf(selected)?.setAttribute('aria-selected', 'true');
  }

  /** The line or the bit that a target is shown as, if it is shown. */
  const itemOf = (target: Target): HTMLElement | undefined =>
    [...tree.querySelectorAll<HTMLElement>('.bit, .cell')].find((element) => sameTarget(targets.get(element), target));

  function onClick(event: Event): void {
    const element = event.target as Element;
    const { run, position } = latest ?? {};
    if (!run || !position) return;
    if (element.closest('.pin')) return togglePin(cardOf(element));
    const origin = element.closest('.origin');
    if (origin) return host.seek(Number(origin.textContent));
    const item = element.closest<HTMLElement>('[role=treeitem]');
    if (!item) return;
    focus(item);
    const target = targets.get(item);
    if (target) actions.ask(target);
    else if (element.closest('.component-head')) toggle(item);
  }

  function onKey(event: KeyboardEvent): void {
    const item = (event.target as Element).closest<HTMLElement>('[role=treeitem]');
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === 'Escape' && meaning.visible) {
      event.stopPropagation();
      return meaning.hide();
    }
    if (event.key === 'Enter' || event.key === ' ') {
      const target = targets.get(item);
      if (target) actions.ask(target);
      else toggle(item);
    } else if (event.key === 'F2') {
      edit(item);
    } else if (event.key === 'p' && item.matches('.component')) {
      togglePin(cardOf(item));
    } else {
      const next = moveFrom(tree, item, event.key);
      if (next === undefined) return;
      if (next === 'toggle') toggle(item);
      else focus(next);
    }
    event.preventDefault();
  }

  tree.addEventListener('click', onClick);
  tree.addEventListener('dblclick', ({ target }) => {
    const item = (target as Element).closest<HTMLElement>('.bit, .cell');
    if (item) edit(item);
  });
  tree.addEventListener('keydown', onKey);
  // What the reader stands on stays in sight when the room for it changes.
  new ResizeObserver(() => {
    if (tree.contains(document.activeElement)) document.activeElement?.scrollIntoView({ block: 'nearest' });
  }).observe(tree);
  tree.addEventListener('scrollend', () => host.remember({ scroll: tree.scrollTop }));

  return {
    edit(target) {
      const item = itemOf(target);
      if (item) edit(item);
    },
    select(target) {
      selected = target;
      markSelected();
    },
    focus: () => tree.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
    element: h(
      'section',
      { class: 'state', 'aria-label': t('State') },
      h('div', { class: 'section-bar' }, h('h2', {}, t('State')), h('div', { class: 'tools' }, shows, search)),
      nothing,
      tree,
      meaning.element,
    ),
    showRun(run) {
      cards = run.components.map((component) => createCard(run, component, targets));
      tree.replaceChildren();
      meaning.hide();
      latest = undefined;
    },
    showPosition(run, position) {
      const first = latest === undefined;
      latest = { run, position };
      if (first) arrange();
      show();
      if (selected) markSelected();
      if (first) tree.scrollTop = host.recall().scroll;
      reveal(tree, tree.querySelector<HTMLElement>('.component.changed:not([hidden]) .cell.changed:not([hidden])'));
    },
  };
}

/** Scrolls only if the element is not in sight already. */
function reveal(list: HTMLElement, element: HTMLElement | null): void {
  if (!element) return;
  const [inner, outer] = [element.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inner.top >= outer.top && inner.top + Math.min(inner.height, outer.height) <= outer.bottom) return;
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  list.scrollTo({ top: list.scrollTop + inner.top - outer.top - 32, behavior: calm ? 'instant' : 'smooth' });
}
