import { createControls } from './controls';
import { h, setText } from './dom';
import type { Host } from './host';
import { contextKind, icon } from './icons';
import { compose, type Part } from './part';
import type { PositionView, RunView } from './protocol';
import { createScrubber } from './scrubber';
import { formatCount } from './words';

/** The panel's head: which flow, how to steer it, where it stands. */
export function createHeader(host: Host): Part {
  const controls = createControls(host, 'panel');
  const scrubber = createScrubber(host);
  const heading = createHeading();
  return compose(h('header', { class: 'header' }, heading.element, controls.element, scrubber.element), [heading, controls, scrubber]);
}

/** The flow's title, and in which context and at which step the run stands. */
export function createHeading(): Part {
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
