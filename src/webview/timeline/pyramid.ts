import type { StepColumns } from '../protocol';

/** Steps in a bucket of the lowest level, and buckets of one level in a bucket of the next. */
const [BASE, FACTOR] = [16, 2];

/** What stretches of a run hold, lane by lane, summed up in ever larger buckets: any stretch is told from a few of them. */
export interface Pyramid {
  readonly laneCount: number;
  /** The greatest height of the run. */
  readonly highest: number;
  /** The steps in the largest buckets that fit into so many steps: stretches that begin and end on them are told at once. */
  grainWithin(steps: number): number;
  /**
   * Tells of steps `[first, end)` how many each lane has, and how high its highest stands: its depth and one more, or 0 where it
   * has none. Both arrays get an entry for each lane.
   */
  summarize(first: number, end: number, counts: Uint32Array, heights: Uint16Array): void;
}

interface Level {
  /** Steps in a bucket. */
  readonly size: number;
  /** For each bucket an entry for each lane. */
  readonly counts: Uint32Array;
  readonly heights: Uint16Array;
}

/** Sums up a run. Lanes from `laneCount` on count as the last one. */
export function createPyramid({ length, lanes, depths }: StepColumns, laneCount: number): Pyramid {
  const levels: Level[] = [];
  const lowest = emptyLevel(BASE);
  let highest = 1;
  for (let n = 0; n < length; n++) {
    const height = heightOf(n);
    add(lowest, Math.floor(n / BASE), laneOf(n), 1, height);
    highest = Math.max(highest, height);
  }
  levels.push(lowest);
  for (let below = lowest; below.counts.length > laneCount * FACTOR; below = levels.at(-1)!) levels.push(mergeLevel(below));

  function laneOf(n: number): number {
    return Math.min(lanes[n]!, laneCount - 1);
  }

  function heightOf(n: number): number {
    return Math.min(depths[n]! + 1, 0xffff);
  }

  function emptyLevel(size: number): Level {
    const entries = Math.ceil(length / size) * laneCount;
    return { size, counts: new Uint32Array(entries), heights: new Uint16Array(entries) };
  }

  function add({ counts, heights }: Level, bucket: number, lane: number, count: number, height: number): void {
    const entry = bucket * laneCount + lane;
    counts[entry]! += count;
    if (height > heights[entry]!) heights[entry] = height;
  }

  function mergeLevel(below: Level): Level {
    const level = emptyLevel(below.size * FACTOR);
    below.counts.forEach((count, entry) => {
      const bucket = Math.floor(Math.floor(entry / laneCount) / FACTOR);
      add(level, bucket, entry % laneCount, count, below.heights[entry]!);
    });
    return level;
  }

  /** The largest bucket that begins at `at` and lies within the stretch. */
  function levelAt(at: number, end: number): Level | undefined {
    let found: Level | undefined;
    for (const level of levels) {
      if (at % level.size !== 0 || (at + level.size > end && end < length)) break;
      found = level;
    }
    return found;
  }

  return {
    laneCount,
    highest,
    grainWithin: (steps) => levels.findLast(({ size }) => size <= steps)?.size ?? 1,
    summarize(first, end, counts, heights) {
      counts.fill(0);
      heights.fill(0);
      let at = first;
      while (at < end) {
        const level = levelAt(at, end);
        if (level === undefined) {
          const lane = laneOf(at);
          counts[lane]!++;
          heights[lane] = Math.max(heights[lane]!, heightOf(at));
          at++;
          continue;
        }
        const entry = (at / level.size) * laneCount;
        for (let lane = 0; lane < laneCount; lane++) {
          counts[lane]! += level.counts[entry + lane]!;
          heights[lane] = Math.max(heights[lane]!, level.heights[entry + lane]!);
        }
        at += level.size;
      }
    },
  };
}
