import { t } from '@vscode/l10n';
import { h, setStyle, svg } from '../dom';
import { DETAILS, type Detail, type Host } from '../host';
import { contextKind, icon } from '../icons';
import type { Part } from '../part';
import type { PositionView, RunView } from '../protocol';
import { createSeeker } from '../seeker';
import { stepAt } from '../steps';
import { checkbox, dropdown } from '../toolkit';
import { drawArrows, type Window } from './arrows';
import { columnsFor, extentOf, type Columns, type Extent } from './columns';
import { layOut, rowAtHeight, rowOfStep, ROW_HEIGHT, type Layout } from './layout';
import { createRow, markRow, placeRow, rowId } from './row';
import { mapScroll, type ScrollMap } from './scroll';

const detailTitles = (): Readonly<Record<Detail, string>> => ({
  contexts: t('Hand-overs'),
  functions: t('Functions'),
  everything: t('Everything'),
});

/** Rows that have elements above and below those in sight, so that scrolling never shows bare ground. */
const OVERSCAN = 12;

/** What is worked out from a run and the filters: once, for it takes a look at every step. */
interface Plan {
  readonly run: RunView;
  readonly layout: Layout;
  readonly extent: Extent;
}

/** A plan in the width and height that there is, and where the run stands in it. */
interface Shown extends Plan {
  readonly position: PositionView;
  readonly columns: Columns;
  readonly scroll: ScrollMap;
  readonly onTheWay: ReadonlySet<number>;
}

/** Rows count their heights from one of every so many, so that scrolling seldom moves them and heights stay small. */
const ROWS_PER_ORIGIN = 256;

/**
 * The run as a sequence: a column for each execution context, time running down, hand-overs as arrows. Only rows in sight exist
 * in the document. It follows the position; a click or the arrow keys seek.
 */
export function createSequence(host: Host): Part {
  const lanes = h('div', { class: 'lanes' });
  const rails = h('div', { class: 'rails', 'aria-hidden': 'true' });
  const canvas = svg('svg', { class: 'arrows', 'aria-hidden': 'true' });
  const list = h('div', { class: 'rows', role: 'listbox', tabindex: 0, 'aria-label': t('Steps') });
  const layer = h('div', { class: 'layer' }, canvas, list);
  const content = h('div', { class: 'content' }, rails, layer);
  const scroller = h('div', { class: 'scroller' }, lanes, content);
  const elements = new Map<number, HTMLElement>();
  const seeker = createSeeker(host);
  let shown: Shown | undefined;

  scroller.addEventListener('scroll', () => shown && render(shown));
  new ResizeObserver(() => shown && scroller.clientWidth > 0 && arrange(shown, shown.position)).observe(scroller);
  list.addEventListener('click', (event) => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>('.row') : undefined;
    if (shown && row) seeker.seek(stepOfRow(shown, Number(row.dataset['row'])));
  });
  list.addEventListener('keydown', (event) => {
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter') host.command('revealSource');
    else if (event.key === ' ') host.command('togglePlay');
    else {
      const target = moved(shown, seeker.from(shown.position.step), event.key, pageOf(scroller));
      if (target === undefined) return;
      seeker.seek(target);
    }
    event.preventDefault();
  });

  /** Works everything out anew. */
  function show(run: RunView, position: PositionView): void {
    const { detail, returns } = host.recall();
    const layout = layOut(run.steps, run.lanes.length, detail, returns);
    arrange({ run, layout, extent: extentOf(run.steps, run.lanes.length) }, position);
  }

  /** Fits a plan into the panel. */
  function arrange({ run, layout, extent }: Plan, position: PositionView): void {
    const columns = columnsFor(extent, scroller.clientWidth);
    const height = (layout.tops.at(-1) ?? 0) + ROW_HEIGHT;
    const scroll = mapScroll(height, Math.max(ROW_HEIGHT, scroller.clientHeight - lanes.offsetHeight));
    shown = { run, layout, extent, columns, scroll, position, onTheWay: onTheWay(position) };
    elements.clear();
    list.replaceChildren();
    setStyle(content, { height: `${scroll.height}px`, width: `${columns.width}px` });
    setStyle(lanes, { width: `${columns.width}px` });
    showLanes(lanes, rails, run, columns);
    follow(shown);
    render(shown);
  }

  function render(now: Shown): void {
    const { run, layout, columns, position, scroll } = now;
    const y = scroll.toContent(scroller.scrollTop);
    const window = windowOf(layout, y, scroller.clientHeight);
    const origin = layout.tops[window.first - (window.first % ROWS_PER_ORIGIN)] ?? 0;
    const current = rowOfStep(layout, position.step);
    // As high as its rows: a list that is nowhere would be scrolled to when it gets the focus.
    const height = (layout.tops[window.end] ?? origin) - origin;
    setStyle(layer, { top: `${scroller.scrollTop - y + origin}px`, height: `${height}px` });
    for (const [row, element] of elements) {
      if (row >= window.first && row < window.end) continue;
      element.remove();
      elements.delete(row);
    }
    for (let row = window.first; row < window.end; row++) {
      const element = elements.get(row) ?? createRow(run, layout, columns, row);
      if (!elements.has(row)) list.append(element);
      elements.set(row, element);
      placeRow(element, layout, row, origin);
      markRow(element, row < current ? 'past' : row > current ? 'future' : 'current', row === current ? insideOf(now) : undefined);
    }
    if (elements.has(current)) list.setAttribute('aria-activedescendant', rowId(current));
    else list.removeAttribute('aria-activedescendant');
    drawArrows(canvas, run, layout, columns, window, origin, now.onTheWay);
  }

  /** Scrolls just enough to keep the current row away from the edges, or to it where it is far. */
  function follow({ layout, position, scroll }: Shown): void {
    const top = layout.tops[rowOfStep(layout, position.step)] ?? 0;
    const height = Math.max(ROW_HEIGHT, scroller.clientHeight - lanes.offsetHeight);
    const y = scroll.toContent(scroller.scrollTop);
    const [highest, lowest] = [top - height * 0.25, top - height * 0.7];
    const far = y > highest + height || y < lowest - height;
    const target = far ? top - height * 0.4 : Math.max(lowest, Math.min(highest, y));
    if (target !== y) scroller.scrollTop = scroll.toScrollTop(target);
  }

  const again = () => shown && show(shown.run, shown.position);
  return {
    element: h('div', { class: 'sequence' }, scroller),
    tools: createFilters(host, again),
    showRun: () => (shown = undefined),
    showPosition(run, position) {
      seeker.arrived(position.step);
      if (!shown) return show(run, position);
      if (shown.position.here.lane !== position.here.lane) markLane(lanes, position.here.lane);
      shown = { ...shown, position, onTheWay: onTheWay(position) };
      follow(shown);
      render(shown);
    },
  };

  function showLanes(header: HTMLElement, lines: HTMLElement, run: RunView, columns: Columns): void {
    header.classList.toggle('tight', columns.pitch < 100);
    header.replaceChildren(
      ...run.lanes.map(({ index, title, context }) => {
        const lane = h('div', { class: `lane ctx-${contextKind(context)}`, title }, icon(contextKind(context)), h('span', {}, title));
        setStyle(lane, { left: `${(columns.rails[index] ?? 0) - 7}px`, width: `${columns.pitch - 4}px` });
        return lane;
      }),
    );
    lines.replaceChildren(
      ...run.lanes.map(({ index, context }) => {
        const line = h('div', { class: `rail ctx-${contextKind(context)}` });
        setStyle(line, { left: `${columns.rails[index] ?? 0}px` });
        return line;
      }),
    );
    if (shown) markLane(header, shown.position.here.lane);
  }
}

