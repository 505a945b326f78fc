import type { HistoryView, PositionView, RunView } from './protocol';

/** A piece of a view. It is told of each run and position once, and keeps neither. */
export interface Part {
  readonly element: HTMLElement;
  /** What steers it, for the bar above it, where it stands in a tab. */
  readonly tools?: readonly HTMLElement[];
  /** Another run, or the same one after a change: everything may differ. A position follows. */
  showRun?(run: RunView): void;
  showPosition(run: RunView, position: PositionView): void;
  showPlaying?(playing: boolean): void;
  /** The answer to a `history` that any part has asked for. */
  showHistory?(history: HistoryView): void;
}

/** Several pieces as one, around an element that holds them. */
export function compose(element: HTMLElement, parts: readonly Part[]): Part {
  return {
    element,
    showRun: (run) => parts.forEach((part) => part.showRun?.(run)),
    showPosition: (run, position) => parts.forEach((part) => part.showPosition(run, position)),
    showPlaying: (playing) => parts.forEach((part) => part.showPlaying?.(playing)),
    showHistory: (history) => parts.forEach((part) => part.showHistory?.(history)),
  };
}
