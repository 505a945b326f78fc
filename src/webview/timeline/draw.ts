import type { StepColumns } from '../protocol';
import { firstNotBefore } from '../search';
import { formatCount } from '../words';
import type { Palette } from './palette';
import type { Pyramid } from './pyramid';
import { partOf, type Range } from './range';

/** Heights in CSS pixels, top down: the lanes, a track of marks, the numbers of steps. */
export interface Bands {
  /** From one lane to the next. */
  readonly pitch: number;
  readonly lanes: number;
  readonly marks: number;
  readonly height: number;
}

const [MARKS, AXIS] = [9, 15];

/** Lanes share about as much room however many they are, as long as they can be told apart. */
export function bandsFor(laneCount: number): Bands {
  const pitch = Math.max(10, Math.min(17, Math.floor(112 / Math.max(1, laneCount))));
  const lanes = pitch * laneCount;
  return { pitch, lanes, marks: lanes + MARKS / 2 + 1, height: lanes + MARKS + AXIS };
}

/** What is drawn, besides colours. */
export interface Picture {
  readonly steps: StepColumns;
  readonly pyramid: Pyramid;
  /** The steps that another lane brought about. */
  readonly handovers: Uint32Array;
  readonly chapters: readonly number[];
  readonly range: Range;
  /** The current step. */
  readonly position: number;
  /** The step under the pointer. */
  readonly hovered: number | undefined;
  /** Steps that were looked for, and steps that wrote the cell that somebody asked about. */
  readonly matches: Uint32Array;
  readonly writes: Uint32Array;
}

/** What each column of pixels shows of each lane. */
interface Samples {
  readonly columns: number;
  readonly laneCount: number;
  /** For each lane an entry for each column: heights in device pixels, and how busy the lane was, from 0 to `DENSITIES`. */
  readonly heights: Uint16Array;
  readonly densities: Uint8Array;
  /** 1 for a column that stays free between two steps. */
  readonly gaps: Uint8Array;
}

/** Looks at a run through the pyramid: what a column holds costs the same in any run. */
function sample({ steps, pyramid, range }: Picture, columns: number, tallest: number, gap: number): Samples {
  const { laneCount, highest } = pyramid;
  const heights = new Uint16Array(columns * laneCount);
  const densities = new Uint8Array(columns * laneCount);
  const gaps = new Uint8Array(columns);
  const counts = new Uint32Array(laneCount);
  const highs = new Uint16Array(laneCount);
  const grain = pyramid.grainWithin(range.span / columns);
  // On the boundaries of buckets, so that no column is pieced together from small ones.
  const edge = (column: number): number => Math.floor((range.first + (column / columns) * range.span) / grain) * grain;
  let known = -1;
  for (let column = 0; column < columns; column++) {
    const first = Math.min(steps.length - 1, edge(column));
    const end = Math.max(first + 1, Math.min(steps.length, edge(column + 1)));
    // Where a step is wider than a pixel, its columns are alike.
    if (end > first + 1 || first !== known) pyramid.summarize(first, end, counts, highs);
    if (first !== known) gaps.fill(1, Math.max(0, column - gap), column);
    known = end === first + 1 ? first : -1;
    for (let lane = 0; lane < laneCount; lane++) {
      const [count, high] = [counts[lane]!, highs[lane]!];
      if (count === 0) continue;
      const entry = lane * columns + column;
      heights[entry] = Math.max(1, Math.round((FLOOR + (1 - FLOOR) * (high / highest)) * tallest));
      densities[entry] = Math.ceil(Math.sqrt(count / (end - first)) * DENSITIES);
    }
  }
  return { columns, laneCount, heights, densities, gaps };
}

