import { h } from './dom';
import type { Host } from './host';
import type { Part } from './part';
import type { CellView, ComponentView, PositionView, RunOutline } from './protocol';
import { checkbox, searchField } from './toolkit';

/** Everything that the run's state consists of: structures and their fields, with what the current step changed marked. */
export function createComponents(host: Host): Part<RunOutline> {
  const list = h('div', { class: 'components', tabindex: 0, role: 'group', 'aria-label': 'Components' });
  const empty = h('p', { class: 'nothing', hidden: true });
  const cards = new Map<number, Card>();
  let filter = '';
  let latest: PositionView | undefined;

  const search = searchField('Filter', (text) => {
    filter = text.trim().toLowerCase();
    show();
  });
  const onlyChanged = checkbox('Changed', host.recall().changedOnly, (changedOnly) => {
    host.remember({ changedOnly });
    show();
  });
  list.addEventListener('scrollend', () => host.remember({ scroll: list.scrollTop }));

  function show(): void {
    if (!latest) return;
    const components = latest.components
      .map((component) => filtered(component, filter, host.recall().changedOnly))
      .filter(({ cells }) => cells.length > 0);
    const elements = components.map((component) => showCard(host, cards, component));
    // Whoever is unchanged stays where it is, so that the list neither flickers nor loses the focus.
    if (elements.length !== list.children.length || elements.some((element, index) => list.children[index] !== element))
      list.replaceChildren(...elements);
    empty.hidden = components.length > 0;
    empty.textContent = filter === '' ? 'This step changes no state.' : 'No state matches the filter.';
  }

  return {
    element: h(
      'section',
      { class: 'state', 'aria-label': 'State' },
      h('div', { class: 'section-bar' }, h('h2', {}, 'State'), h('div', { class: 'tools' }, onlyChanged, search)),
      empty,
      list,
    ),
    showRun: () => cards.clear(),
    showPosition(_run, position) {
      const first = latest === undefined;
      latest = position;
      show();
      if (first) list.scrollTop = host.recall().scroll;
      const changed = position.components.find((component) => component.changed);
      if (changed) reveal(list, cards.get(changed.id)?.element);
    },
  };
}

/** A component's element and what it shows, so that it is made anew only when that differs. */
interface Card {
  readonly element: HTMLElement;
  readonly shows: string;
}

function showCard(host: Host, cards: Map<number, Card>, component: ComponentView): HTMLElement {
  const known = cards.get(component.id);
  const shows = JSON.stringify(component);
  if (known?.shows === shows) return known.element;
  const element = known?.element ?? h('article', {});
  element.className = component.changed ? 'component changed' : 'component';
  element.replaceChildren(...cardContent(host, component));
  cards.set(component.id, { element, shows });
  return element;
}

function cardContent(host: Host, { struct, name, doc, cells }: ComponentView): readonly HTMLElement[] {
  return [
    h('h3', { title: doc }, h('span', { class: 'struct' }, struct), h('span', { class: 'name' }, name)),
    h('dl', {}, ...cells.map((cell) => createCell(host, cell))),
  ];
}

function createCell(host: Host, cell: CellView): HTMLElement {
  const { name, was, writtenAt, bits } = cell;
  const origin =
    writtenAt === undefined
      ? undefined
      : h(
          'button',
          {
            type: 'button',
            class: 'origin',
            title: `Written at step ${writtenAt}: go there`,
            'aria-label': `${name} was written at step ${writtenAt}: go there`,
            click: () => host.seek(writtenAt),
          },
          String(writtenAt),
        );
  return h(
    'div',
    { class: was === undefined ? 'cell' : 'cell changed' },
    h('dt', { title: name }, name),
    h('dd', {}, h('span', { class: 'value' }, ...createValue(cell)), origin, bits ? createBits(bits) : undefined),
  );
}

/** `false → true` where the step changed it. */
function createValue({ value, was, bits }: CellView): readonly (Node | string | undefined)[] {
  const now = bits ? plainNumber(value) : value;
  if (was === undefined) return [h('span', { title: value }, now)];
  return [
    h('del', { title: was }, h('span', { class: 'hidden' }, 'was '), bits ? plainNumber(was) : was),
    h('span', { class: 'becomes', 'aria-hidden': 'true' }, '→'),
    h('ins', { title: value }, h('span', { class: 'hidden' }, 'now '), now),
  ];
}

/** The number in front of the names of its bits, which stand beside it as chips. */
const plainNumber = (value: string): string => /^0x[\da-f]+/i.exec(value)?.[0] ?? value;

function createBits(bits: NonNullable<CellView['bits']>): HTMLElement {
  return h(
    'span',
    { class: 'bits' },
    ...bits.map(({ name, set, changed }) => {
      const words = `${name} is ${set ? 'set' : 'clear'}${changed ? ', changed by this step' : ''}`;
      return h(
        'span',
        { class: `bit${set ? ' set' : ''}${changed ? ' changed' : ''}`, title: words },
        name,
        h('span', { class: 'hidden' }, set ? ' set' : ' clear'),
      );
    }),
  );
}

/** The component with only those cells that the reader asked for. A match in its own name keeps all of them. */
function filtered(component: ComponentView, filter: string, changedOnly: boolean): ComponentView {
  if (filter === '' && !changedOnly) return component;
  const matches = (text: string) => text.toLowerCase().includes(filter);
  const whole = matches(component.struct) || matches(component.name);
  const wanted = ({ name, value, was }: CellView) => (whole || matches(name) || matches(value)) && (!changedOnly || was !== undefined);
  return { ...component, cells: component.cells.filter(wanted) };
}

/** Scrolls only if the element is not in sight already. */
function reveal(list: HTMLElement, element: HTMLElement | undefined): void {
  if (!element?.isConnected) return;
  const outside =
    element.offsetTop < list.scrollTop ||
    element.offsetTop + Math.min(element.offsetHeight, list.clientHeight) > list.scrollTop + list.clientHeight;
  if (!outside) return;
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  list.scrollTo({ top: element.offsetTop - 8, behavior: calm ? 'instant' : 'smooth' });
}
