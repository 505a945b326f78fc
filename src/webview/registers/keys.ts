/** Where the arrow keys lead in the tree of components, cells and bits. */

/** The element that `key` leads to from `item`; `toggle`: it folds or unfolds `item`; undefined: it means nothing. */
export function moveFrom(tree: HTMLElement, item: HTMLElement, key: string): HTMLElement | 'toggle' | undefined {
  const bit = item.matches('.bit');
  const folded = item.getAttribute('aria-expanded') === 'false';
  switch (key) {
    case 'ArrowRight':
      if (bit) return sibling(item, 1);
      if (folded) return 'toggle';
      return firstIn(item, item.matches('.component') ? '.cell' : '.bit');
    case 'ArrowLeft':
      if (bit) return sibling(item, -1) ?? parentOf(item);
      if (item.matches('.component')) return folded ? undefined : 'toggle';
      return parentOf(item);
    case 'ArrowDown':
      return line(tree, item, 1);
    case 'ArrowUp':
      return bit ? parentOf(item) : line(tree, item, -1);
    case 'Home':
      return lines(tree)[0];
    case 'End':
      return lines(tree).at(-1);
    default:
      return undefined;
  }
}

const parentOf = (item: HTMLElement): HTMLElement | undefined => item.parentElement?.closest<HTMLElement>('[role=treeitem]') ?? undefined;

const firstIn = (item: HTMLElement, selector: string): HTMLElement | undefined =>
  [...item.querySelectorAll<HTMLElement>(selector)].find(isDrawn);

const sibling = (item: HTMLElement, direction: 1 | -1): HTMLElement | undefined => {
  const next = direction === 1 ? item.nextElementSibling : item.previousElementSibling;
  return next instanceof HTMLElement ? next : undefined;
};

/** Components and cells, in order; bits stand beside the way. */
const lines = (tree: HTMLElement): readonly HTMLElement[] =>
  [...tree.querySelectorAll<HTMLElement>('.component:not([hidden]), .cell:not([hidden])')].filter(isDrawn);

function line(tree: HTMLElement, item: HTMLElement, direction: 1 | -1): HTMLElement | undefined {
  const all = lines(tree);
  const from = all.indexOf(item.closest<HTMLElement>('.cell') ?? item);
  return all[from + direction];
}

const isDrawn = (element: HTMLElement): boolean => element.getClientRects().length > 0;
