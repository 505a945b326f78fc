import { setStyle, svg } from '../dom';
import { contextKind } from '../icons';
import type { RunView } from '../protocol';
import type { Columns } from './columns';
import { HANDOVER_GAP, ROW_HEIGHT, type Arrow, type Layout } from './layout';

const CORNER = 5;
/** An arrow leaves its rail by this much, and goes down between the rail and the texts. */
const ASIDE = 6;

/** The part of the sequence that has elements: rows `[first, end)`. */
export interface Window {
  readonly first: number;
  readonly end: number;
}

/**
 * Draws the hand-overs that cross the window into `canvas`, which is laid over the window only: a drawing as high as a long run
 * would cost as much memory as the run.
 */
export function drawArrows(
  canvas: SVGSVGElement,
  run: RunView,
  layout: Layout,
  columns: Columns,
  window: Window,
  onTheWay: ReadonlySet<number>,
): void {
  const top = layout.tops[window.first] ?? 0;
  const height = (layout.tops[window.end] ?? top) - top;
  setStyle(canvas, { top: `${top}px`, width: `${columns.width}px`, height: `${height}px` });
  canvas.setAttribute('viewBox', `0 ${top} ${columns.width} ${height}`);
  const crossing = layout.arrows.filter(({ from, to }) => from < window.end && to >= window.first);
  // Those on the way to the current step are drawn last, over the others.
  crossing.sort((a, b) => Number(onTheWay.has(a.step)) - Number(onTheWay.has(b.step)));
  canvas.replaceChildren(...crossing.map((arrow) => drawArrow(arrow, run, layout, columns, onTheWay.has(arrow.step))));
}

function drawArrow(arrow: Arrow, run: RunView, layout: Layout, columns: Columns, onTheWay: boolean): SVGGElement {
  const laneOf = (row: number) => run.steps[layout.rows[row] ?? 0]?.lane ?? 0;
  const railOf = (row: number) => (columns.rails[laneOf(row)] ?? 0) + 0.5;
  const middleOf = (row: number) => (layout.tops[row] ?? 0) + ROW_HEIGHT / 2;
  const context = contextKind(run.lanes[laneOf(arrow.to)]?.context ?? '');
  const [x1, y1, x2, y2] = [railOf(arrow.from), middleOf(arrow.from), railOf(arrow.to), middleOf(arrow.to)];
  const turn = (layout.tops[arrow.to] ?? 0) - HANDOVER_GAP / 2 + 0.5;
  return svg(
    'g',
    { class: `arrow ctx-${context}${onTheWay ? ' on-the-way' : ''}` },
    svg('path', { d: path(x1, y1, x2, y2 - 6, turn) }),
    svg('path', { class: 'head', d: `M${x2 - 3.5} ${y2 - 9.5} h7 l-3.5 5.5 Z` }),
  );
}

/** Out of the rail, down beside it, across above the row, and down into it. */
function path(x1: number, y1: number, x2: number, y2: number, turn: number): string {
  const right = x2 > x1 ? 1 : -1;
  const down = x1 + right * ASIDE;
  return [
    `M${x1} ${y1}`,
    `Q${down} ${y1} ${down} ${y1 + CORNER}`,
    `V${turn - CORNER}`,
    `Q${down} ${turn} ${down + right * CORNER} ${turn}`,
    `H${x2 - right * CORNER}`,
    `Q${x2} ${turn} ${x2} ${turn + CORNER}`,
    `V${y2}`,
  ].join(' ');
}
