import { h, setText } from '../dom';
import type { StateComparisonView } from '../protocol';
import { formatCount } from '../words';

/** What differs in state between two runs, as a table. */
export interface StateTable {
  readonly element: HTMLElement;
  show(state: StateComparisonView): void;
}

/** Makes an empty table. */
export function createStateTable(): StateTable {
  const title = h('h2', { id: 'compare-state-title' });
  const body = h('tbody', {});
  const table = h(
    'table',
    { 'aria-labelledby': title.id },
    h('thead', {}, h('tr', {}, ...['Cell', 'This run', 'The other'].map((name) => h('th', { scope: 'col' }, name)))),
    body,
  );
  const scroller = h('div', { class: 'state-table-scroller', tabindex: 0, role: 'region', 'aria-labelledby': title.id }, table);
  return {
    element: h('section', { class: 'state-table', 'aria-label': 'Differences in state' }, title, scroller),
    show({ step, other, same, count, cells }) {
      const steps = `step ${formatCount(step)} and ${same ? 'its twin, ' : 'the nearest before, '}${formatCount(other)}`;
      const more = count > cells.length ? `, the first ${formatCount(cells.length)}` : '';
      setText(
        title,
        count === 0
          ? `No cell differs at ${steps}`
          : `${formatCount(count)} ${count === 1 ? 'cell differs' : 'cells differ'} at ${steps}${more}`,
      );
      scroller.hidden = count === 0;
      body.replaceChildren(
        ...cells.map(({ name, a, b }) =>
          h('tr', {}, h('th', { scope: 'row', title: name }, name), h('td', {}, a ?? 'not there'), h('td', {}, b ?? 'not there')),
        ),
      );
    },
  };
}
