import { t } from '@vscode/l10n';
import { h, setStyle } from '../dom';
import type { RunOutline } from '../protocol';
import type { Target } from './target';
import { cellAt } from './values';

/**
 * What a value means, beside it: at once where the keyboard stands, after a moment under the pointer. It stays while the pointer is on
 * it, and Escape takes it away.
 */
export interface Meaning {
  readonly element: HTMLElement;
  hide(): void;
  readonly visible: boolean;
}

/** What there is to say of an element. */
export interface Explained {
  readonly run: RunOutline;
  readonly target: Target;
}

const GAP = 4;
/** How long the pointer rests on a value before its meaning appears, in milliseconds. */
const REST_MS = 500;

/** Makes the box for the values in `tree`; `hint` says what the keys do there, `explain` what an element of it stands for. */
export function createMeaning(tree: HTMLElement, hint: string, explain: (element: Element) => Explained | undefined): Meaning {
  const element = h('div', { class: 'meaning', role: 'tooltip', id: 'meaning', hidden: true });
  let described: HTMLElement | undefined;
  let rest: ReturnType<typeof setTimeout> | undefined;

  function hide(): void {
    described?.removeAttribute('aria-describedby');
    described = undefined;
    element.hidden = true;
  }

  function show(beside: HTMLElement | null): void {
    hide();
    const explained = beside && explain(beside);
    if (!explained) return;
    described = beside;
    element.replaceChildren(...contentOf(explained), h('p', { class: 'hint' }, hint));
    element.hidden = false;
    beside.setAttribute('aria-describedby', element.id);
    place(element, beside);
  }

  tree.addEventListener('focusin', ({ target }) => (target as Element).matches(':focus-visible') && show(target as HTMLElement));
  tree.addEventListener('focusout', hide);
  tree.addEventListener('pointerover', ({ target }) => {
    clearTimeout(rest);
    const over = (target as Element).closest<HTMLElement>('.bit, .cell-name');
    if (over) rest = setTimeout(() => show(over.closest('.bit') ?? over.closest('.cell')), REST_MS);
  });
  tree.addEventListener('pointerleave', ({ relatedTarget }) => {
    clearTimeout(rest);
    if (relatedTarget !== element) hide();
  });
  tree.addEventListener('scroll', hide, { passive: true });
  element.addEventListener('pointerleave', hide);

  return {
    element,
    hide,
    get visible() {
      return !element.hidden;
    },
  };
}

function contentOf({ run, target: { cell, field } }: Explained): readonly HTMLElement[] {
  const found = cellAt(run, cell);
  const component = run.components[found?.component ?? -1];
  if (!found || !component) return [];
  const place = field && (field.width === 1 ? t('bit {0}', field.low) : t('bits {0}:{1}', field.low + field.width - 1, field.low));
  const meaning = field?.means ?? found.cell.means;
  return [
    h(
      'p',
      { class: 'meaning-name' },
      h('span', {}, field ? field.name : found.cell.name),
      h('span', { class: 'place' }, field ? t('{0} of {1}', place ?? '', found.cell.name) : component.struct),
    ),
    ...(meaning ? [h('p', {}, meaning)] : []),
    ...(field && found.cell.means ? [h('p', { class: 'context-doc' }, found.cell.means)] : []),
    ...(meaning && field ? [] : [h('p', { class: 'context-doc' }, component.doc)]),
  ];
}

/** Below the element, or above it where there is no room. */
function place(element: HTMLElement, beside: HTMLElement): void {
  const { left, top, bottom } = beside.getBoundingClientRect();
  const { width, height } = element.getBoundingClientRect();
  const x = Math.max(GAP, Math.min(left, document.documentElement.clientWidth - width - GAP));
  const below = bottom + GAP;
  const y = below + height <= document.documentElement.clientHeight ? below : Math.max(GAP, top - height - GAP);
  setStyle(element, { left: `${x}px`, top: `${y}px` });
}
