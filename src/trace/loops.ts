/** How often a loop goes round depends on data that a recording does not show: of what repeats itself, once is enough. */

/** An entry among others: in preorder, with what is known of its callers. */
interface InOrder {
  readonly key: string;
  readonly ancestors: readonly string[];
}

interface Node<T> {
  readonly entry: T;
  readonly inner: Node<T>[];
  /** The calls below, as text: equal for equal trees. */
  text: string;
}

/** A loop's body makes at most so many calls next to each other. */
const LONGEST_BODY = 8;

/** Entries without those that only repeat, directly behind each other and within one outermost call, what was called just before. */
export function once<T extends InOrder>(entries: readonly T[]): readonly T[] {
  const roots: Node<T>[] = [];
  const open: Node<T>[] = [];
  for (const entry of entries) {
    const node: Node<T> = { entry, inner: [], text: '' };
    const depth = entry.ancestors.length;
    // A caller that is not the one that is open leaves a gap: such an entry stands by itself.
    open.length = Math.min(open.length, depth);
    if (depth === 0 || open.length < depth) roots.push(node);
    else open[depth - 1]!.inner.push(node);
    if (open.length === depth) open.push(node);
  }
  return roots.flatMap(reduced);
}

/** A tree's entries, with every loop in it gone round once. */
function reduced<T extends InOrder>(node: Node<T>): readonly T[] {
  const kept: Node<T>[] = [];
  const entries = [node.entry];
  for (const inner of node.inner) {
    const own = reduced(inner);
    inner.text = own.map(({ key, ancestors }) => `${ancestors.length} ${key}`).join('\n');
    kept.push(inner);
    for (let body = 1; body <= LONGEST_BODY && 2 * body <= kept.length; body++) {
      if (!repeats(kept, body)) continue;
      kept.length -= body;
      break;
    }
  }
  for (const inner of kept) entries.push(...reduced(inner));
  return entries;
}

const repeats = <T>(nodes: readonly Node<T>[], body: number): boolean =>
  Array.from({ length: body }, (_, i) => nodes.at(-1 - i)!.text === nodes.at(-1 - i - body)!.text).every(Boolean);
