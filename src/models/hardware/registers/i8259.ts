import { bit, bool, hex, int, means, register, type BitField } from '../../../engine/cell';

/** The registers of an 8259 as its data sheet has them, for whoever emulates one. */

const inputs = (sentence: string): readonly BitField[] => Array.from({ length: 8 }, (_, pin) => bit(pin, `IR${pin}`, sentence));

export const lastIrr = () =>
  means('The level that each input had when it last changed: an edge is seen against this.', register(8, inputs('The input was high.')));

export const irr = () =>
  means(
    'Interrupt request register: inputs that ask for service and have not been acknowledged.',
    register(8, inputs('The input asks for service.')),
  );

export const imr = (initial = 0) =>
  means('Interrupt mask register (OCW1): inputs that are not looked at.', register(8, inputs('The input is masked.'), initial));

export const isr = () =>
  means(
    'In-service register: inputs that were acknowledged and whose end of interrupt is still due. They hold back those of the same and of lower priority.',
    register(8, inputs('The input is in service: its EOI is due.')),
  );

export const elcr = () =>
  means(
    'Edge/level control register (ports 0x4D0 and 0x4D1): inputs that are level-triggered.',
    register(8, inputs('The input is level-triggered; clear: an edge counts.')),
  );

export const elcrMask = () =>
  means(
    'The inputs that may be made level-triggered at all: not the timer, the keyboard, the cascade and the clock.',
    register(8, inputs('The input may be level-triggered.')),
  );

export const priorityAdd = () => means('The input that has the highest priority: rotation moves it on.', int());
export const irqBase = () => means('ICW2: the vector of input 0; the other inputs have those that follow.', hex(8));
export const poll = () => means('OCW3: the next read acknowledges an interrupt instead of the CPU.', bool());
export const specialMask = () =>
  means('OCW3, special mask mode: an input in service holds back only itself, and only while it is masked.', bool());
export const autoEoi = () => means('ICW4: an acknowledge is an end of interrupt at once, so nothing stays in service.', bool());
export const rotateOnAutoEoi = () => means('OCW2: each automatic end of interrupt makes its input the one of lowest priority.', bool());
export const specialFullyNested = () =>
  means('ICW4: the cascade input in service does not hold back further requests of the slave.', bool());
export const init4 = () => means('ICW1: an ICW4 will follow.', bool());
