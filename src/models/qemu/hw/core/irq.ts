import { source, through, type Pointer } from '../../../../engine/fn';

/** An interrupt line between two emulated chips: whom to call when its level changes. */
export interface IRQState {
  readonly handler: Pointer<[n: number, level: 0 | 1], void>;
  readonly n: number;
}

const { fn } = source('qemu', 'hw/core/irq.c');

export const qemu_set_irq = fn(
  'Drives a line: calls what is at its other end, whether or not the level has changed.',
  function* qemu_set_irq(irq: IRQState | undefined, level: 0 | 1) {
    if (irq !== undefined) yield* through('function pointer', 'handler', irq.handler)(irq.n, level);
  },
);
