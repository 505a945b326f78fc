import { t } from '@vscode/l10n';
import { h, setStyle } from '../dom';
import { contextKind } from '../icons';
import type { ComparisonView, Lane, RunView, StepColumns } from '../protocol';
import { stepAt } from '../steps';
import { formatCount } from '../words';
import type { CompareRow, Mark } from './layout';

export const ROW_HEIGHT = 22;

/** What both runs do in a row, said by more than colour. */
const SIGNS: Readonly<Record<Mark, string>> = { same: '', otherwise: '≠', different: '' };

/** Calls deeper than this are not indented any more: a side has half the width. */
const DEEPEST = 14;

/** One row: the steps of both runs side by side, or how many are folded away. */
export function createCompareRow(
  run: RunView,
  comparison: ComparisonView,
  row: CompareRow | undefined,
  { here, active }: { readonly here: boolean; readonly active: boolean },
): HTMLElement {
  const state = `${here ? ' here' : ''}${active ? ' active' : ''}`;
  const common = { role: 'option', 'aria-selected': String(active), ...(here ? { 'aria-current': 'step' } : {}) };
  if (row === undefined) return h('div', common);
  if (row.kind === 'fold') {
    const count = t('{0} steps in common', formatCount(row.count));
    const label = t('{0}, folded', count);
    return h('div', { ...common, class: `compare-row fold-row${state}`, 'aria-label': label }, h('span', {}, `⋯ ${count}`));
  }
  const { mark, a, b, again } = row;
  const left = createSide(run.steps, run.lanes, a);
  const right = createSide(comparison.steps, comparison.lanes, b);
  const words = [
    again ? t('the same again') : markWords(row),
    a === undefined ? undefined : t('this run: {0}', left.words),
    b === undefined || mark === 'same' ? undefined : `${comparison.title}: ${right.words}`,
  ];
  return h(
    'div',
    { ...common, class: `compare-row ${mark}${state}`, 'aria-label': words.filter((word) => word !== undefined).join(', ') },
    left.element,
    h('span', { class: 'sign', 'aria-hidden': 'true' }, again ? '=' : SIGNS[mark]),
    right.element,
  );
}

function markWords({ mark, a, b }: Extract<CompareRow, { readonly kind: 'steps' }>): string | undefined {
  switch (mark) {
    case 'same':
      return undefined;
    case 'otherwise':
      return t('writes another value');
    case 'different':
      return a === undefined ? t('only in the other run') : b === undefined ? t('only in this run') : t('different');
  }
}

interface Side {
  readonly element: HTMLElement;
  readonly words: string;
}

function createSide(steps: StepColumns, lanes: readonly Lane[], n: number | undefined): Side {
  const step = n === undefined ? undefined : stepAt(steps, n);
  if (step === undefined) return { element: h('span', { class: 'side missing' }), words: '' };
  const lane = lanes[step.lane];
  const inside = step.kind === 'at' || step.kind === 'signal';
  const label = h(
    'span',
    { class: 'side-label' },
    ...(step.kind === 'return' ? [h('span', { class: 'sign' }, '↩ ')] : []),
    h('span', { class: inside ? 'inside-of' : 'symbol' }, step.symbol),
    ...(step.anchor === undefined ? [] : [h('span', { class: 'anchor' }, step.anchor)]),
    ...(step.writes ? [h('span', { class: 'writes' })] : []),
  );
  setStyle(label, { '--depth': String(Math.min(step.depth, DEEPEST)) });
  const element = h(
    'span',
    { class: `side ctx-${contextKind(lane?.context ?? '')}`, title: lane?.title ?? '' },
    h('span', { class: 'number' }, String(step.n)),
    h('span', { class: 'bar' }),
    label,
  );
  const what = step.kind === 'return' ? t('return from {0}', step.symbol) : step.symbol;
  const words = [t('step {0}', step.n), lane?.title, what, step.anchor].filter((part) => part !== undefined).join(', ');
  return { element, words };
}
