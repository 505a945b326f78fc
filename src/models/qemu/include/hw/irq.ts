import { source } from '../../../../engine/fn';
import { qemu_set_irq, type IRQState } from '../../hw/core/irq';

const { fn } = source('qemu', 'include/hw/irq.h');

export const qemu_irq_raise = fn('Drives a line high, whatever it was.', function* qemu_irq_raise(irq: IRQState | undefined) {
  yield* qemu_set_irq(irq, 1);
});

export const qemu_irq_lower = fn('Drives a line low, whatever it was.', function* qemu_irq_lower(irq: IRQState | undefined) {
  yield* qemu_set_irq(irq, 0);
});
