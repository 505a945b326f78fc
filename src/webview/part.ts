import type { ComparisonView, HistoryView, PositionView, RunOutline, RunView, StateComparisonView } from './protocol';

/** A piece of a view. It is told of each run and position once, and keeps neither. `R` is as much of a run as it needs. */
export interface Part<R extends RunOutline = RunView> {
  readonly element: HTMLElement;
  /** What steers it, for the bar above it, where it stands in a tab. */
  readonly tools?: readonly HTMLElement[];
  /** Another run, or the same one after a change: everything may differ. A position follows. */
  showRun?(run: R): void;
  showPosition(run: R, position: PositionView): void;
  showPlaying?(playing: boolean): void;
  /** The answer to a `history` that any part has asked for. */
  showHistory?(history: HistoryView): void;
  /** The run beside this one, or undefined if there is none; `chosen`: the reader has just chosen it. */
  showComparison?(comparison: ComparisonView | undefined, chosen: boolean): void;
  /** What differs in state there. */
  showStateComparison?(state: StateComparisonView): void;
}

/** Several pieces as one, around an element that holds them. */
export function compose<R extends RunOutline>(element: HTMLElement, parts: readonly Part<R>[]): Part<R> {
  return {
    element,
    showRun: (run) => parts.forEach((part) => part.showRun?.(run)),
    showPosition: (run, position) => parts.forEach((part) => part.showPosition(run, position)),
    showPlaying: (playing) => parts.forEach((part) => part.showPlaying?.(playing)),
    showHistory: (history) => parts.forEach((part) => part.showHistory?.(history)),
    showComparison: (comparison, chosen) => parts.forEach((part) => part.showComparison?.(comparison, chosen)),
    showStateComparison: (state) => parts.forEach((part) => part.showStateComparison?.(state)),
  };
}
