import { t } from '@vscode/l10n';
import { h } from './dom';
import type { Host } from './host';
import type { Part } from './part';
import type { PositionView, RunView } from './protocol';

/** One of several pieces that share a place. */
export interface Tab {
  /** What the memory of the view knows it by; it stays when titles change. */
  readonly id: string;
  readonly title: string;
  readonly part: Part;
}

/** What a tab has not been told yet, because it was hidden. */
interface Missed {
  run: RunView | undefined;
  position: boolean;
}

/**
 * Several pieces in one place, of which one is shown. A hidden one costs nothing: it is told of the run and the position when it
 * comes to light. The tools of the shown one stand at the end of the bar.
 */
export function createTabs(host: Host, tabs: readonly [Tab, ...Tab[]]): Part {
  const list = h('div', { class: 'tab-list', role: 'tablist', 'aria-label': t('Views of the run') });
  const tools = h('div', { class: 'tools' });
  const bar = h('div', { class: 'tab-bar' }, list, tools);
  const pages = tabs.map((tab, index) => {
    const button = h(
      'button',
      { type: 'button', class: 'tab', role: 'tab', id: `tab-${tab.id}`, 'aria-controls': `panel-${tab.id}`, click: () => choose(index) },
      tab.title,
    );
    const panel = h('div', { class: 'tab-panel', role: 'tabpanel', id: `panel-${tab.id}`, 'aria-labelledby': button.id }, tab.part.element);
    const missed: Missed = { run: undefined, position: true };
    return { ...tab, button, panel, missed };
  });
  let shown = Math.max(
    0,
    tabs.findIndex(({ id }) => id === host.recall().tab),
  );
  let latest: { readonly run: RunView; readonly position: PositionView } | undefined;

  list.append(...pages.map(({ button }) => button));
  list.addEventListener('keydown', (event) => {
    const target = moved(shown, tabs.length, event.key);
    if (target === undefined) return;
    event.preventDefault();
    choose(target);
    pages[target]?.button.focus();
  });
  select();

  function choose(index: number): void {
    if (index === shown) return;
    shown = index;
    host.remember({ tab: pages[index]?.id });
    select();
    catchUp();
  }

  function select(): void {
    pages.forEach(({ button, panel }, index) => {
      button.setAttribute('aria-selected', String(index === shown));
      button.tabIndex = index === shown ? 0 : -1;
      panel.hidden = index !== shown;
    });
    tools.replaceChildren(...(pages[shown]?.part.tools ?? []));
  }

  function catchUp(): void {
    const page = pages[shown];
    if (!page || !latest) return;
    const { part, missed } = page;
    if (missed.run) part.showRun?.(missed.run);
    if (missed.position) part.showPosition(latest.run, latest.position);
    missed.run = undefined;
    missed.position = false;
  }

  return {
    element: h('section', { class: 'tabs', 'aria-label': t('Run') }, bar, ...pages.map(({ panel }) => panel)),
    showRun: (run) => pages.forEach(({ missed }) => (missed.run = run)),
    showPosition(run, position) {
      latest = { run, position };
      pages.forEach(({ missed }) => (missed.position = true));
      catchUp();
    },
    showPlaying: (playing) => pages.forEach(({ part }) => part.showPlaying?.(playing)),
    showHistory: (history) => pages.forEach(({ part }) => part.showHistory?.(history)),
    showComparison(comparison, chosen) {
      const page = pages.findIndex(({ part }) => part.showComparison);
      pages[page]?.part.showComparison?.(comparison, chosen);
      if (chosen && page >= 0) choose(page);
    },
    showStateComparison: (state) => pages.forEach(({ part }) => part.showStateComparison?.(state)),
  };
}

/** The tab to which a key leads, or undefined for a key that moves nothing. */
function moved(from: number, count: number, key: string): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return (from + 1) % count;
    case 'ArrowLeft':
      return (from + count - 1) % count;
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}
