/**
 * Lines up two sequences of numbers: Myers' difference algorithm in linear space. It works from both ends towards the middle, divides
 * there, and does the same with both parts. So two sequences that differ little cost little, however long they are.
 */

/** How many comparisons a difference may cost, roughly: a fraction of a second. */
const WORK = 50_000_000;
const LEAST_COST = 128;

/**
 * The partner in `b` of each entry of `a`, -1 for none: equal entries in equal order, as many as there can be. Where a stretch has very many
 * differences (`maxCost`, by default as many as a bounded amount of work allows), fewer may be found.
 */
export function lineUp(
  a: Int32Array,
  b: Int32Array,
  maxCost = Math.max(LEAST_COST, Math.floor(WORK / (a.length + b.length + 1))),
): Int32Array {
  const partners = new Int32Array(a.length).fill(-1);
  const furthest = furthestReaching(a, b, maxCost);
  /** What is still to be lined up; explicit, as parts may nest deeply. */
  const boxes: Box[] = [{ a: 0, aEnd: a.length, b: 0, bEnd: b.length }];
  for (let box = boxes.pop(); box !== undefined; box = boxes.pop()) {
    let { a: i, aEnd, b: j, bEnd } = box;
    while (i < aEnd && j < bEnd && a[i] === b[j]) partners[i++] = j++;
    while (i < aEnd && j < bEnd && a[aEnd - 1] === b[bEnd - 1]) partners[--aEnd] = --bEnd;
    if (i === aEnd || j === bEnd) continue;
    const middle = furthest({ a: i, aEnd, b: j, bEnd });
    boxes.push({ a: middle.a, aEnd, b: middle.b, bEnd }, { a: i, aEnd: middle.a, b: j, bEnd: middle.b });
  }
  return partners;
}

/** A part of both sequences. */
interface Box {
  readonly a: number;
  readonly aEnd: number;
  readonly b: number;
  readonly bEnd: number;
}

interface Point {
  readonly a: number;
  readonly b: number;
}

/**
 * Makes the function that finds where to divide a box: a point on a shortest way through it, or, where that would cost more than
 * `maxCost`, the point that the better of both searches has reached. The box must begin and end with a difference.
 */
function furthestReaching(a: Int32Array, b: Int32Array, maxCost: number): (box: Box) => Point {
  // By diagonal, `i - j`: how far in `a` one comes at the present cost, from the beginning and from the end.
  const zero = b.length + 1;
  const on = new Int32Array(a.length + b.length + 3);
  const back = new Int32Array(a.length + b.length + 3);

  return (box) => {
    const lowest = box.a - box.bEnd;
    const highest = box.aEnd - box.b;
    const start = box.a - box.b;
    const end = box.aEnd - box.bEnd;
    const meetsOnTheWayOn = (start - end) % 2 !== 0;
    let [onLow, onHigh, backLow, backHigh] = [start, start, end, end];
    on[zero + start] = box.a;
    back[zero + end] = box.aEnd;

    for (let cost = 1; ; cost++) {
      // One diagonal more at either side, or, at the edge of the box, one less: their parity alternates.
      if (onLow > lowest) on[zero + --onLow - 1] = -1;
      else onLow++;
      if (onHigh < highest) on[zero + ++onHigh + 1] = -1;
      else onHigh--;
      for (let diagonal = onHigh; diagonal >= onLow; diagonal -= 2) {
        let i = Math.max(on[zero + diagonal - 1]! + 1, on[zero + diagonal + 1]!);
        while (i < box.aEnd && i - diagonal < box.bEnd && a[i] === b[i - diagonal]) i++;
        on[zero + diagonal] = i;
        if (meetsOnTheWayOn && diagonal >= backLow && diagonal <= backHigh && back[zero + diagonal]! <= i) return { a: i, b: i - diagonal };
      }

      if (backLow > lowest) back[zero + --backLow - 1] = FAR;
      else backLow++;
      if (backHigh < highest) back[zero + ++backHigh + 1] = FAR;
      else backHigh--;
      for (let diagonal = backHigh; diagonal >= backLow; diagonal -= 2) {
        let i = Math.min(back[zero + diagonal - 1]!, back[zero + diagonal + 1]! - 1);
        while (i > box.a && i - diagonal > box.b && a[i - 1] === b[i - diagonal - 1]) i--;
        back[zero + diagonal] = i;
        if (!meetsOnTheWayOn && diagonal >= onLow && diagonal <= onHigh && i <= on[zero + diagonal]!) return { a: i, b: i - diagonal };
      }

      if (cost >= maxCost) return furthestOf(box, on, zero, onLow, onHigh);
    }
  };
}

const FAR = 0x7fffffff;

/** The furthest point of the search from the beginning: of several, the one nearest to the straight way through the box. */
function furthestOf({ a, aEnd, b, bEnd }: Box, on: Int32Array, zero: number, low: number, high: number): Point {
  const slope = (bEnd - b) / (aEnd - a);
  let best: Point = { a, b };
  let [reach, detour] = [0, 0];
  for (let diagonal = low; diagonal <= high; diagonal += 2) {
    const i = Math.min(on[zero + diagonal]!, aEnd, bEnd + diagonal);
    const j = i - diagonal;
    const aside = Math.abs((i - a) * slope - (j - b));
    if (i + j < reach || (i + j === reach && aside >= detour)) continue;
    best = { a: i, b: j };
    [reach, detour] = [i + j, aside];
  }
  return best;
}
