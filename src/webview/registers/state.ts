import { h } from '../dom';
import type { Host } from '../host';
import { createOrigin } from '../origin/origin';
import { compose, type Part } from '../part';
import type { RunOutline } from '../protocol';
import { createRegisters } from './registers';

/** The run's state, and below it the answer to who wrote a value of it. */
export function createState(host: Host): Part<RunOutline> {
  const registers = createRegisters(host, {
    ask: (target) => origin.ask(target),
    change: (cell, value) => host.send({ type: 'edit', cell, value }),
  });
  const origin = createOrigin(host, {
    edit: (target) => registers.edit(target),
    asked: (target) => registers.select(target),
    closed: () => registers.focus(),
  });
  return compose(h('div', { class: 'state-area' }, registers.element, origin.element), [registers, origin]);
}
