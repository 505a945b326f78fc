import type { TopologyView } from '../protocol';
import type { Box, Measures, PlacedPart, Point, WireShape } from './layout';

/**
 * How wires run. Between parts below each other: straight down. Else out of a side, along a track in the gap between two columns,
 * and in at a side; past other columns along a lane above or below everything.
 */

/** What wires need of room, known before parts have places, and their shapes, once these have. */
export interface Route {
  /** The widths of the gaps: left of the first column, between columns, right of the last. */
  readonly gaps: readonly number[];
  /** The heights of the lanes above and below. */
  readonly above: number;
  readonly below: number;
  /** `titles` are not to be covered. */
  draw(parts: readonly PlacedPart[], titles: readonly Box[], bounds: Bounds): readonly WireShape[];
}

interface Bounds {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

type Side = 'left' | 'right';

/** What course a wire takes. */
type Course =
  | { readonly kind: 'down' }
  /** Through one gap. */
  | { readonly kind: 'gap'; readonly gap: number; readonly out: Side; readonly into: Side }
  /** Through a gap, along a lane, through another gap. */
  | {
      readonly kind: 'lane';
      readonly lane: 'above' | 'below';
      readonly from: number;
      readonly to: number;
      readonly out: Side;
      readonly into: Side;
    };

const TRACK = 10;
const LANE = 17;
const LABEL_HEIGHT = 15;
/** A gap holds the edges of two worlds, and labels. */
const GAP = { least: 88, edges: 62, outer: 18 } as const;

export function routeWires(topology: TopologyView, columns: readonly (readonly number[])[], measures: Measures): Route {
  const { wires } = topology;
  const place = new Map(columns.flatMap((column, index) => column.map((part, row) => [part, { column: index, row, rows: column.length }])));
  const used = Array.from({ length: columns.length + 1 }, () => 0);
  const take = (course: Course): Course => {
    if (course.kind === 'gap') used[course.gap]! += 1;
    if (course.kind === 'lane') for (const gap of [course.from, course.to]) used[gap]! += 1;
    return course;
  };
  const given = wires.map(({ from, to }) => courseOf(place.get(from)!, place.get(to)!));
  for (const course of given) if (course !== undefined) take(course);
  // What stays in its column takes the side where there is less.
  const courses = wires.map(({ from }, wire): Course => {
    const { column } = place.get(from)!;
    const side = used[column + 1]! <= used[column]! ? 'right' : 'left';
    return given[wire] ?? take({ kind: 'gap', gap: side === 'right' ? column + 1 : column, out: side, into: side });
  });
  const outermost = (gap: number): boolean => gap === 0 || gap === columns.length;
  const lanes = (lane: 'above' | 'below'): number =>
    courses.filter((course) => course.kind === 'lane' && course.lane === lane).length * LANE;
  return {
    gaps: used.map((count, gap) =>
      outermost(gap) ? GAP.outer + count * TRACK + (count > 0 ? 40 : 0) : Math.max(GAP.least, GAP.edges + count * TRACK),
    ),
    above: lanes('above'),
    below: lanes('below'),
    draw: (parts, titles, bounds) => drawWires(topology, parts, titles, bounds, courses, columns.length, measures),
  };
}

interface Place {
  readonly column: number;
  readonly row: number;
  readonly rows: number;
}

/** The course of a wire, but for one that stays in its column. */
function courseOf(from: Place, to: Place): Course | undefined {
  const columns = to.column - from.column;
  if (columns === 0 && Math.abs(to.row - from.row) === 1) return { kind: 'down' };
  if (columns === 0) return undefined;
  const [out, into]: readonly [Side, Side] = columns > 0 ? ['right', 'left'] : ['left', 'right'];
  const gapAt = ({ column }: Place, side: Side): number => (side === 'right' ? column + 1 : column);
  if (Math.abs(columns) === 1) return { kind: 'gap', gap: gapAt(from, out), out, into };
  const high = (from.row + 0.5) / from.rows + (to.row + 0.5) / to.rows < 1.05;
  return { kind: 'lane', lane: high ? 'above' : 'below', from: gapAt(from, out), to: gapAt(to, into), out, into };
}

/** An end of a wire at a part. */
interface End {
  readonly wire: number;
  readonly part: number;
  readonly side: Side;
  /** Where the wire goes from there: ends are in the order of what they lead to, so that wires do not cross at once. */
  readonly towards: number;
}

function drawWires(
  { wires }: TopologyView,
  parts: readonly PlacedPart[],
  titles: readonly Box[],
  bounds: Bounds,
  courses: readonly Course[],
  columns: number,
  measures: Measures,
): readonly WireShape[] {
  const ports = portsOf(wires, parts, courses, bounds);
  const lanes = lanesOf(wires, parts, courses, bounds);
  const tracks = tracksOf(wires, parts, courses, columns, bounds, ports, lanes);
  const polylines = wires.map((_, wire): readonly Point[] => {
    const course = courses[wire]!;
    if (course.kind === 'down') return straight(wires, parts, courses, wire);
    const [start, end] = [ports.get(`${wire} out`)!, ports.get(`${wire} into`)!];
    if (course.kind === 'gap') {
      const x = tracks.get(`${wire} ${course.gap}`)!;
      return tidy([start, { x, y: start.y }, { x, y: end.y }, end]);
    }
    const [first, last, y] = [tracks.get(`${wire} ${course.from}`)!, tracks.get(`${wire} ${course.to}`)!, lanes.get(wire)!];
    return tidy([start, { x: first, y: start.y }, { x: first, y }, { x: last, y }, { x: last, y: end.y }, end]);
  });
  return placeLabels(wires, polylines, [...parts.map(withBadge), ...titles], measures);
}

const centre = ({ y, height }: Box): number => y + height / 2;

/** Where on the side of a part each wire that is not straight begins or ends. */
function portsOf(
  wires: TopologyView['wires'],
  parts: readonly PlacedPart[],
  courses: readonly Course[],
  bounds: Bounds,
): ReadonlyMap<string, Point> {
  const ends = courses.flatMap((course, wire): End[] => {
    if (course.kind === 'down') return [];
    const { from, to } = wires[wire]!;
    const lane = course.kind === 'lane' ? (course.lane === 'above' ? bounds.top : bounds.bottom) : undefined;
    return [
      { wire, part: from, side: course.out, towards: lane ?? centre(parts[to]!) },
      { wire, part: to, side: course.into, towards: lane ?? centre(parts[from]!) },
    ];
  });
  const ports = new Map<string, Point>();
  for (const [part, box] of parts.entries()) {
    for (const side of ['left', 'right'] as const) {
      const here = ends.filter((end) => end.part === part && end.side === side).sort((a, b) => a.towards - b.towards || a.wire - b.wire);
      here.forEach(({ wire }, index) => {
        const out = wires[wire]!.from === part;
        const point = { x: side === 'left' ? box.x : box.x + box.width, y: box.y + (box.height * (index + 1)) / (here.length + 1) };
        ports.set(`${wire} ${out ? 'out' : 'into'}`, point);
      });
    }
  }
  return ports;
}

/** The height of each wire's lane: the shorter its way along it, the nearer to the parts. */
function lanesOf(
  wires: TopologyView['wires'],
  parts: readonly PlacedPart[],
  courses: readonly Course[],
  bounds: Bounds,
): ReadonlyMap<number, number> {
  const span = (wire: number): number => Math.abs(parts[wires[wire]!.from]!.column - parts[wires[wire]!.to]!.column);
  const lanes = new Map<number, number>();
  for (const lane of ['above', 'below'] as const) {
    const here = [...courses.keys()].filter((wire) => {
      const course = courses[wire]!;
      return course.kind === 'lane' && course.lane === lane;
    });
    here
      .sort((a, b) => span(a) - span(b))
      .forEach((wire, index) =>
        lanes.set(wire, lane === 'above' ? bounds.top - LANE * (index + 0.6) : bounds.bottom + LANE * (index + 0.6)),
      );
  }
  return lanes;
}

/** The track of each wire in each gap that it runs through. */
function tracksOf(
  wires: TopologyView['wires'],
  parts: readonly PlacedPart[],
  courses: readonly Course[],
  columns: number,
  bounds: Bounds,
  ports: ReadonlyMap<string, Point>,
  lanes: ReadonlyMap<number, number>,
): ReadonlyMap<string, number> {
  const tracks = new Map<string, number>();
  for (let gap = 0; gap <= columns; gap++) {
    const left = Math.max(bounds.left, ...parts.filter(({ column }) => column === gap - 1).map(({ x, width }) => x + width));
    const right = Math.min(bounds.right, ...parts.filter(({ column }) => column === gap).map(({ x }) => x));
    const here = courses.flatMap((course, wire) => {
      if (course.kind === 'down') return [];
      const [start, end] = [ports.get(`${wire} out`)!, ports.get(`${wire} into`)!];
      if (course.kind === 'gap')
        return course.gap === gap ? [{ wire, ...(start.x <= end.x ? { l: start.y, r: end.y } : { l: end.y, r: start.y }) }] : [];
      const y = lanes.get(wire)!;
      const onLeft = (side: Side): boolean => side === 'right';
      if (course.from === gap) return [{ wire, ...(onLeft(course.out) ? { l: start.y, r: y } : { l: y, r: start.y }) }];
      if (course.to === gap) return [{ wire, ...(onLeft(course.into) ? { l: end.y, r: y } : { l: y, r: end.y }) }];
      return [];
    });
    // What goes down takes tracks from the right, the highest first; what goes up from the left: then few wires cross.
    const down = here.filter(({ l, r }) => r > l).sort((a, b) => b.l - a.l);
    const up = here.filter(({ l, r }) => r <= l).sort((a, b) => a.l - b.l);
    const all = [...up, ...down];
    all.forEach(({ wire }, index) => tracks.set(`${wire} ${gap}`, left + ((right - left) * (index + 1)) / (all.length + 1)));
  }
  return tracks;
}

/** Between two parts below each other: beside the other wires between the same two. */
function straight(wires: TopologyView['wires'], parts: readonly PlacedPart[], courses: readonly Course[], wire: number): readonly Point[] {
  const { from, to } = wires[wire]!;
  const same = [...courses.keys()].filter((other) => {
    const { from: a, to: b } = wires[other]!;
    return (a === from && b === to) || (a === to && b === from);
  });
  const [source, target] = [parts[from]!, parts[to]!];
  const width = Math.min(source.width, target.width);
  const x = source.x + (width * (same.indexOf(wire) + 1)) / (same.length + 1);
  return source.y < target.y
    ? [
        { x, y: source.y + source.height },
        { x, y: target.y },
      ]
    : [
        { x, y: source.y },
        { x, y: target.y + target.height },
      ];
}

/** Without corners that turn nowhere. */
function tidy(points: readonly Point[]): readonly Point[] {
  return points.filter((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (!before || !after) return true;
    if (Math.hypot(point.x - before.x, point.y - before.y) < 0.5) return false;
    return !(Math.abs(before.y - after.y) < 0.5 && Math.abs(point.y - before.y) < 0.5);
  });
}

/** What blocks is marked at the upper right corner, half outside. */
const withBadge = ({ x, y, width, height }: Box): Box => ({ x, y: y - 9, width: width + 9, height: height + 9 });

/** Puts each label on its wire, where it covers neither a part, nor a title, nor another label. */
function placeLabels(
  wires: TopologyView['wires'],
  polylines: readonly (readonly Point[])[],
  taken: readonly Box[],
  measures: Measures,
): readonly WireShape[] {
  const labels: Box[] = [];
  const order = [...wires.keys()].sort((a, b) => lengthOf(polylines[a]!) - lengthOf(polylines[b]!));
  for (const wire of order) {
    const size = { width: Math.ceil(measures.label(wires[wire]!.label)) + 10, height: LABEL_HEIGHT };
    const free = (box: Box): boolean =>
      !taken.some((other) => overlaps(other, box, 1)) && !labels.some((label) => label !== undefined && overlaps(label, box, 1));
    const candidates = [...spotsOn(polylines[wire]!), ...spotsBeside(polylines[wire]!, size)].map(({ x, y }) => ({
      x: x - size.width / 2,
      y: y - size.height / 2,
      ...size,
    }));
    labels[wire] = candidates.find(free) ?? candidates[0]!;
  }
  return polylines.map((points, wire) => ({ points, label: labels[wire]! }));
}

const lengthOf = (points: readonly Point[]): number =>
  points.reduce(
    (sum, point, index) => (index === 0 ? 0 : sum + Math.hypot(point.x - points[index - 1]!.x, point.y - points[index - 1]!.y)),
    0,
  );

const overlaps = (a: Box, b: Box, room: number): boolean =>
  a.x < b.x + b.width + room && b.x < a.x + a.width + room && a.y < b.y + b.height + room && b.y < a.y + a.height + room;

/** Places on a wire, the best for a label first: the middle of its longest stretch, then from there outwards, then all of the others. */
function* spotsOn(points: readonly Point[]): Generator<Point> {
  const stretches = points
    .slice(1)
    .map((end, index) => ({ start: points[index]!, end, length: Math.hypot(end.x - points[index]!.x, end.y - points[index]!.y) }));
  const horizontal = ({ start, end }: { readonly start: Point; readonly end: Point }): boolean => Math.abs(start.y - end.y) < 0.5;
  // A label lies along a level stretch better than across an upright one.
  stretches.sort((a, b) => b.length * (horizontal(b) ? 1.6 : 1) - a.length * (horizontal(a) ? 1.6 : 1));
  for (const { start, end, length } of stretches) {
    for (let away = 0; away <= length / 2; away += 4) {
      for (const sign of away === 0 ? [1] : [1, -1]) {
        const at = 0.5 + (sign * away) / length;
        yield { x: start.x + (end.x - start.x) * at, y: start.y + (end.y - start.y) * at };
      }
    }
  }
}

/** Places beside a wire, for a label that finds none on it. */
function* spotsBeside(points: readonly Point[], { width, height }: { readonly width: number; readonly height: number }): Generator<Point> {
  for (const { x, y } of spotsOn(points)) {
    for (const away of [1, -1]) {
      yield { x: x + away * (width / 2 + 4), y };
      yield { x, y: y + away * (height / 2 + 3) };
    }
  }
}

/** A line through points with rounded corners, as an SVG path. */
export function roundedPath(points: readonly Point[], radius = 8): string {
  return points
    .map((point, index) => {
      const [before, after] = [points[index - 1], points[index + 1]];
      if (!before) return `M${text(point)}`;
      if (!after) return `L${text(point)}`;
      const bend = Math.min(radius, distance(before, point) / 2, distance(point, after) / 2);
      return `L${text(towards(point, before, bend))} Q${text(point)} ${text(towards(point, after, bend))}`;
    })
    .join(' ');
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

function towards(from: Point, to: Point, by: number): Point {
  const length = distance(from, to) || 1;
  return { x: from.x + ((to.x - from.x) * by) / length, y: from.y + ((to.y - from.y) * by) / length };
}

const text = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`;
