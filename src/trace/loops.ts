/** How often a loop goes round depends on data that a recording does not show: of what repeats itself, once is enough. */

/** An entry among others: in preorder, with what is known of its callers. */
interface InOrder {
  readonly key: string;
  readonly ancestors: readonly string[];
}

interface Node<T> {
  readonly entry: T;
  readonly inner: Node<T>[];
}

/** A tree with its loops gone round once: its entries, and they as text, equal for equal trees. */
interface Reduced<T> {
  readonly entries: readonly T[];
  readonly text: string;
}

/** A loop's body makes at most so many calls next to each other. */
const LONGEST_BODY = 8;

/** Entries without those that only repeat, directly behind each other and within one outermost call, what was called just before. */
export function once<T extends InOrder>(entries: readonly T[]): readonly T[] {
  const roots: Node<T>[] = [];
  const open: Node<T>[] = [];
  for (const entry of entries) {
    const node: Node<T> = { entry, inner: [] };
    // Who called may be known by a stack only, and not stand before: what is open around it is then further out.
    while (open.length > 0 && open.at(-1)!.entry.ancestors.length >= entry.ancestors.length) open.pop();
    (open.at(-1)?.inner ?? roots).push(node);
    open.push(node);
  }
  return roots.flatMap((root) => reduced(root).entries);
}

function reduced<T extends InOrder>({ entry, inner }: Node<T>): Reduced<T> {
  const kept: Reduced<T>[] = [];
  for (const node of inner) {
    kept.push(reduced(node));
    for (let body = 1; body <= LONGEST_BODY && 2 * body <= kept.length; body++) {
      if (!repeats(kept, body)) continue;
      kept.length -= body;
      break;
    }
  }
  return {
    entries: [entry, ...kept.flatMap(({ entries }) => entries)],
    text: [`${entry.ancestors.length} ${entry.key}`, ...kept.map(({ text }) => text)].join('\n'),
  };
}

const repeats = <T>(trees: readonly Reduced<T>[], body: number): boolean =>
  Array.from({ length: body }, (_, i) => trees.at(-1 - i)!.text === trees.at(-1 - i - body)!.text).every(Boolean);
