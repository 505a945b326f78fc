import type { BitFieldView, HistoryView, PlaceView } from '../protocol';
import { fieldText, fieldValue } from '../registers/values';

/** The writes to a cell, or to some of its bits, as its history is drawn and told: pure. */

export interface History {
  /** The steps that wrote, in order. */
  readonly steps: readonly number[];
  /** What each left there. */
  readonly values: readonly number[];
  /** What was there before the first of them. */
  readonly before: number;
  /** Where each stood. */
  readonly places: readonly PlaceView[];
  readonly truncated: boolean;
  /** A value as people read it. */
  text(value: number): string;
}

/** The history of a whole cell: every write, also one that changes nothing. Of bits of it: the writes that changed them. */
export function historyOf(view: HistoryView, field: BitFieldView | undefined): History {
  const all = [...view.values].map((index) => view.numbers[index] ?? 0);
  const writers = [...view.writers].map((index) => view.places[index]!);
  if (field === undefined) {
    const texts = new Map(view.numbers.map((number, index) => [number, view.texts[index] ?? '']));
    const text = (value: number) => texts.get(value) ?? (value === view.before ? view.initial : String(value));
    return { steps: [...view.steps], values: all, before: view.before, places: writers, truncated: view.truncated, text };
  }
  const steps: number[] = [];
  const values: number[] = [];
  const places: PlaceView[] = [];
  const before = fieldValue(view.before, field);
  all.forEach((word, index) => {
    const value = fieldValue(word, field);
    if (value === (values.at(-1) ?? before)) return;
    steps.push(view.steps[index] ?? 0);
    values.push(value);
    places.push(writers[index]!);
  });
  const text = (value: number) => (field.width === 1 ? (value === 1 ? 'set' : 'clear') : fieldText(field, value));
  return { steps, values, before, places, truncated: view.truncated, text };
}

/** How many of the writes happened up to and including a step. */
export function writesUntil({ steps }: History, step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((steps[middle] ?? 0) <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What stood there before write number `index`. */
export const valueBefore = ({ values, before }: History, index: number): number => (index === 0 ? before : (values[index - 1] ?? before));

/** A point of the drawing, both from 0 to 1; `y` is 1 at the top. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The most points that are worth drawing. */
const MAX_POINTS = 1000;

/**
 * The values over the run as a line of steps. Values stand at equal distances in their order, as their size is seldom the point; where
 * writes crowd, one stands for those that would share its place.
 */
export function curve({ steps, values, before }: History, length: number): readonly Point[] {
  const levels = [...new Set([before, ...values])].toSorted((a, b) => a - b);
  const level = new Map(levels.map((value, index) => [value, levels.length === 1 ? 0.5 : index / (levels.length - 1)]));
  const heightOf = (value: number): number => level.get(value) ?? 0;
  const last = Math.max(1, length - 1);
  const points: Point[] = [{ x: 0, y: heightOf(before) }];
  const apart = 1 / MAX_POINTS;
  steps.forEach((step, index) => {
    const x = step / last;
    const previous = points.at(-1)!;
    const y = heightOf(values[index] ?? before);
    if (x - previous.x < apart && points.length > 1) points[points.length - 1] = { x: previous.x, y };
    else points.push({ x, y: previous.y }, { x, y });
  });
  points.push({ x: 1, y: points.at(-1)!.y });
  return points;
}
