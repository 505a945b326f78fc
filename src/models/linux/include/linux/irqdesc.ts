import { source, through } from '../../../../engine/fn';
import type { IrqDesc } from '../../kernel/irq/irqdesc';

const { fn } = source('linux', 'include/linux/irqdesc.h');

export const generic_handle_irq_desc = fn('Runs the flow handler of an interrupt.', function* generic_handle_irq_desc(desc: IrqDesc) {
  yield* through('function pointer', 'handle_irq', desc.handle_irq)(desc);
});
