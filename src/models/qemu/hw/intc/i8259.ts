import { addressOf, bound, source, through } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import type { Board } from '../../board';
import type { PICCommonState } from '../../include/hw/isa/i8259_internal';
import { qemu_irq_lower, qemu_irq_raise } from '../../include/hw/irq';
import { io_region } from '../../include/exec/memory';
import type { IRQState } from '../core/irq';
import type { ISABus } from '../isa/isa-bus';
import { i8259_common_class_init, i8259_init_chip, picPorts, pic_reset_common } from './i8259_common';

/** The 8259 pair as QEMU emulates it: two equal chips, wired to each other like any two devices. */

const { fn, ops } = source('qemu', 'hw/intc/i8259.c');

const get_priority = fn(
  'The highest priority among some inputs, 0 first; rotation decides which input that is. 8 if there is none.',
  function* get_priority(s: PICCommonState, mask: number) {
    if (mask === 0) return 8;
    const { priority_add } = s;
    let priority = 0;
    while ((mask & (1 << ((priority + priority_add) & 7))) === 0) priority++;
    return priority;
  },
);

const pic_get_irq = fn(
  'The input that asks for service: requested, not masked, and above everything in service. -1 if there is none.',
  function* pic_get_irq(s: PICCommonState) {
    const priority = yield* get_priority(s, s.irr & ~s.imr);
    if (priority === 8) return -1;
    let inService = s.isr;
    if (s.special_mask) {
      at('special_mask', 'what is masked no longer holds back what is below it');
      inService &= ~s.imr;
    }
    if (s.special_fully_nested_mode && s.master) {
      at('special_fully_nested_mode', 'the slave may interrupt itself through the master');
      inService &= ~(1 << 2);
    }
    behind('get_priority');
    return priority < (yield* get_priority(s, inService)) ? (priority + s.priority_add) & 7 : -1;
  },
);

const pic_update_irq = fn(
  'Drives the output to what the registers say: called after everything that may have changed it.',
  function* pic_update_irq(s: PICCommonState) {
    if ((yield* pic_get_irq(s)) >= 0) yield* qemu_irq_raise(s.int_out[0]);
    else yield* qemu_irq_lower(s.int_out[0]);
  },
);

const pic_set_irq = fn(
  'An input changes. Where it is level-triggered the request follows it; where it is edge-triggered only a rise makes a request, and nothing but its acknowledgement ends it.',
  function* pic_set_irq(s: PICCommonState, irq: number, level: 0 | 1) {
    const mask = 1 << irq;
    atCall('pic_stat_update_irq');
    if (s.elcr & mask) {
      if (level) {
        s.irr |= mask;
        s.last_irr |= mask;
      } else {
        atWrite('irr', 'last_irr');
        s.irr &= ~mask;
        atWrite('last_irr', 'last_irr');
        s.last_irr &= ~mask;
      }
    } else if (level) {
      if ((s.last_irr & mask) === 0) {
        atWrite('irr', 'last_irr last_irr last_irr', 'a rise: this makes the request');
        s.irr |= mask;
      } else at('last_irr', 'the line is high already: no edge, no request');
      atWrite('last_irr', 'last_irr last_irr last_irr');
      s.last_irr |= mask;
    } else {
      atWrite('last_irr', 'last_irr last_irr last_irr last_irr', 'a fall: what was requested stays requested');
      s.last_irr &= ~mask;
    }
    yield* pic_update_irq(s);
  },
);

const pic_intack = fn(
  'The acknowledge cycle of one chip: the request is taken, and in service until its end is written. A level request stays: its line decides.',
  function* pic_intack(s: PICCommonState, irq: number) {
    const mask = 1 << irq;
    if (!s.auto_eoi) s.isr |= mask;
    else if (s.rotate_on_auto_eoi) s.priority_add = (irq + 1) & 7;
    else at('auto_eoi', 'ended as soon as it is acknowledged');
    if (!(s.elcr & mask)) s.irr &= ~mask;
    yield* pic_update_irq(s);
  },
);

