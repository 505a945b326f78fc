import { t } from '@vscode/l10n';
import { h, setText } from '../dom';
import type { Host } from '../host';
import { icon, type IconName } from '../icons';
import type { HistoryView, PositionView, RunView } from '../protocol';
import { searchField } from '../toolkit';
import { formatCount } from '../words';
import { findCells, findSteps, needleOf, nextMatch, union } from './matches';

/** A field for names of functions and cells, and the steps that it finds. */
export interface Find {
  readonly element: HTMLElement;
  /** Steps of functions and identifiers, and steps that wrote cells, that the text names. */
  readonly matches: Uint32Array;
  readonly writes: Uint32Array;
  open(): void;
  showRun(run: RunView): void;
  showPosition(position: PositionView): void;
  /** Takes a history that the text asks for. Says whether it was one. */
  takes(history: HistoryView): boolean;
}

const NOTHING = new Uint32Array();

/** The field is hidden until somebody opens it. `changed` is called when other steps are found. */
export function createFind(host: Host, seeker: { seek(step: number): void; from(shown: number): number }, changed: () => void): Find {
  const field = searchField(t('Find function or cell'), look);
  const count = h('span', { class: 'count', 'aria-live': 'polite' });
  const element = h(
    'div',
    { class: 'timeline-find', role: 'search', 'aria-label': t('Find in the run'), hidden: true },
    field,
    count,
    button(t('Previous Match'), 'up', () => go(-1)),
    button(t('Next Match'), 'down', () => go(1)),
    button(t('Close'), 'close', close),
  );
  const histories = new Map<string, Uint32Array>();
  let run: RunView | undefined;
  let position: PositionView | undefined;
  let matches: Uint32Array = NOTHING;
  let writes: Uint32Array = NOTHING;
  let all: Uint32Array = NOTHING;

  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && event.target === field) go(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  });

  function look(): void {
    const needle = needleOf(field.value);
    histories.clear();
    matches = needle !== undefined && run ? findSteps(run.steps, needle) : NOTHING;
    for (const { component, cell } of needle !== undefined && run ? findCells(run, needle) : []) {
      histories.set(keyOf({ component, cell }), NOTHING);
      host.send({ type: 'history', component, cell });
    }
    collect();
  }

  function collect(): void {
    writes = union([...histories.values()]);
    all = union([matches, writes]);
    showCount();
    changed();
  }

  function showCount(): void {
    if (needleOf(field.value) === undefined) return setText(count, '');
    const index = position === undefined ? -1 : all.indexOf(position.step);
    const total = formatCount(all.length);
    setText(count, all.length === 0 ? t('No results') : index < 0 ? total : t('{0} of {1}', formatCount(index + 1), total));
  }

  function go(direction: 1 | -1): void {
    const target = position && nextMatch(all, seeker.from(position.step), direction);
    if (target !== undefined) seeker.seek(target);
  }

  function close(): void {
    element.hidden = true;
    field.value = '';
    look();
  }

  return {
    element,
    get matches() {
      return matches;
    },
    get writes() {
      return writes;
    },
    open() {
      element.hidden = false;
      field.focus();
    },
    showRun(next) {
      run = next;
      if (!element.hidden) look();
    },
    showPosition(next) {
      position = next;
      if (!element.hidden) showCount();
    },
    takes(history) {
      const key = keyOf(history);
      if (!histories.has(key)) return false;
      histories.set(key, history.steps);
      collect();
      return true;
    },
  };
}

const keyOf = ({ component, cell }: { readonly component: number; readonly cell: string }): string => `${component} ${cell}`;

function button(title: string, picture: IconName, click: () => void): HTMLElement {
  return h('button', { type: 'button', class: 'timeline-tool', title, 'aria-label': title, click }, icon(picture));
}
