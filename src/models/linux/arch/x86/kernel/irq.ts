import { source } from '../../../../../engine/fn';
import { generic_handle_irq_desc } from '../../../include/linux/irqdesc';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import { since } from '../../../../version';

/** Where an interrupt vector enters Linux: of the host, and of the guest. */

const { fn } = source('linux', 'arch/x86/kernel/irq.c');

const handle_irq = fn('Hands the interrupt to its descriptor.', function* handle_irq(desc: IrqDesc) {
  yield* generic_handle_irq_desc(desc);
});

const call_irq_handler = fn('Looks the vector up on this CPU and handles its interrupt.', function* call_irq_handler(desc: IrqDesc) {
  yield* handle_irq(desc);
});

export const common_interrupt = fn(
  'The entry of every device vector: finds the descriptor that the vector is assigned to on this CPU.',
  function* common_interrupt(desc: IrqDesc) {
    if (since('linux', '6.10')) yield* call_irq_handler(desc);
    else yield* handle_irq(desc);
  },
);
