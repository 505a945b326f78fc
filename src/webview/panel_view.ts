import { t } from '@vscode/l10n';
import './frame.css';
import { createCompare } from './compare/compare';
import { h } from './dom';
import { createExperiment } from './experiment';
import { createFork } from './fork/fork';
import { createHeader } from './header';
import type { Host } from './host';
import { createNote } from './note';
import { compose, type Part } from './part';
import { createPreset } from './preset';
import type { RunOutline } from './protocol';
import { createState } from './registers/state';
import { createSequence } from './sequence/sequence';
import { createTabs } from './tabs';
import { createTimeline } from './timeline/timeline';
import { createTopology } from './topology/topology';

/**
 * The editor panel: the whole run as a strip, below it views of the run to choose from, beside them the current step and the
 * state, at the bottom what one may change about the run. A part that is added here has nothing else to do to be in the panel.
 */
export function createPanelView(host: Host): Part {
  const header = createHeader(host, 'panel');
  const fork = createFork(host);
  const timeline = createTimeline(host);
  const tabs = createTabs(host, [
    { id: 'sequence', title: t('Sequence'), part: createSequence(host) },
    { id: 'topology', title: t('Topology'), part: createTopology(host) },
    { id: 'compare', title: t('Compare'), part: createCompare(host) },
  ]);
  const detail = column('detail', [createPreset(), createNote(host), createState(host)]);
  const experiment = createExperiment(host);
  const areas = [header, fork, timeline, tabs, detail, experiment];
  return compose(h('main', { class: 'panel' }, ...areas.map(({ element }) => element)), areas);
}

/** Parts one below the other. */
function column(name: string, parts: readonly Part<RunOutline>[]): Part<RunOutline> {
  return compose(h('div', { class: name }, ...parts.map(({ element }) => element)), parts);
}