/** Paints pictures on a canvas. A frame costs what it shows, however long the run is. */
export function createPainter(canvas: HTMLCanvasElement): (picture: Picture, palette: Palette, ratio: number) => void {
  const context = canvas.getContext('2d')!;
  let image = new ImageData(1, 1);

  return (picture, palette, ratio) => {
    const { range, position, pyramid } = picture;
    const { laneCount } = pyramid;
    const { pitch, lanes, marks, height } = bandsFor(laneCount);
    const columns = canvas.width;
    const stepWidth = columns / range.span;
    const gap = stepWidth >= 5 * ratio ? hair(ratio) : 0;
    const xOf = (place: number): number => partOf(range, place) * columns;
    context.clearRect(0, 0, canvas.width, canvas.height);
    drawLanes(sample(picture, columns, (pitch - 3) * ratio, gap));
    // What is drawn next goes behind the lanes.
    context.globalCompositeOperation = 'destination-over';
    drawHandovers(picture, xOf);
    drawRules(picture, xOf);
    context.globalCompositeOperation = 'source-over';
    drawMarks(picture.matches, palette.match, MARKS - 3);
    drawMarks(picture.writes, palette.write, MARKS - 3);
    drawAxis(xOf);
    drawCursor(xOf);

    /** Skylines: as high as the calls are deep, as full as the lane was busy. Pixel by pixel, which costs less than rectangles. */
    function drawLanes({ heights, densities, gaps }: Samples): void {
      const tall = Math.max(1, Math.round(lanes * ratio));
      if (image.width !== columns || image.height !== tall) image = new ImageData(columns, tall);
      const pixels = new Uint32Array(image.data.buffer);
      pixels.fill(0);
      const here = Math.round(xOf(position + 1));
      for (let lane = 0; lane < laneCount; lane++) {
        const bottom = Math.round(((lane + 1) * pitch - 1) * ratio);
        const colour = palette.lanes[lane] ?? 0;
        for (let column = 0; column < columns; column++) {
          const entry = lane * columns + column;
          const size = heights[entry]!;
          if (size === 0 || gaps[column] === 1) continue;
          const future = column >= here;
          const outlined = future && palette.highContrast;
          const alpha = outlined ? 1 : (BASE_ALPHA + ((1 - BASE_ALPHA) * densities[entry]!) / DENSITIES) * (future ? FUTURE : 1);
          // The bytes of a pixel are red, green, blue, alpha, the first in the lowest bits.
          const pixel = (colour | (Math.round(alpha * 255) << 24)) >>> 0;
          const lowest = outlined ? bottom - size + hair(ratio) : bottom;
          for (let y = Math.max(0, bottom - size); y < lowest; y++) pixels[y * columns + column] = pixel;
        }
      }
      context.putImageData(image, 0, 0);
    }

    function drawRules({ chapters }: Picture, x: (place: number) => number): void {
      context.fillStyle = palette.line;
      for (const chapter of chapters) if (chapter > 0) context.fillRect(Math.round(x(chapter)), 0, hair(ratio), Math.round(lanes * ratio));
      context.fillRect(0, Math.round(lanes * ratio), columns, hair(ratio));
    }

    /** From the step that hands over, along its lane, and down or up to the one that takes over. */
    function drawHandovers({ handovers, steps }: Picture, x: (place: number) => number): void {
      const from = firstNotBefore(handovers, Math.floor(range.first));
      const to = firstNotBefore(handovers, Math.ceil(range.first + range.span));
      if (to - from > MOST_HANDOVERS) return;
      const wide = hair(ratio);
      const bottomOf = (step: number): number =>
        Math.round(((Math.min(steps.lanes[step]!, laneCount - 1) + 1) * pitch - 1) * ratio) - wide / 2;
      context.lineWidth = wide;
      for (const step of handovers.subarray(from, to)) {
        const cause = steps.causes[step]!;
        const [start, turn] = [Math.max(-1, Math.round(x(cause + 1))), Math.round(x(step)) + wide / 2];
        context.globalAlpha = step > position ? FUTURE : 0.75;
        context.strokeStyle = palette.text;
        context.beginPath();
        context.moveTo(start, bottomOf(cause));
        context.lineTo(turn, bottomOf(cause));
        context.lineTo(turn, bottomOf(step));
        context.stroke();
      }
      context.globalAlpha = 1;
    }

    /** A tick for each column that has any. */
    function drawMarks(marked: Uint32Array, colour: string, size: number): void {
      if (marked.length === 0) return;
      const wide = Math.max(Math.round(2 * ratio), Math.min(Math.round(stepWidth), Math.round(6 * ratio)));
      const top = Math.round((marks - size / 2) * ratio);
      context.fillStyle = colour;
      for (let index = firstNotBefore(marked, Math.max(0, Math.floor(range.first))); index < marked.length;) {
        const left = Math.round(xOf(marked[index]! + 0.5) - wide / 2);
        if (left > columns) break;
        context.fillRect(left, top, wide, Math.round(size * ratio));
        context.globalAlpha = 0.28;
        context.fillRect(left + Math.floor((wide - hair(ratio)) / 2), 0, hair(ratio), top);
        context.globalAlpha = 1;
        const next = Math.ceil(range.first + ((left + wide / 2 + wide) / columns) * range.span);
        index = Math.max(index + 1, firstNotBefore(marked, Math.max(0, next)));
      }
    }

    function drawAxis(x: (place: number) => number): void {
      const apart = niceNumber((range.span / columns) * 90 * ratio);
      context.fillStyle = palette.faint;
      context.font = `${Math.round(10 * ratio)}px ${palette.font}`;
      context.textBaseline = 'alphabetic';
      for (let at = Math.ceil(range.first / apart) * apart; at < range.first + range.span; at += apart) {
        const left = Math.round(x(at + 0.5));
        const label = formatCount(at);
        const wide = context.measureText(label).width;
        const start = Math.max(0, Math.min(columns - wide, left - wide / 2));
        context.fillRect(left, Math.round((lanes + MARKS - 1) * ratio), hair(ratio), Math.round(3 * ratio));
        context.fillText(label, start, Math.round((height - 2.5) * ratio));
      }
    }

    function drawCursor(x: (place: number) => number): void {
      const line = (place: number, colour: string, wide: number, alpha: number): void => {
        context.globalAlpha = alpha;
        context.fillStyle = colour;
        context.fillRect(Math.round(x(place + 0.5) - wide / 2), 0, wide, Math.round((lanes + MARKS) * ratio));
        context.globalAlpha = 1;
      };
      if (picture.hovered !== undefined && picture.hovered !== position) line(picture.hovered, palette.text, hair(ratio), 0.5);
      line(position, palette.cursor, Math.max(1, Math.round(1.5 * ratio)), 1);
      const [middle, size] = [x(position + 0.5), 4.5 * ratio];
      context.fillStyle = palette.cursor;
      context.beginPath();
      context.moveTo(middle - size, 0);
      context.lineTo(middle + size, 0);
      context.lineTo(middle, size * 1.25);
      context.fill();
    }
  };
}

/** A lane that is busy at all is this high, as a part of its band, and this opaque. */
const [FLOOR, BASE_ALPHA] = [0.22, 0.4];
const DENSITIES = 6;
/** How much of its colour what is yet to come keeps. */
const FUTURE = 0.34;
const MOST_HANDOVERS = 400;

const hair = (ratio: number): number => Math.max(1, Math.round(ratio));

/** The next of 1, 2, 5, 10, 20 … that is not below. */
export function niceNumber(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5].map((digit) => digit * power).find((candidate) => candidate >= least) ?? 10 * power;
}
