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
  show(run: RunOutline, target: Target, beside: HTMLElement): void;
  hide(): void;
  readonly visible: boolean;
}

const GAP = 4;

/** Makes the box; `hint` says what the keys do. */
export function createMeaning(hint: string): Meaning {
  const element = h('div', { class: 'meaning', role: 'tooltip', id: 'meaning', hidden: true });
  let described: HTMLElement | undefined;
  return {
    element,
    get visible() {
      return !element.hidden;
    },
    show(run, target, beside) {
      described?.removeAttribute('aria-describedby');
      described = beside;
      element.replaceChildren(...contentOf(run, target), h('p', { class: 'hint' }, hint));
      element.hidden = false;
      beside.setAttribute('aria-describedby', element.id);
      place(element, beside);
    },
    hide() {
      described?.removeAttribute('aria-describedby');
      described = undefined;
      element.hidden = true;
    },
  };
}

function contentOf(run: RunOutline, { cell, field }: Target): readonly HTMLElement[] {
  const found = cellAt(run, cell);
  const component = run.components[found?.component ?? -1];
  if (!found || !component) return [];
  const place = field && (field.width === 1 ? `bit ${field.low}` : `bits ${field.low + field.width - 1}:${field.low}`);
  const meaning = field?.means ?? found.cell.means;
  return [
    h(
      'p',
      { class: 'meaning-name' },
      h('span', {}, field ? field.name : found.cell.name),
      h('span', { class: 'place' }, field ? `${place} of ${found.cell.name}` : component.struct),
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