export const pic_read_irq = fn(
  'The CPU’s acknowledge cycle: which vector? If nothing is requested any more, the chip still has to answer: with its input 7, and with nothing in service.',
  function* pic_read_irq(board: Board) {
    const { isa_pic: s, slave_pic } = requirePics(board);
    const irq = yield* pic_get_irq(s);
    if (irq < 0) {
      atWrite('intno', 'intno intno intno', 'spurious IRQ 7');
      return s.irq_base + 7;
    }
    if (irq !== 2) {
      behind('pic_intack pic_intack');
      yield* pic_intack(s, irq);
      return s.irq_base + irq;
    }
    let irq2 = yield* pic_get_irq(slave_pic);
    if (irq2 >= 0) yield* pic_intack(slave_pic, irq2);
    else {
      atWrite('irq2', 'pic_intack', 'spurious IRQ 15: the master has input 2 in service for it');
      irq2 = 7;
    }
    behind('pic_intack');
    yield* pic_intack(s, irq);
    return slave_pic.irq_base + irq2;
  },
);

const pic_init_reset = fn('ICW1 or reset: back to the beginning, and the output follows.', function* pic_init_reset(s: PICCommonState) {
  yield* pic_reset_common(s);
  yield* pic_update_irq(s);
});

const pic_ioport_write = fn(
  'The guest writes a register: even address ICW1, OCW2 or OCW3, odd address the rest of an initialization or OCW1, the mask.',
  function* pic_ioport_write(s: PICCommonState, addr: number, val: number, _size: number) {
    if (addr !== 0) yield* write_odd(s, val);
    else if (val & 0x10) {
      yield* pic_init_reset(s);
      s.init_state = 1;
      s.init4 = (val & 1) !== 0;
      s.single_mode = (val & 2) !== 0;
    } else if (val & 0x08) write_OCW3(s, val);
    else yield* write_OCW2(s, val >> 5, val & 7);
  },
);

/** The odd address. */
function* write_odd(s: PICCommonState, val: number) {
  switch (s.init_state) {
    case 0:
      s.imr = val;
      behind('imr');
      return yield* pic_update_irq(s);
    case 1:
      s.irq_base = val & 0xf8;
      atWrite('init_state', 'irq_base');
      s.init_state = s.single_mode ? afterICW3(s) : 2;
      return undefined;
    case 2:
      atWrite('init_state', 'irq_base init_state');
      s.init_state = afterICW3(s);
      return undefined;
    case 3:
      s.special_fully_nested_mode = (val & 0x10) !== 0;
      s.auto_eoi = (val & 0x02) !== 0;
      atWrite('init_state', 'auto_eoi');
      s.init_state = 0;
      return undefined;
  }
}

const afterICW3 = (s: PICCommonState): 0 | 3 => (s.init4 ? 3 : 0);

/** OCW3: none of these changes the output at once. */
function write_OCW3(s: PICCommonState, val: number): void {
  if (val & 0x04) s.poll = true;
  if (val & 0x02) s.read_reg_select = (val & 1) !== 0;
  if (val & 0x40) s.special_mask = (val & 0x20) !== 0;
}

/** OCW2: the ends of interrupts, and rotation. */
function* write_OCW2(s: PICCommonState, cmd: number, irq: number) {
  switch (cmd) {
    case 0:
    case 4:
      s.rotate_on_auto_eoi = cmd === 4;
      return;
    case 1:
    case 5: {
      const priority = yield* get_priority(s, s.isr);
      if (priority === 8) return;
      const ended = (priority + s.priority_add) & 7;
      s.isr &= ~(1 << ended);
      if (cmd === 5) s.priority_add = (ended + 1) & 7;
      return yield* pic_update_irq(s);
    }
    case 3:
      atWrite('isr', 'pic_update_irq');
      s.isr &= ~(1 << irq);
      behind('pic_update_irq');
      return yield* pic_update_irq(s);
    case 6:
      atWrite('priority_add', 'pic_update_irq');
      s.priority_add = (irq + 1) & 7;
      behind('pic_update_irq pic_update_irq');
      return yield* pic_update_irq(s);
    case 7:
      atWrite('isr', 'pic_update_irq pic_update_irq pic_update_irq');
      s.isr &= ~(1 << irq);
      atWrite('priority_add', 'pic_update_irq pic_update_irq pic_update_irq');
      s.priority_add = (irq + 1) & 7;
      behind('pic_update_irq pic_update_irq pic_update_irq');
      return yield* pic_update_irq(s);
  }
}