function createFilters(host: Host, changed: () => void): readonly HTMLElement[] {
  const { detail, returns } = host.recall();
  const options = DETAILS.map((value) => ({ value, title: detailTitles()[value] }));
  const choose = (value: string) => {
    host.remember({ detail: DETAILS.find((known) => known === value) ?? 'everything' });
    changed();
  };
  const toggle = (checked: boolean) => {
    host.remember({ returns: checked });
    changed();
  };
  return [checkbox(t('Returns'), returns, toggle), dropdown(t('Detail'), options, detail, choose)];
}

/** The step to which a key leads, or undefined for a key that moves nothing. `page` is how many rows are in sight. */
function moved(shown: Shown, from: number, key: string, page: number): number | undefined {
  const row = rowOfStep(shown.layout, from);
  const to = (target: number) => stepOfRow(shown, Math.max(0, Math.min(shown.layout.rows.length - 1, target)));
  switch (key) {
    case 'ArrowDown':
      return to(row + 1);
    case 'ArrowUp':
      // From a hidden step, the row that is marked is the one above it.
      return to(stepOfRow(shown, row) < from ? row : row - 1);
    case 'PageDown':
      return to(row + page);
    case 'PageUp':
      return to(row - page);
    case 'Home':
      return to(0);
    case 'End':
      return to(shown.layout.rows.length - 1);
    default:
      return undefined;
  }
}

const stepOfRow = ({ layout }: Shown, row: number): number => layout.rows[row] ?? 0;

const pageOf = (scroller: HTMLElement): number => Math.max(1, Math.floor(scroller.clientHeight / ROW_HEIGHT) - 3);

const onTheWay = ({ way }: PositionView): ReadonlySet<number> => new Set(way.map(({ step }) => step));

/** The rows that have elements when `height` pixels from `y` on are in sight. */
function windowOf(layout: Layout, y: number, height: number): Window {
  const first = rowAtHeight(layout, y) - OVERSCAN;
  const last = rowAtHeight(layout, y + height) + OVERSCAN;
  return { first: Math.max(0, first), end: Math.min(layout.rows.length, last + 1) };
}

/** What a current step is that has no row of its own. */
function insideOf({ run, layout, position }: Shown): string | undefined {
  const step = stepAt(run.steps, position.step);
  if (!step || layout.rows[rowOfStep(layout, position.step)] === step.n) return undefined;
  if (step.kind === 'return') return t('returns from {0}', step.symbol);
  return step.anchor === undefined ? step.symbol : `${step.symbol} › ${step.anchor}`;
}

function markLane(lanes: HTMLElement, current: number | undefined): void {
  [...lanes.children].forEach((lane, index) => lane.classList.toggle('current', index === current));
}
