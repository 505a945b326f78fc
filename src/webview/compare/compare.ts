import { t } from '@vscode/l10n';
import './compare.css';
import { textButton } from '../controls';
import { h, setStyle, setText } from '../dom';
import type { Host } from '../host';
import type { Part } from '../part';
import type { ComparisonView, PositionView, RunView } from '../protocol';
import { mapScroll } from '../sequence/scroll';
import { formatCount } from '../words';
import { layOutComparison, rowAt, rowOfStepIn, stretchesOf, type CompareLayout, type Stretch } from './layout';
import { createCompareRow, ROW_HEIGHT } from './row';
import { createStateTable } from './state_table';

/** Rows beyond the edge that have elements already. */
const OVERSCAN = 8;

/** What is shown of two runs. */
interface Shown {
  readonly run: RunView;
  readonly comparison: ComparisonView;
  readonly stretches: readonly Stretch[];
  readonly opened: ReadonlySet<number>;
  readonly layout: CompareLayout;
  /** The row that the keyboard is on. */
  readonly row: number;
}

/** Two runs side by side: what is alike folded away, what differs marked, and what differs in state where one stands. */
export function createCompare(host: Host): Part {
  const summary = h('p', { class: 'compare-summary' });
  const [left, right] = [h('span', {}, t('This run')), h('span', {})];
  const list = h('div', { class: 'compare-rows', role: 'listbox', tabindex: 0, 'aria-label': t('Steps of both runs') });
  const content = h('div', { class: 'compare-content' }, list);
  const scroller = h('div', { class: 'compare-scroller' }, content);
  const table = createStateTable();
  const both = h('div', { class: 'compare-both' }, h('div', { class: 'compare-head' }, left, right), scroller, table.element);
  const nothing = h(
    'div',
    { class: 'compare-nothing' },
    h(
      'p',
      {},
      t(
        'No run stands beside this one. A fork is compared with the run that it came from; any run with a preset, or with other parameters.',
      ),
    ),
    textButton(t('Compare With…'), 'primary', () => host.command('compareWith')),
  );
  const [previous, next] = [jumpButton(t('Previous Difference'), -1), jumpButton(t('Next Difference'), 1)];
  const choose = textButton(t('Compare With…'), 'secondary', () => host.command('compareWith'));
  let shown: Shown | undefined;
  let latest: RunView | undefined;
  let position = 0;

  function jumpButton(title: string, direction: 1 | -1): HTMLElement {
    return textButton(title, 'secondary', () => jump(direction));
  }

  function show(now: Shown, follow: boolean): void {
    shown = now;
    const { layout } = now;
    const scroll = mapScroll(layout.rows * ROW_HEIGHT, Math.max(ROW_HEIGHT, scroller.clientHeight));
    setStyle(content, { height: `${scroll.height}px` });
    if (follow) {
      const y = now.row * ROW_HEIGHT;
      const top = scroll.toContent(scroller.scrollTop);
      const inSight = y >= top + ROW_HEIGHT && y <= top + scroller.clientHeight - 2 * ROW_HEIGHT;
      if (!inSight) scroller.scrollTop = scroll.toScrollTop(Math.max(0, y - scroller.clientHeight * 0.4));
    }
    render();
  }

  function render(): void {
    if (!shown) return;
    const { run, comparison, layout, row } = shown;
    const { toContent } = mapScroll(layout.rows * ROW_HEIGHT, Math.max(ROW_HEIGHT, scroller.clientHeight));
    const y = toContent(scroller.scrollTop);
    const first = Math.max(0, Math.floor(y / ROW_HEIGHT) - OVERSCAN);
    const end = Math.min(layout.rows, Math.ceil((y + scroller.clientHeight) / ROW_HEIGHT) + OVERSCAN);
    setStyle(list, { top: `${scroller.scrollTop - y + first * ROW_HEIGHT}px`, height: `${(end - first) * ROW_HEIGHT}px` });
    const here = rowOfStepIn(layout, position);
    const elements = Array.from({ length: Math.max(0, end - first) }, (_, index) => {
      const at = first + index;
      const element = createCompareRow(run, comparison, rowAt(layout, at), { here: at === here, active: at === row });
      element.id = `compare-${at}`;
      element.dataset['row'] = String(at);
      element.setAttribute('aria-posinset', String(at + 1));
      element.setAttribute('aria-setsize', String(layout.rows));
      return element;
    });
    list.replaceChildren(...elements);
    if (row >= first && row < end) list.setAttribute('aria-activedescendant', `compare-${row}`);
    else list.removeAttribute('aria-activedescendant');
  }

  function layOut(now: Omit<Shown, 'layout' | 'row'>): Shown {
    const layout = layOutComparison(now.stretches, position, now.opened);
    return { ...now, layout, row: rowOfStepIn(layout, position) };
  }

  function jump(direction: 1 | -1): void {
    if (!shown) return;
    const { layout, row } = shown;
    const target = direction === 1 ? layout.jumps.find((at) => at > row) : layout.jumps.findLast((at) => at < row);
    if (target !== undefined) act(target);
  }

  /** Goes to a row: a fold opens, a step of this run is gone to, a step that only the other has is looked at. */
  function act(row: number): void {
    if (!shown) return;
    const found = rowAt(shown.layout, row);
    if (found?.kind === 'fold') return open(found.a);
    show({ ...shown, row }, true);
    if (found?.a !== undefined) host.seek(found.a);
  }

  function open(step: number): void {
    if (!shown) return;
    const stretch = shown.stretches.findLast(({ mark, a }) => mark === 'same' && a <= step);
    if (!stretch) return;
    const layout = layOutComparison(shown.stretches, position, new Set([...shown.opened, stretch.a]));
    show({ ...shown, opened: new Set([...shown.opened, stretch.a]), layout, row: rowOfStepIn(layout, step) }, true);
  }

  function setThere(there: boolean): void {
    both.hidden = !there;
    nothing.hidden = there;
    for (const tool of [previous, next, choose]) tool.hidden = !there;
    if (!there) setText(summary, '');
  }

  scroller.addEventListener('scroll', render);
  new ResizeObserver(() => shown && scroller.clientHeight > 0 && show(shown, false)).observe(scroller);
  list.addEventListener('click', ({ target }) => {
    const row = (target as Element).closest<HTMLElement>('[data-row]');
    if (row) act(Number(row.dataset['row']));
  });
  list.addEventListener('keydown', (event) => {
    if (!shown || event.ctrlKey || event.altKey || event.metaKey) return;
    const { layout, row } = shown;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW_HEIGHT) - 1);
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: row + 1,
      ArrowUp: row - 1,
      PageDown: row + page,
      PageUp: row - page,
      Home: 0,
      End: layout.rows - 1,
    };
    const target = targets[event.key];
    if (event.key === 'Enter') act(row);
    else if (event.key === 'n') jump(1);
    else if (event.key === 'p') jump(-1);
    else if (target !== undefined) show({ ...shown, row: Math.max(0, Math.min(target, layout.rows - 1)) }, true);
    else return;
    event.preventDefault();
  });
  setThere(false);

  return {
    element: h('div', { class: 'compare' }, summary, both, nothing),
    tools: [previous, next, choose],
    showRun() {
      shown = undefined;
      setThere(false);
      host.send({ type: 'compare' });
    },
    showPosition(run: RunView, { step }: PositionView) {
      position = step;
      latest = run;
      if (!shown) return;
      show(layOut({ ...shown, run }), true);
      host.send({ type: 'compareState' });
    },
    showComparison(comparison) {
      setThere(comparison !== undefined);
      if (!comparison || !latest) return;
      setText(right, comparison.title);
      setText(summary, summaryOf(latest, comparison));
      const stretches = stretchesOf(comparison, latest.length);
      show(layOut({ run: latest, comparison, stretches, opened: new Set() }), true);
      host.send({ type: 'compareState' });
    },
    showStateComparison(state) {
      table.show(state);
    },
  };
}

/** `The same up to step 412 · 12 differences · 96 % in common` */
function summaryOf(run: RunView, { differences, otherwise, steps }: ComparisonView): string {
  const ways = differences.length / 4;
  if (ways === 0 && otherwise.length === 0) return t('Both runs are the same, step by step.');
  const first = Math.min(differences[0] ?? Infinity, otherwise[0] ?? Infinity);
  const only = differences.reduce((sum, edge, index) => sum + (index % 2 === 1 ? edge : -edge), 0);
  const common = (run.length + steps.length - only) / (run.length + steps.length);
  const parts = [
    first === 0 ? t('Different from the first step on') : t('The same up to step {0}', formatCount(first - 1)),
    ways === 0
      ? undefined
      : ways === 1
        ? t('1 place where they go different ways')
        : t('{0} places where they go different ways', formatCount(ways)),
    otherwise.length === 0
      ? undefined
      : otherwise.length === 1
        ? t('1 step writes another value')
        : t('{0} steps write another value', formatCount(otherwise.length)),
    t('{0} % in common', Math.floor(common * 100)),
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}
