import { setStyle, svg } from '../dom';
import { contextKind } from '../icons';
import type { RunView } from '../protocol';
import type { Columns } from './columns';
import { arrowsAcross, HANDOVER_GAP, ROW_HEIGHT, type Layout } from './layout';

const CORNER = 5;
/** An arrow leaves its rail by this much, and goes down between the rail and the texts. */
const ASIDE = 6;
const FAR = 2000;

/** The part of the sequence that has elements: rows `[first, end)`. */
export interface Window {
  readonly first: number;
  readonly end: number;
}

/**
 * Draws the hand-overs that cross the window into `canvas`, which is laid over the window only: a drawing as high as a long run
 * would cost as much memory as the run. Heights in the canvas count from `origin`.
 */
export function drawArrows(
  canvas: SVGSVGElement,
  run: RunView,
  layout: Layout,
  columns: Columns,
  window: Window,
  origin: number,
  onTheWay: ReadonlySet<number>,
): void {
  const top = layout.tops[window.first] ?? 0;
  const height = (layout.tops[window.end] ?? top) - top;
  setStyle(canvas, { top: `${top - origin}px`, width: `${columns.width}px`, height: `${height}px` });
  canvas.setAttribute('viewBox', `0 0 ${columns.width} ${height}`);
  const crossing = arrowsAcross(layout.arrows, window.first, window.end).map((index) => {
    const { from, to, steps } = layout.arrows;
    return { from: from[index] ?? 0, to: to[index] ?? 0, isOnTheWay: onTheWay.has(steps[index] ?? -1) };
  });
  // Those on the way to the current step are drawn last, over the others.
  crossing.sort((a, b) => Number(a.isOnTheWay) - Number(b.isOnTheWay));
  // Far away from the window an arrow may end anywhere: coordinates beyond what is drawn would lose their precision.
  const heightOf = (row: number) => Math.max(-FAR, Math.min(height + FAR, (layout.tops[row] ?? 0) - top));
  canvas.replaceChildren(...crossing.map((arrow) => drawArrow(arrow, run, layout, columns, heightOf)));
}

interface Arrow {
  /** Rows. */
  readonly from: number;
  readonly to: number;
  readonly isOnTheWay: boolean;
}

function drawArrow(
  { from, to, isOnTheWay }: Arrow,
  run: RunView,
  layout: Layout,
  columns: Columns,
  heightOf: (row: number) => number,
): SVGGElement {
  const laneOf = (row: number) => run.steps.lanes[layout.rows[row] ?? 0] ?? 0;
  const railOf = (row: number) => (columns.rails[laneOf(row)] ?? 0) + 0.5;
  const middleOf = (row: number) => heightOf(row) + ROW_HEIGHT / 2;
  const context = contextKind(run.lanes[laneOf(to)]?.context ?? '');
  const [x1, y1, x2, y2] = [railOf(from), middleOf(from), railOf(to), middleOf(to)];
  const turn = heightOf(to) - HANDOVER_GAP / 2 + 0.5;
  return svg(
    'g',
    { class: `arrow ctx-${context}${isOnTheWay ? ' on-the-way' : ''}` },
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
