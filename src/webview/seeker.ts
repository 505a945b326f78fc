import type { Host } from './host';

/** Asks for positions, from wherever a reader steers. */
export interface Seeker {
  seek(step: number): void;
  /** Where the next key starts from, when the run is shown at step `shown`. */
  from(shown: number): number;
  arrived(step: number): void;
}

/** An answer that takes longer than this, in milliseconds, is not waited for. */
const PATIENCE = 500;

/**
 * Remembers where the reader asked to go. Keys repeat faster than the extension answers, and each must start from where the last
 * one led, not from where the run still stands.
 */
export function createSeeker(host: Host): Seeker {
  let asked: { readonly step: number; readonly at: number } | undefined;
  return {
    seek(step) {
      asked = { step, at: performance.now() };
      host.seek(step);
    },
    from: (shown) => (asked && performance.now() - asked.at < PATIENCE ? asked.step : shown),
    arrived(step) {
      if (asked?.step === step) asked = undefined;
    },
  };
}
