import { h, setText } from './dom';
import type { Host } from './host';
import { contextKind, icon } from './icons';
import type { Part } from './part';
import type { PositionView, RunView } from './protocol';
import { hopsTo } from './sequence/layout';

/** Hand-overs that are shown on the way to a step; a long run has thousands. */
const SHOWN_HOPS = 4;

/** What the current step is: how the signal got there, which function does what, on whose behalf. */
export function createNote(host: Host): Part {
  const way = h('ol', { class: 'way', 'aria-label': 'How the signal got here' });
  const symbol = h('span', { class: 'symbol' });
  const anchor = h('span', { class: 'anchor' });
  const reference = h('button', { type: 'button', class: 'reference', title: 'Reveal Source', click: () => host.command('revealSource') });
  const does = h('p', { class: 'does' });
  const note = h('p', { class: 'note' });
  const result = h('p', { class: 'result' });
  const stack = createStack(host);
  const element = h(
    'section',
    { class: 'step', 'aria-label': 'Step' },
    way,
    h('h2', { class: 'function' }, symbol, anchor),
    reference,
    does,
    note,
    result,
    stack.element,
  );
  return {
    element,
    showPosition(run, position) {
      const step = run.steps[position.step];
      way.replaceChildren(...createWay(host, run, position.step));
      setText(symbol, step?.symbol ?? '');
      showIf(anchor, step?.anchor);
      showIf(reference, position.reference);
      showIf(does, position.does || undefined);
      showIf(note, position.note);
      showIf(result, position.result === undefined ? undefined : `returns ${position.result}`);
      stack.showPosition(run, position);
    },
  };
}

function showIf(element: HTMLElement, text: string | undefined): void {
  element.hidden = text === undefined;
  setText(element, text ?? '');
}

/** `device → host hard-IRQ → kworker`, each with the kind of edge that led there, the current lane last. */
function createWay(host: Host, run: RunView, step: number): readonly HTMLElement[] {
  const hops = hopsTo(run.steps, step).slice(0, SHOWN_HOPS).toReversed();
  const here = run.steps[step];
  if (!here) return [];
  const starts = hops.map(({ cause }) => cause);
  const stops = [...starts, step].map((at, index) => {
    const row = run.steps[at];
    const lane = run.lanes[row?.lane ?? -1];
    const kind = contextKind(lane?.context ?? '');
    const edge = run.steps[hops[index - 1]?.step ?? -1]?.edge;
    const inside = [icon(kind), h('span', {}, lane?.title ?? '')];
    const stop =
      at === step
        ? h('span', { class: `stop current ctx-${kind}`, 'aria-current': 'step' }, ...inside)
        : h(
            'button',
            { type: 'button', class: `stop ctx-${kind}`, title: `step ${at}: ${row?.symbol ?? ''}`, click: () => host.seek(at) },
            ...inside,
          );
    return h('li', {}, index > 0 ? h('span', { class: 'by' }, h('span', {}, edge ?? ''), icon('chevron')) : undefined, stop);
  });
  return stops;
}

/** The calls that led to the step within its thread, folded until somebody wants it. */
function createStack(host: Host): Part {
  const title = h('summary', {});
  const frames = h('ol', {});
  const element = h('details', { class: 'stack', open: host.recall().stack }, title, frames);
  element.addEventListener('toggle', () => host.remember({ stack: element.open }));
  return {
    element,
    showPosition(_run: RunView, { stack }: PositionView) {
      element.hidden = stack.length === 0;
      setText(title, `Call stack · ${stack.length}`);
      frames.replaceChildren(
        ...stack.map(({ step, symbol }) => {
          const seek = () => host.seek(step);
          return h(
            'li',
            {},
            h(
              'button',
              { type: 'button', click: seek },
              h('span', { class: 'symbol' }, symbol),
              h('span', { class: 'number' }, String(step)),
            ),
          );
        }),
      );
    },
  };
}
