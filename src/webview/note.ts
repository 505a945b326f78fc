import { t } from '@vscode/l10n';
import { h, setText } from './dom';
import type { Host } from './host';
import { contextKind, icon, type ContextKind } from './icons';
import type { Part } from './part';
import type { PositionView, RunOutline } from './protocol';

/** Hand-overs that are shown on the way to a step; a long run has thousands. */
const SHOWN_HOPS = 4;

/** What the current step is: how the signal got there, which function does what, on whose behalf. */
export function createNote(host: Host): Part<RunOutline> {
  const way = h('ol', { class: 'way', 'aria-label': t('How the signal got here') });
  const symbol = h('span', { class: 'symbol' });
  const anchor = h('span', { class: 'anchor' });
  const reference = h('button', {
    type: 'button',
    class: 'reference',
    title: t('Reveal Source'),
    click: () => host.command('revealSource'),
  });
  const does = h('p', { class: 'does' });
  const note = h('p', { class: 'note' });
  const notes = h('ul', { class: 'notes', 'aria-label': t('Notes') });
  const result = h('p', { class: 'result' });
  const stack = createStack(host);
  const element = h(
    'section',
    { class: 'step', 'aria-label': t({ message: 'Step', comment: 'noun' }) },
    way,
    h('h2', { class: 'function' }, symbol, anchor),
    reference,
    does,
    note,
    notes,
    result,
    stack.element,
  );
  return {
    element,
    showPosition(run, position) {
      way.replaceChildren(...createWay(host, run, position));
      setText(symbol, position.here.symbol);
      showIf(anchor, position.here.anchor);
      showIf(reference, position.reference);
      showIf(does, position.does || undefined);
      showIf(note, position.note);
      notes.hidden = position.notes === undefined;
      notes.replaceChildren(...(position.notes ?? []).map((each) => h('li', {}, each)));
      showIf(result, position.result === undefined ? undefined : t('returns {0}', position.result));
      stack.showPosition(run, position);
    },
  };
}

function showIf(element: HTMLElement, text: string | undefined): void {
  element.hidden = text === undefined;
  setText(element, text ?? '');
}

/** `device → host hard-IRQ → kworker`, each with the kind of edge that led there, the current lane last. */
function createWay(host: Host, run: RunOutline, { here, way }: PositionView): readonly HTMLElement[] {
  const hops = way.slice(0, SHOWN_HOPS).toReversed();
  const stops = hops.map(({ cause, lane, symbol }) => {
    const { kind, inside } = describeLane(run, lane);
    const seek = () => host.seek(cause);
    return h('button', { type: 'button', class: `stop ctx-${kind}`, title: t('step {0}: {1}', cause, symbol), click: seek }, ...inside);
  });
  const { kind, inside } = describeLane(run, here.lane);
  const last = h('span', { class: `stop current ctx-${kind}`, 'aria-current': 'step' }, ...inside);
  return [...stops, last].map((stop, index) => {
    const by = hops[index - 1];
    return h('li', {}, by ? h('span', { class: 'by' }, h('span', {}, by.edge ?? ''), icon('chevron')) : undefined, stop);
  });
}

function describeLane({ lanes }: RunOutline, lane: number): { readonly kind: ContextKind; readonly inside: readonly Element[] } {
  const kind = contextKind(lanes[lane]?.context ?? '');
  return { kind, inside: [icon(kind), h('span', {}, lanes[lane]?.title ?? '')] };
}

/** The calls that led to the step within its thread, folded until somebody wants it. */
function createStack(host: Host): Part<RunOutline> {
  const title = h('summary', {});
  const frames = h('ol', {});
  const element = h('details', { class: 'stack', open: host.recall().stack }, title, frames);
  element.addEventListener('toggle', () => host.remember({ stack: element.open }));
  return {
    element,
    showPosition(_run: RunOutline, { stack }: PositionView) {
      element.hidden = stack.length === 0;
      setText(title, t('Call stack · {0}', stack.length));
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
