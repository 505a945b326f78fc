import { t } from '@vscode/l10n';
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
    h('thead', {}, h('tr', {}, ...[t('Cell'), t('This run'), t('The other')].map((name) => h('th', { scope: 'col' }, name)))),
    body,
  );
  const scroller = h('div', { class: 'state-table-scroller', tabindex: 0, role: 'region', 'aria-labelledby': title.id }, table);
  return {
    element: h('section', { class: 'state-table', 'aria-label': t('Differences in state') }, title, scroller),
    show({ step, other, same, count, cells }) {
      const steps = same
        ? t('step {0} and its twin, {1}', formatCount(step), formatCount(other))
        : t('step {0} and the nearest before, {1}', formatCount(step), formatCount(other));
      setText(title, titleOf(count, cells.length, steps));
      scroller.hidden = count === 0;
      body.replaceChildren(
        ...cells.map(({ name, a, b }) =>
          h('tr', {}, h('th', { scope: 'row', title: name }, name), h('td', {}, a ?? t('not there')), h('td', {}, b ?? t('not there'))),
        ),
      );
    },
  };
}

function titleOf(count: number, shown: number, steps: string): string {
  if (count === 0) return t('No cell differs at {0}', steps);
  if (count === 1) return t('1 cell differs at {0}', steps);
  return count === shown
    ? t('{0} cells differ at {1}', formatCount(count), steps)
    : t('{0} cells differ at {1}, the first {2}', formatCount(count), steps, formatCount(shown));
}
