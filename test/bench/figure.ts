/** A figure of the bench: a ratio of two things measured in the same process, one after the other, several times. */
export interface Figure {
  readonly name: string;
  /** What was compared to what. */
  readonly compared: string;
  readonly value: number;
  readonly unit: '×' | 'bytes';
  /** What the project has set itself; undefined for what is only worth knowing. */
  readonly target?: Target;
  /** What the value is the median of. */
  readonly samples: readonly number[];
}

export interface Target {
  readonly kind: 'at most' | 'at least';
  readonly value: number;
}

export const atMost = (value: number): Target => ({ kind: 'at most', value });
export const atLeast = (value: number): Target => ({ kind: 'at least', value });

/** How often each ratio is measured. */
const ROUNDS = 7;

/** A figure from samples: their median. */
export function figure(name: string, compared: string, unit: Figure['unit'], samples: readonly number[], target?: Target): Figure {
  return { name, compared, unit, value: median(samples), samples, ...(target ? { target } : {}) };
}

/** Takes several samples, the first of which only warms up. */
export function sample(take: () => number, rounds = ROUNDS): readonly number[] {
  take();
  return Array.from({ length: rounds }, take);
}

/**
 * Samples of how many times longer `one` takes than `other`. They take turns, so that whatever else the machine does meets both.
 * Each must do about the same number of operations in every call.
 */
export const ratios = (one: () => void, other: () => void, rounds = ROUNDS): readonly number[] => {
  one();
  return sample(() => milliseconds(one) / milliseconds(other), rounds);
};

/** How long `work` takes. */
export function milliseconds(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** Whether a figure meets its target; undefined if it has none. */
export function isMet({ value, target }: Figure): boolean | undefined {
  switch (target?.kind) {
    case undefined:
      return undefined;
    case 'at most':
      return value <= target.value;
    case 'at least':
      return value >= target.value;
  }
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
