import { architecturally, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { at } from '../../engine/steps';
import { EDU_IRQ } from '../qemu/pc_machine';
import { serve_device, type PcGuest } from './pc';

/** Small programs that use the 8259 pair in one of its ways each. Vectors start at 0x30, as Linux has them. */

export interface PicProgram {
  /** False where the program looks for itself instead of being interrupted. */
  readonly takes_interrupts: boolean;
  readonly initialize: (guest: PcGuest) => Run;
  readonly interrupt: (guest: PcGuest, irq: number) => Run;
  readonly poll?: (guest: PcGuest) => Run;
}

const MASTER = 0x20;
const SLAVE = 0xa0;
const CASCADE = 2;

const ICW1 = 0x11;
const ICW4 = 0x01;
const ICW4_AEOI = 0x03;
const EOI = 0x20;
const SPECIFIC_EOI = 0x60;
const ROTATE_ON_EOI = 0xa0;
const POLL = 0x0c;
const READ_ISR = 0x0b;
const SET_SPECIAL_MASK = 0x68;
const CLEAR_SPECIAL_MASK = 0x48;

/** All but the inputs that the guest's devices use: 2 and 4 of the master, 2 and 4 of the slave. */
const MASKS = 0xeb;

const { fn } = source('guest', 'pic_programs');

const initialize_chip = fn(
  'ICW1 to ICW4: from here on the chip knows its vectors and its mode, and has forgotten what was requested.',
  function* initialize_chip({ cpu }: PcGuest, base: number, icw4: number) {
    const master = base === MASTER;
    yield* cpu.out(base, 1, ICW1);
    yield* cpu.out(base + 1, 1, master ? 0x30 : 0x38);
    yield* cpu.out(base + 1, 1, master ? 1 << CASCADE : CASCADE);
    yield* cpu.out(base + 1, 1, icw4);
    yield* cpu.out(base + 1, 1, MASKS);
  },
);

const initialize_pair = (icw4: number) =>
  function* (guest: PcGuest): Run {
    yield* initialize_chip(guest, MASTER, icw4);
    yield* initialize_chip(guest, SLAVE, icw4);
  };

/** Input 7 is what a chip answers with when nobody asks any more: then its ISR does not have it. */
const is_spurious = fn(
  'Asks the chip whether its input 7 is in service. If not, nobody interrupted.',
  function* is_spurious({ cpu }: PcGuest, irq: number) {
    if ((irq & 7) !== 7) return false;
    const base = irq < 8 ? MASTER : SLAVE;
    yield* cpu.out(base, 1, READ_ISR);
    return ((yield* cpu.in(base, 1)) & 0x80) === 0;
  },
);

const end_of_interrupt = fn(
  'Ends the interrupt: at the slave, if it came from there, and at the master, where the slave’s input is in service.',
  function* end_of_interrupt({ cpu }: PcGuest, irq: number, command: number) {
    if (irq >= 8) yield* cpu.out(SLAVE, 1, command);
    yield* cpu.out(MASTER, 1, command);
  },
);

const spurious_interrupt = fn(
  'Nobody interrupted. A spurious one of the slave is still in service at the master, which did pass it on.',
  function* spurious_interrupt({ cpu, drivers }: PcGuest, irq: number) {
    drivers.spurious += 1;
    if (irq >= 8) yield* cpu.out(MASTER, 1, EOI);
  },
);

const nested_interrupt = fn(
  'Serves an interrupt with interrupts on: the chip lets through what is more urgent, and only that. The end of the interrupt comes last.',
  function* nested_interrupt(guest: PcGuest, irq: number, command: number) {
    if (yield* is_spurious(guest, irq)) return yield* spurious_interrupt(guest, irq);
    yield* guest.cpu.set_interrupts(true);
    yield* serve_device(guest, irq);
    yield* guest.cpu.set_interrupts(false);
    if (guest.overlap === 'reinitialized' && irq === EDU_IRQ && guest.busy) {
      guest.busy = false;
      at('ICW1', 'the program starts over, and never ends this interrupt');
      return yield* initialize_pair(ICW4)(guest);
    }
    yield* end_of_interrupt(guest, irq, command);
  },
);

/** Fully nested, the 8259's natural way. */
export const nested: PicProgram = {
  takes_interrupts: true,
  initialize: initialize_pair(ICW4),
  interrupt: (guest, irq) => architecturally('hardirq', nested_interrupt)(guest, irq, EOI),
};

/** Each end of an interrupt makes its input the least urgent: everybody gets a turn. */
export const rotating: PicProgram = {
  takes_interrupts: true,
  initialize: initialize_pair(ICW4),
  interrupt: (guest, irq) => architecturally('hardirq', nested_interrupt)(guest, irq, ROTATE_ON_EOI),
};

const special_mask_interrupt = fn(
  'Serves an interrupt in special mask mode: its own input is masked, and being in service holds nobody else back, however unimportant.',
  function* special_mask_interrupt(guest: PcGuest, irq: number) {
    const { cpu } = guest;
    if (yield* is_spurious(guest, irq)) return yield* spurious_interrupt(guest, irq);
    const own = 1 << (irq < 8 ? irq : CASCADE);
    yield* cpu.out(MASTER + 1, 1, MASKS | own);
    yield* cpu.out(MASTER, 1, SET_SPECIAL_MASK);
    yield* cpu.set_interrupts(true);
    yield* serve_device(guest, irq);
    yield* cpu.set_interrupts(false);
    yield* cpu.out(MASTER, 1, CLEAR_SPECIAL_MASK);
    if (irq >= 8) yield* cpu.out(SLAVE, 1, SPECIFIC_EOI | (irq & 7));
    yield* cpu.out(MASTER, 1, SPECIFIC_EOI | (irq < 8 ? irq : CASCADE));
    yield* cpu.out(MASTER + 1, 1, MASKS);
  },
);

/** Special mask mode. */
export const special_mask: PicProgram = {
  takes_interrupts: true,
  initialize: initialize_pair(ICW4),
  interrupt: architecturally('hardirq', special_mask_interrupt),
};

/** Both chips end every interrupt themselves, at its acknowledgement. */
export const auto_eoi: PicProgram = {
  takes_interrupts: true,
  initialize: initialize_pair(ICW4_AEOI),
  interrupt: (guest, irq) => serve_device(guest, irq, 'hardirq'),
};

const poll_chip = fn(
  'Asks a chip which input wants service. Bit 7 says that there is one.',
  function* poll_chip({ cpu }: PcGuest, base: number) {
    yield* cpu.out(base, 1, POLL);
    return yield* cpu.in(base, 1);
  },
);

const poll_pair = fn(
  'Polls until nobody wants service any more. Each answer is also the acknowledgement, so each has to be ended.',
  function* poll_pair(guest: PcGuest) {
    // More than there can be: a chip that answers for ever would otherwise never let go.
    for (let turn = 0; turn < 16; turn++) {
      const answer = yield* poll_chip(guest, MASTER);
      if (!(answer & 0x80)) return;
      let irq = answer & 7;
      if (irq === CASCADE) irq = 8 + ((yield* poll_chip(guest, SLAVE)) & 7);
      yield* serve_device(guest, irq);
      yield* end_of_interrupt(guest, irq, EOI);
    }
  },
);

/** No interrupts at all: the program asks. */
export const polling: PicProgram = {
  takes_interrupts: false,
  initialize: initialize_pair(ICW4),
  *interrupt() {},
  poll: poll_pair,
};
