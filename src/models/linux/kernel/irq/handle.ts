import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { IRQ_NONE, type IrqDesc, type irqreturn_t } from './irqdesc';

const { fn } = source('linux', 'kernel/irq/handle.c');

export const no_action = fn(
  'Handles nothing: for an interrupt that only has to be unmasked.',
  function* no_action(_cpl: number): Run<irqreturn_t> {
    return IRQ_NONE;
  },
);

const __handle_irq_event_percpu = fn(
  'Calls every handler that shares the interrupt number.',
  function* __handle_irq_event_percpu(desc: IrqDesc): Run<irqreturn_t> {
    const { action } = desc;
    return action === undefined ? IRQ_NONE : yield* through('function pointer', 'handler', action.handler)(desc.irq);
  },
);

const handle_irq_event_percpu = fn('Runs the handlers of an interrupt.', function* handle_irq_event_percpu(desc: IrqDesc) {
  return yield* __handle_irq_event_percpu(desc);
});

export const handle_irq_event = fn(
  'Forgets what was pending and runs the handlers without the descriptor’s lock.',
  function* handle_irq_event(desc: IrqDesc) {
    return yield* handle_irq_event_percpu(desc);
  },
);
