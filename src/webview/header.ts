import { t } from '@vscode/l10n';
import { createControls } from './controls';
import { h, setText } from './dom';
import type { Host } from './host';
import { contextKind, icon } from './icons';
import { compose, type Part } from './part';
import type { PositionView, RunOutline } from './protocol';
import { formatCount } from './words';

/** The head of a view: which flow, how to steer it, where it stands. */
export function createHeader(host: Host, place: 'panel' | 'state'): Part<RunOutline> {
  const controls = createControls(host, place);
  const heading = createHeading();
  return compose(h('header', { class: 'header' }, heading.element, controls.element), [heading, controls]);
}

/** The flow's title, and in which context and at which step the run stands. */
function createHeading(): Part<RunOutline> {
  const title = h('h1', {});
  const context = h('span', { class: 'context' });
  const position = h('span', { class: 'position' });
  return {
    element: h('div', { class: 'heading' }, title, h('div', { class: 'where' }, context, position)),
    showRun: (run) => setText(title, run.title),
    showPosition(run, at) {
      showContext(context, run, at);
      setText(position, t('step {0} of {1}', formatCount(at.step), formatCount(run.length - 1)));
    },
  };
}

function showContext(element: HTMLElement, { lanes }: RunOutline, { here }: PositionView): void {
  const lane = lanes[here.lane];
  const kind = contextKind(lane?.context ?? '');
  element.className = `context ctx-${kind}`;
  element.replaceChildren(icon(kind), h('span', {}, lane?.title ?? ''));
}
