import type { StepColumns } from '../protocol';

/** Where lanes stand, in pixels. */
export interface Columns {
  /** The rail of each lane. */
  readonly rails: readonly number[];
  /** How far apart they are. */
  readonly pitch: number;
  /** How much a call is indented. */
  readonly indent: number;
  /** The least width that shows all of it. */
  readonly width: number;
}

/** The room that the steps of a run need: measured once, whatever the width of the panel. */
export interface Extent {
  readonly indent: number;
  /** The longest text of each lane. */
  readonly longest: readonly number[];
}

/** The step numbers stand left of the lanes. */
const NUMBERS = 60;
const [NARROWEST, WIDEST] = [58, 150];
const INDENTATION = 120;
/** Longer texts are cut: one endless name must not push all lanes together. */
const LONGEST_TEXT = 500;
/** Close enough to choose a distance by; what does not fit after all ends in dots. */
const [LETTER, SMALL_LETTER, MARGINS] = [8, 6.5, 40];

/** Characters of East Asian scripts are as wide as two letters. */
const lettersOf = (text: string): number => text.length + (text.match(/[\u2e80-\uffef]/g)?.length ?? 0);

/** Measures the texts of a run's steps. */
export function extentOf({ length, lanes, depths, sites, edges, siteTable, edgeTable }: StepColumns, laneCount: number): Extent {
  const deepest = depths.reduce((most, depth) => Math.max(most, depth), 1);
  const indent = Math.min(12, INDENTATION / deepest);
  const siteWidths = Float64Array.from(siteTable, ({ symbol, anchor = '' }) => (symbol.length + anchor.length) * LETTER);
  const edgeWidths = Float64Array.from(edgeTable, (edge, index) => (index === 0 ? 0 : lettersOf(edge) * SMALL_LETTER));
  const longest = new Float64Array(laneCount);
  for (let n = 0; n < length; n++) {
    const width = MARGINS + depths[n]! * indent + siteWidths[sites[n]!]! + edgeWidths[edges[n]!]!;
    if (width > longest[lanes[n]!]!) longest[lanes[n]!] = width;
  }
  return { indent, longest: [...longest] };
}

/**
 * Spreads the lanes over `width`. Texts run on over the lanes to their right, for a row has only one; so lanes can stand closer
 * than their texts are long, as long as each lane's longest text still ends within `width`.
 */
export function columnsFor({ indent, longest }: Extent, width: number): Columns {
  const fitting = longest.map((text, lane) => (lane === 0 ? WIDEST : (width - NUMBERS - Math.min(text, LONGEST_TEXT)) / lane));
  const pitch = Math.round(Math.max(NARROWEST, Math.min(WIDEST, ...fitting)));
  return {
    rails: longest.map((_, lane) => NUMBERS + lane * pitch),
    pitch,
    indent,
    width: NUMBERS + longest.length * pitch + pitch,
  };
}
