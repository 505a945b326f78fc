import { t } from '@vscode/l10n';
import { h, setStyle, setText } from '../dom';
import { contextKind } from '../icons';
import type { RunView, StepView } from '../protocol';
import { stepAt } from '../steps';
import { describeStep } from '../words';
import type { Columns } from './columns';
import type { Layout } from './layout';
import { ROW_HEIGHT } from './layout';

/** The id of a row's element: the list names its active row by it. */
export const rowId = (row: number): string => `row-${row}`;

/** Makes the element of a row. Its height in the window is set by `placeRow`, what depends on the position by `markRow`. */
export function createRow(run: RunView, layout: Layout, columns: Columns, row: number): HTMLElement {
  const step = stepAt(run.steps, layout.rows[row] ?? -1);
  const lane = step && run.lanes[step.lane];
  if (!step || !lane) return h('div');
  const continues = layout.continues[row] === 1;
  const element = h(
    'div',
    {
      id: rowId(row),
      'data-row': row,
      role: 'option',
      class: `row ${step.kind} ctx-${contextKind(lane.context)}`,
      'aria-label': describeStep(run, step.n),
      'aria-posinset': row + 1,
      'aria-setsize': layout.rows.length,
    },
    h('span', { class: 'number' }, String(step.n)),
    h('span', { class: joins(run, layout, row) }),
    h('span', { class: 'node' }),
    h('span', { class: 'label' }, ...label(step, continues)),
  );
  setStyle(element, {
    height: `${ROW_HEIGHT}px`,
    '--rail': `${columns.rails[step.lane] ?? 0}px`,
    '--indent': `${Math.min(step.depth + (continues ? 1 : 0), 400) * columns.indent}px`,
  });
  return element;
}

/** Puts a row at its height above or below `origin`. */
export function placeRow(element: HTMLElement, layout: Layout, row: number, origin: number): void {
  setStyle(element, { top: `${(layout.tops[row] ?? 0) - origin}px` });
}

/** Marks a row as past, current or yet to come. `inside` says what a hidden current step below the row is. */
export function markRow(element: HTMLElement, when: 'past' | 'current' | 'future', inside: string | undefined): void {
  element.classList.toggle('past', when === 'past');
  element.classList.toggle('current', when === 'current');
  element.classList.toggle('future', when === 'future');
  element.setAttribute('aria-selected', String(when === 'current'));
  const note = element.querySelector('.inside');
  if (inside === undefined) note?.remove();
  else if (note) setText(note, inside);
  else element.querySelector('.label')?.append(h('span', { class: 'inside' }, inside));
}

function label(step: StepView, continues: boolean): readonly (Node | undefined)[] {
  const { kind, symbol, anchor, edge, writes } = step;
  return [
    kind === 'return' ? h('span', { class: 'sign' }, '↩') : undefined,
    continues && anchor !== undefined ? undefined : h('span', { class: 'symbol' }, symbol),
    anchor === undefined ? undefined : h('span', { class: 'anchor' }, anchor),
    edge === undefined ? undefined : h('span', { class: 'edge' }, edge),
    writes ? h('span', { class: 'writes', title: t('writes state') }) : undefined,
  ];
}

/** The bar along the rail shows for how long a lane runs; it ends where another one takes over. */
function joins(run: RunView, layout: Layout, row: number): string {
  const laneOf = (other: number) => run.steps.lanes[layout.rows[other] ?? -1];
  const starts = laneOf(row - 1) !== laneOf(row);
  const ends = laneOf(row + 1) !== laneOf(row);
  return `bar${starts ? ' starts' : ''}${ends ? ' ends' : ''}`;
}
