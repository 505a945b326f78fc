import { createControls } from './controls';
import { h, setText } from './dom';
import type { Host } from './host';
import { contextKind, icon } from './icons';
import { compose, type Part } from './part';
import type { PositionView, RunView } from './protocol';
import { formatCount } from './words';

/** The head of a view: which flow, how to steer it, where it stands. */
export function createHeader(host: Host, place: 'panel' | 'state'): Part {
  const controls = createControls(host, place);
  const heading = createHeading();
  return compose(h('header', { class: 'header' }, heading.element, controls.element), [heading, controls]);
}

/** The flow's title, and in which context and at which step the run stands. */
function createHeading(): Part {
  const title = h('h1', {});
  const context = h('span', { class: 'context' });
  const position = h('span', { class: 'position' });
  return {
    element: h('div', { class: 'heading' }, title, h('div', { class: 'where' }, context, position)),
    showRun: (run) => setText(title, run.title),
    showPosition(run, { step }) {
      showContext(context, run, step);
      setText(position, `step ${formatCount(step)} of ${formatCount(run.steps.length - 1)}`);
    },
  };
}

function showContext(element: HTMLElement, run: RunView, step: PositionView['step']): void {
  const lane = run.lanes[run.steps[step]?.lane ?? -1];
  const kind = contextKind(lane?.context ?? '');
  element.className = `context ctx-${kind}`;
  element.replaceChildren(icon(kind), h('span', {}, lane?.title ?? ''));
}
