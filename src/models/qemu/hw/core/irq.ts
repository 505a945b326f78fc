import { source, through, type Pointer } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';

/** An interrupt line between two emulated chips: whom to call when its level changes. */
export interface IRQState {
  readonly handler: Pointer<[n: number, level: 0 | 1], void>;
  readonly n: number;
}

/** What drives a line: gets the line's number. Its opaque is filled in. */
export type IrqHandler = IRQState['handler'];

const { fn } = source('qemu', 'hw/core/irq.c');

export const qemu_allocate_irq = fn('Makes one line.', function* qemu_allocate_irq(handler: IrqHandler, n: number) {
  at('handler');
  return { handler, n } satisfies IRQState;
});

const qemu_extend_irqs = fn(
  'Makes lines that all lead to one function, which is told the number of the line.',
  function* qemu_extend_irqs(handler: IrqHandler, n: number) {
    const s: IRQState[] = [];
    for (let i = 0; i < n; i++) s.push(yield* qemu_allocate_irq(handler, i));
    return s;
  },
);

export const qemu_allocate_irqs = fn(
  'Makes the inputs of an interrupt chip, or of the board: as many lines as asked for.',
  function* qemu_allocate_irqs(handler: IrqHandler, n: number) {
    return yield* qemu_extend_irqs(handler, n);
  },
);

export const qemu_set_irq = fn(
  'Drives a line: calls what is at its other end, whether or not the level has changed.',
  function* qemu_set_irq(irq: IRQState | undefined, level: 0 | 1) {
    if (irq !== undefined) yield* through('function pointer', 'handler', irq.handler)(irq.n, level);
  },
);
