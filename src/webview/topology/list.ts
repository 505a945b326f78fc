import { t } from '@vscode/l10n';
import { h } from '../dom';
import type { Host } from '../host';
import type { TopologyStateView, TopologyView } from '../protocol';
import { blockedWords, wireWords } from './wording';

/** The picture's twin in words: the way so far in order, and what blocks. */
export interface WayList {
  readonly element: HTMLElement;
  show(topology: TopologyView, state: TopologyStateView): void;
  /** In place of the picture, or only for who listens to it. */
  showWhole(whole: boolean): void;
}

/** Makes the list. Its steps can be gone to while it is shown whole. */
export function createWayList(host: Host): WayList {
  const way = h('ol', { class: 'way-list', 'aria-label': t('The signal’s way so far') });
  const blocked = h('ul', { class: 'blocked-list', 'aria-label': t('What blocks') });
  const element = h('div', { class: 'topology-text' }, h('h2', {}, t('The way so far')), way, h('h2', {}, t('What blocks')), blocked);
  let whole = false;
  let latest: { readonly topology: TopologyView; readonly state: TopologyStateView } | undefined;

  function render(): void {
    if (!latest) return;
    const { topology, state } = latest;
    const hops = state.way.map(({ wire, step }) => {
      const words = wireWords(topology, wire, whole ? undefined : step);
      return whole
        ? h('li', {}, words, ' ', h('button', { type: 'button', class: 'origin', click: () => host.seek(step) }, t('step {0}', step)))
        : h('li', {}, words);
    });
    way.replaceChildren(...(hops.length > 0 ? hops : [h('li', { class: 'nothing' }, t('No signal is on its way at this step.'))]));
    const reasons = blockedWords(topology, state).map(({ text }) => h('li', {}, text));
    blocked.replaceChildren(...(reasons.length > 0 ? reasons : [h('li', { class: 'nothing' }, t('Nothing.'))]));
  }

  return {
    element,
    show(topology, state) {
      latest = { topology, state };
      render();
    },
    showWhole(shown) {
      whole = shown;
      element.classList.toggle('hidden', !shown);
      if (shown) element.tabIndex = 0;
      else element.removeAttribute('tabindex');
      render();
    },
  };
}
