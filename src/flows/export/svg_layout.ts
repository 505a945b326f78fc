import type { Line, Part, Sequence, Stay } from './sequence';

/** Where everything of a drawn sequence goes, in pixels. */
export interface SvgLayout {
  readonly width: number;
  readonly height: number;
  /** The x of each lane's rail. */
  readonly rails: readonly number[];
  /** Where step numbers end. */
  readonly numbers: number;
  readonly left: number;
  readonly right: number;
  readonly headTop: number;
  readonly railTop: number;
  readonly railBottom: number;
  readonly bands: readonly { readonly y: number; readonly step: number; readonly title: string }[];
  readonly stimuli: readonly { readonly y: number; readonly lane: number; readonly step: number; readonly title: string }[];
  readonly stays: readonly { readonly lane: number; readonly top: number; readonly bottom: number }[];
  readonly lines: readonly PlacedLine[];
  readonly repeats: readonly { readonly top: number; readonly bottom: number; readonly times: number; readonly end: number }[];
}

/** A line and the y of its middle. */
export interface PlacedLine {
  readonly lane: number;
  readonly y: number;
  readonly line: Line;
}

export const ROW = 20;
/** Room above a line that another lane brought about: the arrow passes there. */
export const HANDOVER_GAP = 18;
/** Lanes stand so far apart that the widest name of an edge fits between two. */
export const PITCH = 108;
export const HEAD_HEIGHT = 34;
export const BAND_HEIGHT = 24;

const MARGIN = 24;
const NUMBERS = 50;
/** Texts run on to the right of their lane, over the others: the last one needs room of its own. */
const TEXTS = 430;
const NARROWEST = 880;
const TITLES = 68;
const LEGEND = 52;
const GAP = 8;

/** Places the parts of a sequence one below the other. */
export function layOutSvg({ lanes, parts }: Sequence): SvgLayout {
  const numbers = MARGIN + NUMBERS;
  const rails = lanes.map((_, lane) => numbers + PITCH / 2 + lane * PITCH);
  const right = Math.max((rails.at(-1) ?? numbers) + TEXTS, NARROWEST);
  const railTop = TITLES + HEAD_HEIGHT;
  const bands: SvgLayout['bands'][number][] = [];
  const stimuli: SvgLayout['stimuli'][number][] = [];
  const stays: SvgLayout['stays'][number][] = [];
  const lines: PlacedLine[] = [];
  const repeats: SvgLayout['repeats'][number][] = [];
  let y = railTop + GAP;

  function placeStay({ lane, lines: own }: Stay): void {
    const top = y;
    for (const line of own) {
      if (line.cause !== undefined) y += HANDOVER_GAP;
      lines.push({ lane, y: y + ROW / 2, line });
      y += ROW;
    }
    stays.push({ lane, top: own[0]?.cause === undefined ? top : top + HANDOVER_GAP, bottom: y });
    y += GAP / 2;
  }

  function place(part: Part): void {
    switch (part.kind) {
      case 'chapter':
        bands.push({ y: y + GAP, step: part.step, title: part.title });
        y += BAND_HEIGHT + GAP * 2;
        return;
      case 'stimulus':
        stimuli.push({ y: y + ROW / 2, lane: part.lane, step: part.step, title: part.title });
        y += ROW;
        return;
      case 'stay':
        return placeStay(part);
      case 'repeat': {
        const top = y + GAP / 2;
        y += ROW + GAP;
        part.stays.forEach(placeStay);
        repeats.push({ top, bottom: y, times: part.times, end: part.end });
        y += GAP;
      }
    }
  }

  parts.forEach(place);
  const railBottom = y + GAP;
  return {
    width: right + MARGIN,
    height: railBottom + LEGEND + MARGIN,
    left: MARGIN,
    headTop: TITLES,
    rails,
    numbers,
    right,
    railTop,
    railBottom,
    bands,
    stimuli,
    stays,
    lines,
    repeats,
  };
}
