import { h } from './dom';
import { createFork } from './fork/fork';
import { createHeader } from './header';
import type { Host } from './host';
import { createNote } from './note';
import { compose, type Part } from './part';
import type { RunOutline } from './protocol';
import { createState } from './registers/state';

/** The view in the side bar, beside the source: the current function and the state, small. */
export function createStateView(host: Host): Part<RunOutline> {
  const header = createHeader(host, 'state');
  const fork = createFork(host);
  const note = createNote(host);
  const components = createState(host);
  const element = h('main', { class: 'narrow' }, header.element, fork.element, note.element, components.element);
  return compose(element, [header, fork, note, components]);
}
