import { createComponents } from './components';
import { h } from './dom';
import { createExperiment } from './experiment';
import { createHeader } from './header';
import type { Host } from './host';
import { createNote } from './note';
import { compose, type Part } from './part';
import { createPreset } from './preset';
import { createSequence } from './sequence/sequence';

/** The editor panel: the sequence, beside it the current step and the state, below it what one may change about the run. */
export function createPanelView(host: Host): Part {
  const header = createHeader(host);
  const sequence = createSequence(host);
  const experiment = createExperiment(host);
  const preset = createPreset();
  const note = createNote(host);
  const components = createComponents(host);
  const element = h(
    'main',
    { class: 'panel' },
    header.element,
    sequence.element,
    h('div', { class: 'detail' }, preset.element, note.element, components.element),
    experiment.element,
  );
  return compose(element, [header, sequence, preset, note, components, experiment]);
}
