import type { TopologyView } from '../protocol';
import { columnsOf } from './columns';
import { routeWires } from './wires';

/**
 * Where the parts and wires of a topology go: worlds in columns, their parts below each other in the order in which a signal passes
 * them, wires at right angles in the gaps between. All lengths are in pixels at a zoom of 1.
 */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A wire from the edge of one part to the edge of another. */
export interface WireShape {
  readonly points: readonly Point[];
  readonly label: Box;
}

/** A part's box, and its place among the others. */
export interface PlacedPart extends Box {
  readonly column: number;
  readonly row: number;
}

export interface TopologyLayout {
  readonly width: number;
  readonly height: number;
  readonly parts: readonly PlacedPart[];
  readonly worlds: readonly Box[];
  readonly wires: readonly WireShape[];
}

/** How wide texts are: of a part, of one of its cells, of a wire's label. */
export interface Measures {
  readonly title: (text: string) => number;
  readonly cell: (text: string) => number;
  readonly label: (text: string) => number;
}

/** Heights of a part's lines, and what is around them. The style sheet has the same numbers. */
const TITLE_HEIGHT = 26;
const CELL_HEIGHT = 16;
const CELLS_PADDING = 6;
/** Room for a value beside its name: `true`, `0x0020`; a longer one is cut. */
const VALUE_WIDTH = 54;
const TITLE_EXTRAS = 38;
const CELL_EXTRAS = 26;
const NARROWEST = 96;

/** Around the parts of a world; its title is above them. */
const WORLD = { side: 12, top: 26, bottom: 12 } as const;
const BETWEEN_WORLDS = 22;
/** Between parts: a wire with its label passes there. */
const ROW_GAP = 34;
const MARGIN = 12;

/** Lays a topology out with at most `rows` parts below each other. */
export function layOutTopology(topology: TopologyView, measures: Measures, rows: number): TopologyLayout {
  const { parts, worlds } = topology;
  const columns = columnsOf(topology, rows);
  const sizes = parts.map((part) => partSize(part, measures));
  const route = routeWires(topology, columns, measures);
  const tallest = Math.max(...columns.map((column) => heightOf(column, topology, sizes)));
  const top = MARGIN + route.above + WORLD.top;
  const placed: PlacedPart[] = [];
  let x = MARGIN + route.gaps[0]!;
  columns.forEach((column, index) => {
    const width = Math.max(...column.map((part) => sizes[part]!.width));
    let y = top + (tallest - heightOf(column, topology, sizes)) / 2;
    column.forEach((part, row) => {
      if (row > 0) y += gapAbove(part, column[row - 1]!, topology);
      placed[part] = { x, y, width, height: sizes[part]!.height, column: index, row };
      y += sizes[part]!.height;
    });
    x += width + route.gaps[index + 1]!;
  });
  const boxes = worlds.map((_, world) => around(placed.filter((__, part) => parts[part]?.world === world)));
  const bounds = {
    left: MARGIN,
    right: x,
    top: Math.min(...boxes.map((box) => box.y)),
    bottom: Math.max(...boxes.map((box) => box.y + box.height)),
  };
  return {
    width: x + MARGIN,
    height: bounds.bottom + route.below + MARGIN,
    parts: placed,
    worlds: boxes,
    wires: route.draw(
      placed,
      boxes.map((box) => ({ ...box, height: WORLD.top })),
      bounds,
    ),
  };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

function partSize({ title, cells }: TopologyView['parts'][number], measures: Measures): Size {
  const widest = Math.max(
    measures.title(title) + TITLE_EXTRAS,
    ...cells.map((name) => measures.cell(shortName(name)) + VALUE_WIDTH + CELL_EXTRAS),
  );
  return {
    width: Math.ceil(Math.max(NARROWEST, widest)),
    height: TITLE_HEIGHT + (cells.length > 0 ? cells.length * CELL_HEIGHT + CELLS_PADDING : 0),
  };
}

/** The last part of a field's name: `remote_irr` of `fields.remote_irr`. */
export const shortName = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

const gapAbove = (part: number, above: number, { parts }: TopologyView): number =>
  parts[part]?.world === parts[above]?.world ? ROW_GAP : WORLD.bottom + BETWEEN_WORLDS + WORLD.top;

const heightOf = (column: readonly number[], topology: TopologyView, sizes: readonly Size[]): number =>
  column.reduce((sum, part, row) => sum + sizes[part]!.height + (row > 0 ? gapAbove(part, column[row - 1]!, topology) : 0), 0);

/** The box around parts, with room for a title above them. */
function around(boxes: readonly Box[]): Box {
  const left = Math.min(...boxes.map(({ x }) => x)) - WORLD.side;
  const top = Math.min(...boxes.map(({ y }) => y)) - WORLD.top;
  const right = Math.max(...boxes.map(({ x, width }) => x + width)) + WORLD.side;
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height)) + WORLD.bottom;
  return { x: left, y: top, width: right - left, height: bottom - top };
}