const pic_ioport_read = fn(
  'The guest reads a register. After a poll command the read is itself an acknowledge cycle, without any interrupt.',
  function* pic_ioport_read(s: PICCommonState, addr: number, _size: number) {
    if (s.poll) {
      const irq = yield* pic_get_irq(s);
      if (irq >= 0) yield* pic_intack(s, irq);
      s.poll = false;
      return irq >= 0 ? irq | 0x80 : 0;
    }
    if (addr !== 0) {
      at('imr');
      return s.imr;
    }
    at(s.read_reg_select ? 'isr' : 'irr');
    return s.read_reg_select ? s.isr : s.irr;
  },
);

export const pic_get_output = fn('The level of the master’s output.', function* pic_get_output({ isa_pic }: Board) {
  return isa_pic !== undefined && (yield* pic_get_irq(isa_pic)) >= 0;
});

const elcr_ioport_write = fn(
  'The guest chooses which inputs are level-triggered. Requests that are there already stay as they are.',
  function* elcr_ioport_write(s: PICCommonState, _addr: number, val: number, _size: number) {
    s.elcr = val & s.elcr_mask;
  },
);

const elcr_ioport_read = fn(
  'Which inputs are level-triggered.',
  function* elcr_ioport_read(s: PICCommonState, _addr: number, _size: number) {
    at('elcr');
    return s.elcr;
  },
);

export const pic_base_ioport_ops = ops('pic_base_ioport_ops', { read: pic_ioport_read, write: pic_ioport_write });
export const pic_elcr_ioport_ops = ops('pic_elcr_ioport_ops', { read: elcr_ioport_read, write: elcr_ioport_write });

const pic_realize = fn('Gives a chip its registers and its eight inputs.', function* pic_realize(s: PICCommonState, isa: ISABus) {
  atCall('memory_region_init_io');
  const { base, elcr } = picPorts(s);
  const base_io = io_region(base, pic_base_ioport_ops, () => s);
  const elcr_io = io_region(elcr, pic_elcr_ioport_ops, () => s);
  atCall('qdev_init_gpio_in');
  const handler = addressOf(bound(pic_set_irq, () => s));
  s.gpio_in = Array.from({ length: 8 }, (_, n) => ({ handler, n }));
  yield* through('function pointer', 'parent_realize', i8259_common_class_init.realize)(isa, base_io, elcr_io);
});

const i8259_class_init = ops('i8259_class_init', { realize: pic_realize });

export const i8259_init = fn(
  'Makes the pair and wires it: the slave’s output is an input of the master like any other, number 2, and the master’s leads to the CPUs.',
  function* i8259_init(board: Board, bus: ISABus, parent_irq: IRQState) {
    const master = yield* i8259_init_chip(i8259_class_init.realize, bus, true);
    atCall('qdev_connect_gpio_out');
    master.int_out[0] = parent_irq;
    at('isa_pic');
    board.isa_pic = master;
    behind('i8259_init_chip');
    const slave = yield* i8259_init_chip(i8259_class_init.realize, bus, false);
    behind('qdev_connect_gpio_out');
    atCall('qdev_connect_gpio_out');
    slave.int_out[0] = master.gpio_in[2];
    at('slave_pic');
    board.slave_pic = slave;
    return [...master.gpio_in, ...slave.gpio_in];
  },
);

function requirePics({ isa_pic, slave_pic }: Board) {
  if (isa_pic === undefined || slave_pic === undefined) throw new Error('the PIC of this board is not in QEMU');
  return { isa_pic, slave_pic };
}
