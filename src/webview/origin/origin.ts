import { t } from '@vscode/l10n';
import './origin.css';
import { h, setText } from '../dom';
import type { Host } from '../host';
import { contextKind, icon } from '../icons';
import type { Part } from '../part';
import type { HistoryView, PositionView, RunOutline } from '../protocol';
import { targetName, type Target } from '../registers/target';
import { cellAt } from '../registers/values';
import { formatCount } from '../words';
import { historyOf, valueBefore, writesUntil, type History } from './history';
import { createStrip } from './strip';

/** Who wrote this? The answer for one value, until it is closed: the last writes, what comes next, and its history. */
export interface Origin extends Part<RunOutline> {
  ask(target: Target): void;
}

/** What becomes of what a reader does here. */
export interface OriginActions {
  /** What if it were another value? */
  edit(target: Target): void;
  /** What it is about from now on; undefined when it has gone. */
  asked(target: Target | undefined): void;
  /** It has gone, with the keyboard in it. */
  closed(): void;
}

/** More writes than this are told around the position only. */
const TOLD = 100;

/** Makes the answer, hidden until somebody asks. */
export function createOrigin(host: Host, { edit, asked: tellAsked, closed }: OriginActions): Origin {
  const name = h('span', { class: 'origin-name' });
  const count = h('p', { class: 'origin-count' });
  const strip = createStrip((step) => host.seek(step));
  const writes = h('ol', { class: 'writes-near', 'aria-label': t('Writes around this step') });
  const told = h('ol', {});
  const all = h('details', { class: 'all-writes' }, h('summary', {}, t('All writes')), told);
  const set = h('button', { type: 'button', class: 'link', title: t('Forks the run at this step'), click: () => asked && edit(asked) });
  const close = h(
    'button',
    { type: 'button', class: 'close', title: t('Close'), 'aria-label': t('Close'), click: () => dismiss() },
    icon('close'),
  );
  const element = h(
    'section',
    { class: 'who-wrote', 'aria-label': t('Who wrote this?'), hidden: true },
    h('header', {}, h('h3', {}, ...around(t('Who wrote {0}?', '\0'), name)), set, close),
    strip.element,
    count,
    writes,
    all,
  );
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') dismiss();
  });
  all.addEventListener('toggle', show);
  let asked: Target | undefined;
  let history: History | undefined;
  let latest: { readonly run: RunOutline; readonly position: PositionView } | undefined;

  function dismiss(): void {
    const hadFocus = element.contains(document.activeElement);
    asked = undefined;
    history = undefined;
    element.hidden = true;
    tellAsked(undefined);
    if (hadFocus) closed();
  }

  function request(run: RunOutline, target: Target): void {
    const found = cellAt(run, target.cell);
    if (found) host.send({ type: 'history', component: found.component, cell: found.cell.name });
  }

  function show(): void {
    if (!latest || !asked || !history) return;
    const { run, position } = latest;
    element.hidden = false;
    setText(name, targetName(run, asked));
    set.hidden = cellAt(run, asked.cell)?.type.kind === 'pointer';
    setText(set, asked.field?.width === 1 ? t('Flip') : t('Set…'));
    const until = writesUntil(history, position.step);
    strip.show(history, run.length, position.step, until);
    setText(count, countWords(history, until));
    const rows = [
      { index: until, title: t('next') },
      { index: until - 1, title: history.steps[until - 1] === position.step ? t('now') : t('last') },
      { index: until - 2, title: t('before') },
    ];
    writes.replaceChildren(
      ...rows
        .filter(({ index }) => index in history!.steps)
        .map(({ index, title }) => createWrite(host, history!, index, title, index === until - 1)),
    );
    all.hidden = history.steps.length <= rows.length;
    if (all.open) tell(history, until);
  }

  function tell(of: History, until: number): void {
    const first = Math.max(0, Math.min(until - TOLD / 2, of.steps.length - TOLD));
    const indexes = Array.from({ length: Math.min(TOLD, of.steps.length) }, (_, index) => first + index);
    told.replaceChildren(...indexes.map((index) => createWrite(host, of, index, index === until - 1 ? '●' : '', false)));
  }

  return {
    element,
    ask(target) {
      if (!latest) return;
      asked = target;
      tellAsked(target);
      request(latest.run, target);
    },
    showRun(run) {
      const before = latest?.run;
      latest = undefined;
      history = undefined;
      const again = asked && before && sameIn(run, before, asked);
      if (!again) return dismiss();
      asked = again;
      tellAsked(again);
      request(run, again);
    },
    showPosition(run, position) {
      latest = { run, position };
      show();
    },
    showHistory(view) {
      if (!latest || !asked || !isOf(latest.run, asked, view)) return;
      history = historyOf(view, asked.field);
      show();
    },
  };
}

function isOf(run: RunOutline, { cell }: Target, view: HistoryView): boolean {
  const found = cellAt(run, cell);
  return found?.component === view.component && found.cell.name === view.cell;
}

/** The same value in another run of the flow. */
function sameIn(run: RunOutline, before: RunOutline, { cell, field }: Target): Target | undefined {
  const found = cellAt(before, cell);
  const old = before.components[found?.component ?? -1];
  const component = run.components.find(({ struct, name }) => struct === old?.struct && name === old.name);
  const offset = component?.cells.findIndex((candidate) => candidate.name === found?.cell.name) ?? -1;
  return component === undefined || offset < 0 ? undefined : { cell: component.first + offset, ...(field ? { field } : {}) };
}

/** A text in which an element stands at the place of `\0`. */
const around = (text: string, element: Node): readonly (Node | string)[] =>
  text.split('\0').flatMap((part, index) => (index === 0 ? [part] : [element, part]));

function countWords({ steps, truncated }: History, until: number): string {
  if (steps.length === 0) return t('Nothing in this run changes it.');
  const count = formatCount(steps.length);
  const total = truncated ? t('the last {0} writes', count) : steps.length === 1 ? t('1 write') : t('{0} writes', count);
  return until === 0 ? t('{0} in this run, none of them yet', total) : t('{0} of {1} so far', formatCount(until), total);
}

function createWrite(host: Host, history: History, index: number, title: string, withSource: boolean): HTMLElement {
  const step = history.steps[index] ?? 0;
  const { symbol, anchor, reference, thread, context } = history.places[index]!;
  const kind = contextKind(context);
  const [was, now] = [valueBefore(history, index), history.values[index] ?? 0].map((value) => history.text(value));
  return h(
    'li',
    { class: `ctx-${kind}` },
    h(
      'button',
      { type: 'button', title: t('Go to step {0}', step), click: () => host.seek(step) },
      h('span', { class: 'when' }, title),
      h('span', { class: 'number' }, String(step)),
      h('span', { class: 'who' }, h('span', { class: 'symbol' }, symbol), h('span', { class: 'anchor' }, anchor ?? '')),
      h('span', { class: 'lane-name' }, icon(kind), h('span', {}, thread)),
      h('span', { class: 'change' }, h('del', {}, was ?? ''), h('span', { class: 'becomes' }, '→'), h('ins', {}, now ?? '')),
    ),
    reference === undefined || !withSource
      ? undefined
      : h(
          'button',
          {
            type: 'button',
            class: 'reference',
            title: t('Open {0}', reference),
            'aria-label': t('Open {0}', reference),
            click: () => host.send({ type: 'revealStep', step }),
          },
          reference.split(' ')[0],
        ),
  );
}
