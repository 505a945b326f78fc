import { h } from '../dom';
import type { Host } from '../host';
import { createOrigin } from '../origin/origin';
import { compose, type Part } from '../part';
import type { RunOutline } from '../protocol';
import { createRegisters } from './registers';

/** The run's state, and below it the answer to who wrote a value of it. */
export function createState(host: Host): Part<RunOutline> {
  const registers = createRegisters(host, { ask: (target) => origin.ask(target) });
  const origin = createOrigin(host, () => registers.element.querySelector<HTMLElement>('[role=tree] [tabindex="0"]')?.focus());
  return compose(h('div', { class: 'state-area' }, registers.element, origin.element), [registers, origin]);
}
