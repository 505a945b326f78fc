/** The stretch of a run that is in sight, in steps and parts of steps. Step `n` reaches from `n` to `n + 1`. */
export interface Range {
  readonly first: number;
  readonly span: number;
}

/** The least number of steps in sight: fewer would be wider than their names. */
const NEAREST = 24;

/** How much of the stretch is kept free around a step that is brought into sight. */
const MARGIN = 0.1;

/** All of a run. */
export const wholeOf = (length: number): Range => ({ first: 0, span: Math.max(1, length) });

/** Whether nothing worth a pixel is out of sight. */
export const isWhole = ({ span }: Range, length: number): boolean => span >= length * 0.9995;

/** Shows `factor` times as many steps, around the place `at` that stays where it is. */
export function zoomed(range: Range, length: number, factor: number, at: number): Range {
  const span = Math.max(Math.min(NEAREST, length), Math.min(length, range.span * factor));
  return within({ first: at - ((at - range.first) / range.span) * span, span }, length);
}

/** Moves on by so many steps. */
export const panned = (range: Range, length: number, by: number): Range => within({ ...range, first: range.first + by }, length);

/** Moves just far enough to have a step in sight, and something around it. */
export function showing(range: Range, length: number, step: number): Range {
  const { first, span } = range;
  const margin = span * MARGIN;
  if (step >= first && step < first + span) return range;
  return within({ first: step < first ? step - margin : step + 1 + margin - span, span }, length);
}

/** The step at a part of the width, from 0 to 1. */
export const stepAtPart = ({ first, span }: Range, length: number, part: number): number =>
  Math.max(0, Math.min(length - 1, Math.floor(first + part * span)));

/** Where a place in the run stands: from 0 to 1 what is in sight. */
export const partOf = ({ first, span }: Range, place: number): number => (place - first) / span;

const within = ({ first, span }: Range, length: number): Range => ({ span, first: Math.max(0, Math.min(length - span, first)) });
