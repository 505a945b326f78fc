import { NO_STEP } from '../engine/journal';
import type { Run } from '../engine/timeline';

/** The call chain of a run as a tree: each function with the steps made in it, in parts small enough to be looked at. */

/** A node: a step, or many consecutive ones of the same function. */
export type ChainNode =
  | { readonly kind: 'step'; readonly step: number }
  /** The steps `[first, end)` among those of the frame that step `of` entered; NO_STEP stands for the outermost functions. */
  | { readonly kind: 'steps'; readonly of: number; readonly first: number; readonly end: number };

type StepNode = Extract<ChainNode, { readonly kind: 'step' }>;

export interface Chain {
  /** What a node holds; without one, the outermost functions. The same node is the same object every time. */
  children(node?: ChainNode): readonly ChainNode[];
  parent(node: ChainNode): ChainNode | undefined;
  /** The node that stands for a position in the run: of a `return`, the one that entered the function. */
  shown(position: number): StepNode;
  hasChildren(step: number): boolean;
  /** The first and the last step of a node. */
  span(node: ChainNode): readonly [first: number, last: number];
}

/** A node has at most so many children. */
const PART = 200;

/** Lists a run's steps by the frame that they are in: two passes over the run, and eight bytes for each step. */
export function chainOf({ journal }: Run): Chain {
  const { length } = journal;
  /** The steps of the frame that step `n` entered are `steps[starts[n + 1]]` up to `steps[starts[n + 2]]`. */
  const starts = new Uint32Array(length + 2);
  for (let n = 0; n < length; n++) if (journal.kind(n) !== 'return') starts[journal.parent(n) + 2]!++;
  for (let frame = 1; frame < starts.length; frame++) starts[frame]! += starts[frame - 1]!;
  const steps = new Uint32Array(starts[length + 1]!);
  const filled = starts.slice();
  for (let n = 0; n < length; n++) if (journal.kind(n) !== 'return') steps[filled[journal.parent(n) + 1]!++] = n;

  const count = (of: number): number => starts[of + 2]! - starts[of + 1]!;
  const stepAt = (of: number, index: number): number => steps[starts[of + 1]! + index]!;
  const nodes = new Map<number, StepNode>();
  function node(step: number): StepNode {
    const known = nodes.get(step) ?? { kind: 'step', step };
    nodes.set(step, known);
    return known;
  }
  const parts = new Map<string, ChainNode>();
  function part(of: number, first: number, end: number): ChainNode {
    const key = `${of} ${first} ${end}`;
    const known = parts.get(key) ?? { kind: 'steps', of, first, end };
    parts.set(key, known);
    return known;
  }

  /** The parts that lead from a frame to one of its steps, outermost first. */
  function partsTo(of: number, index: number): readonly ChainNode[] {
    const found: ChainNode[] = [];
    let [first, end] = [0, count(of)];
    while (end - first > PART) {
      const size = sizeOfPart(end - first);
      first += Math.floor((index - first) / size) * size;
      end = Math.min(end, first + size);
      found.push(part(of, first, end));
    }
    return found;
  }

  function indexOf(of: number, step: number): number {
    let [low, high] = [0, count(of)];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (stepAt(of, middle) < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    children(parent) {
      const { of, first, end } = parent?.kind === 'steps' ? parent : whole(parent?.step ?? NO_STEP);
      const size = sizeOfPart(end - first);
      if (size === 1) return Array.from({ length: end - first }, (_, index) => node(stepAt(of, first + index)));
      return Array.from({ length: Math.ceil((end - first) / size) }, (_, index) =>
        part(of, first + index * size, Math.min(end, first + (index + 1) * size)),
      );
    },
    parent(child) {
      const of = child.kind === 'step' ? journal.parent(child.step) : child.of;
      const within = partsTo(of, child.kind === 'step' ? indexOf(of, child.step) : child.first);
      const depth = child.kind === 'step' ? within.length : within.indexOf(child);
      return within[depth - 1] ?? (of === NO_STEP ? undefined : node(of));
    },
    shown: (position) => node(journal.kind(position) === 'return' ? journal.parent(position) : position),
    hasChildren: (step) => count(step) > 0,
    span: (of) => (of.kind === 'step' ? [of.step, of.step] : [stepAt(of.of, of.first), stepAt(of.of, of.end - 1)]),
  };

  function whole(of: number): { readonly of: number; readonly first: number; readonly end: number } {
    return { of, first: 0, end: count(of) };
  }
}

/** How many steps each child of a node with so many stands for: a power of PART. */
function sizeOfPart(length: number): number {
  let size = 1;
  while (size * PART < length) size *= PART;
  return size;
}
