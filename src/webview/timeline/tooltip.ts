import { h, setStyle } from '../dom';
import { contextKind, icon } from '../icons';
import type { RunView } from '../protocol';
import { stepAt } from '../steps';
import { formatCount } from '../words';

/** What the step under the pointer is, beside the pointer. Screen readers get the same from the slider's own words. */
export function createTooltip(): {
  readonly element: HTMLElement;
  show(run: RunView, n: number, part: number, more?: string): void;
  hide(): void;
} {
  const element = h('div', { class: 'timeline-tip', 'aria-hidden': 'true', hidden: true });
  return {
    element,
    show(run, n, part, more) {
      const step = stepAt(run.steps, n);
      const lane = run.lanes[step?.lane ?? -1];
      if (!step || !lane) return;
      const kind = contextKind(lane.context);
      element.replaceChildren(
        h('div', { class: `tip-where ctx-${kind}` }, icon(kind), h('span', {}, lane.title), h('span', { class: 'number' }, formatCount(n))),
        h(
          'div',
          { class: 'tip-what' },
          h('span', { class: 'symbol' }, `${step.kind === 'return' ? '↩ ' : ''}${step.symbol}`),
          step.anchor === undefined ? undefined : h('span', { class: 'anchor' }, step.anchor),
        ),
        ...(more === undefined ? [] : [h('div', { class: 'tip-more' }, more)]),
      );
      element.hidden = false;
      element.classList.toggle('left', part > 0.5);
      setStyle(element, { left: `${part * 100}%` });
    },
    hide() {
      element.hidden = true;
    },
  };
}
