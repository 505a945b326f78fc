import type { RunView, StepRow } from '../protocol';

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

/** The step numbers stand left of the lanes. */
const NUMBERS = 60;
const [NARROWEST, WIDEST] = [58, 150];
const INDENTATION = 120;
/** Longer texts are cut: one endless name must not push all lanes together. */
const LONGEST_TEXT = 500;
/** Close enough to choose a distance by; what does not fit after all ends in dots. */
const [LETTER, SMALL_LETTER, MARGINS] = [8, 6.5, 40];

/**
 * Spreads the lanes over `width`. Texts run on over the lanes to their right, for a row has only one; so lanes can stand closer
 * than their texts are long, as long as each lane's longest text still ends within `width`.
 */
export function columnsFor(run: RunView, width: number): Columns {
  const deepest = run.steps.reduce((most, { depth }) => Math.max(most, depth), 1);
  const indent = Math.min(12, INDENTATION / deepest);
  const longest = run.lanes.map(() => 0);
  for (const step of run.steps) longest[step.lane] = Math.max(longest[step.lane] ?? 0, textWidth(step, indent));
  const fitting = longest.map((text, lane) => (lane === 0 ? WIDEST : (width - NUMBERS - Math.min(text, LONGEST_TEXT)) / lane));
  const pitch = Math.round(Math.max(NARROWEST, Math.min(WIDEST, ...fitting)));
  return {
    rails: run.lanes.map(({ index }) => NUMBERS + index * pitch),
    pitch,
    indent,
    width: NUMBERS + run.lanes.length * pitch + pitch,
  };
}

function textWidth({ depth, symbol, anchor = '', edge = '' }: StepRow, indent: number): number {
  return MARGINS + depth * indent + (symbol.length + anchor.length) * LETTER + edge.length * SMALL_LETTER;
}
