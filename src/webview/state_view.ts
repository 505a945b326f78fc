import { createComponents } from './components';
import { createControls } from './controls';
import { h } from './dom';
import { createHeading } from './header';
import type { Host } from './host';
import { createNote } from './note';
import { compose, type Part } from './part';

/** The view in the side bar, beside the source: the current function and the state, small. */
export function createStateView(host: Host): Part {
  const heading = createHeading();
  const controls = createControls(host, 'state');
  const note = createNote(host);
  const components = createComponents(host);
  const element = h(
    'main',
    { class: 'narrow' },
    h('header', { class: 'header' }, heading.element, controls.element),
    note.element,
    components.element,
  );
  return compose(element, [heading, controls, note, components]);
}
