import { bool, int, means, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { at, atWrite, behind } from '../../../../engine/steps';
import { ptirq_intx_ack, ptirq_intx_pin_remap } from '../arch/x86/guest/assign';
import { vcpu_inject_extint } from '../arch/x86/guest/virq';
import { APIC_LVT_LINT0, BROADCAST_CPU_ID, vlapic_set_local_intr } from '../arch/x86/guest/vlapic';
import { get_pic_pin_from_ioapic_pin } from '../arch/x86/ioapic';
import type { AcrnVcpu } from '../include/arch/x86/asm/guest/vcpu';
import { VPIC_WIRE_MODES, type AcrnVm, type VmIoHandlerDesc } from '../include/arch/x86/asm/guest/vm';
import { levelsOf, type GsiOperation } from '../include/public/acrn_common';
import { vioapic_set_irqline_lock } from './vioapic';
import * as i8259 from '../../../hardware/registers/i8259';

/** The hypervisor's 8259 pair. */

const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW4_8086 = 0x01;
const ICW4_AEOI = 0x02;
const ICW4_SFNM = 0x10;
const OCW2_EOI = 0x20;
const OCW2_SL = 0x40;
const OCW2_R = 0x80;
const OCW3_RIS = 0x01;
const OCW3_RR = 0x02;
const OCW3_P = 0x04;
const OCW3_SMM = 0x20;
const OCW3_ESMM = 0x40;
const ICU_IMR_OFFSET = 1;
const IO_ELCR1 = 0x4d0;
const NR_VPIC_PINS_TOTAL = 16;
const INVALID_INTERRUPT_PIN = 0xffffffff;

/** VECTOR_INVALID: the vPIC has nothing to give. */
export const NO_VECTOR = 0xffffffff;

type Pin = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
const PINS: readonly Pin[] = [0, 1, 2, 3, 4, 5, 6, 7];

const ChipCells = struct('i8259_reg_state', 'One 8259: what is requested, masked and in service.', {
  ready: means('The initialization words have all come.', bool()),
  icw_num: means('Which initialization word the odd address expects next; 0: none, it is OCW1.', int()),
  rd_cmd_reg: means('OCW3: what a read of the even address gives: 0 the IRR, 1 the ISR.', int()),
  aeoi: i8259.autoEoi(),
  poll: i8259.poll(),
  rotate: i8259.rotateOnAutoEoi(),
  sfn: i8259.specialFullyNested(),
  irq_base: i8259.irqBase(),
  request: i8259.irr(),
  service: i8259.isr(),
  mask: i8259.imr(0xff),
  smm: int(),
  'pin_state[0]': means('How many sources hold the input up.', int()),
  'pin_state[1]': means('How many sources hold the input up.', int()),
  'pin_state[2]': means('How many sources hold the input up.', int()),
  'pin_state[3]': means('How many sources hold the input up.', int()),
  'pin_state[4]': means('How many sources hold the input up.', int()),
  'pin_state[5]': means('How many sources hold the input up.', int()),
  'pin_state[6]': means('How many sources hold the input up.', int()),
  'pin_state[7]': means('How many sources hold the input up.', int()),
  lowprio: means('The input that has the lowest priority: rotation moves it on.', int()),
  intr_raised: means('The output is up.', bool()),
  elc: i8259.elcr(),
});

export type I8259RegState = InstanceOf<typeof ChipCells>;

/** The pair: primary and secondary. */
export interface AcrnVpic {
  readonly i8259: readonly [I8259RegState, I8259RegState];
}

/** Makes the pair as vpic_init() leaves it: everything masked, and deaf until it is initialised. */
export const acrn_vpic = (name: string): AcrnVpic => ({ i8259: [ChipCells(`${name} primary`), ChipCells(`${name} secondary`)] });

const isPrimary = (vpic: AcrnVpic, chip: I8259RegState): boolean => chip === vpic.i8259[0];
const pinsByPriority = (chip: I8259RegState): readonly Pin[] => PINS.map((n) => ((chip.lowprio + 1 + n) & 7) as Pin);

const { fn, ops } = source('acrn', 'hypervisor/dm/vpic.c');

const vpic_get_highest_isrpin = fn(
  'The interrupt that a non-specific EOI ends: the highest in service. In special mask mode one that is masked does not count.',
  function* vpic_get_highest_isrpin(i8259: I8259RegState) {
    at('service');
    const pin = pinsByPriority(i8259).find((pin) => (i8259.service >>> pin) & 1 && !(i8259.smm !== 0 && (i8259.mask >>> pin) & 1));
    return pin ?? INVALID_INTERRUPT_PIN;
  },
);

const vpic_get_highest_irrpin = fn(
  'The pin to be served next: walking down the priorities, the first that is requested and not masked, unless one in service comes before it.',
  function* vpic_get_highest_irrpin(i8259: I8259RegState) {
    at('serviced');
    // In special fully nested mode the cascade does not shut itself out; in special mask mode nothing does.
    const serviced = i8259.smm !== 0 ? 0 : i8259.sfn ? i8259.service & ~(1 << 2) : i8259.service;
    for (const pin of pinsByPriority(i8259)) {
      if ((serviced >>> pin) & 1) return INVALID_INTERRUPT_PIN;
      if ((i8259.request & ~i8259.mask & (1 << pin)) !== 0) return pin;
    }
    return INVALID_INTERRUPT_PIN;
  },
);

const vpic_set_pinstate = fn(
  'A pin is driven: a rise is a request, and so is any high level on a level pin. Only a level pin’s request ends with its line.',
  function* vpic_set_pinstate(vpic: AcrnVpic, pin: number, level: 0 | 1) {
    const i8259 = vpic.i8259[pin >> 3 ? 1 : 0];
    const line = (pin & 7) as Pin;
    const bit = 1 << line;
    const old_lvl = i8259[`pin_state[${line}]`];
    i8259[`pin_state[${line}]`] = level;
    const lvl_trigger = (i8259.elc & bit) !== 0;
    if (level === 1 && (old_lvl === 0 || lvl_trigger)) i8259.request |= bit;
    else if (old_lvl === 1 && level === 0 && lvl_trigger) {
      atWrite('request', 'request');
      i8259.request &= ~bit;
    }
  },
);

const vpic_notify_intr = fn(
  'Tells the CPU that there is something to fetch, once: intr_raised stays set until a vector is accepted. Should the request disappear before that, nobody clears it, and the chip is silent from then on.',
  function* vpic_notify_intr(vm: AcrnVm) {
    const { vpic } = vm;
    const [primary, secondary] = vpic.i8259;
    const wanted = yield* vpic_get_highest_irrpin(secondary);
    at('intr_raised');
    if (!secondary.intr_raised && wanted !== INVALID_INTERRUPT_PIN) {
      secondary.intr_raised = true;
      yield* vpic_set_pinstate(vpic, 2, 1);
      yield* vpic_set_pinstate(vpic, 2, 0);
    }
    behind('intr_raised');
    const pin = yield* vpic_get_highest_irrpin(primary);
    if (primary.intr_raised || pin === INVALID_INTERRUPT_PIN) return;
    atWrite('intr_raised', 'vpic2vm');
    primary.intr_raised = true;
    at('wire_mode');
    if (vm.wire_mode === VPIC_WIRE_MODES.VPIC_WIRE_INTR) {
      const bsp = vm.vcpu_array[0];
      if (bsp !== undefined) yield* vcpu_inject_extint(bsp);
    } else {
      yield* vlapic_set_local_intr(vm, BROADCAST_CPU_ID, APIC_LVT_LINT0);
      yield* vioapic_set_irqline_lock(vm, 0, 'GSI_RAISING_PULSE');
    }
  },
);

const vpic_icw1 = fn(
  'Begins the initialisation. What is in service, the automatic EOI and the raised output survive it.',
  function* vpic_icw1(i8259: I8259RegState, val: number) {
    i8259.ready = false;
    i8259.icw_num = 1;
    i8259.request = 0;
    i8259.mask = 0;
    i8259.lowprio = 7;
    i8259.rd_cmd_reg = 0;
    i8259.poll = false;
    i8259.smm = 0;
    if (val & ICW1_SNGL || !(val & ICW1_IC4)) return -1;
    behind('smm');
    i8259.icw_num += 1;
    return 0;
  },
);

const vpic_icw2 = fn('The base of the vectors: its upper five bits.', function* vpic_icw2(i8259: I8259RegState, val: number) {
  i8259.irq_base = val & 0xf8;
  i8259.icw_num += 1;
  return 0;
});

const vpic_icw3 = fn('The cascade’s wiring, which is fixed.', function* vpic_icw3(i8259: I8259RegState) {
  i8259.icw_num += 1;
  return 0;
});

const vpic_icw4 = fn(
  'Ends the initialisation, and the chip listens. It can switch the automatic EOI and the special fully nested mode on, never off.',
  function* vpic_icw4(vpic: AcrnVpic, i8259: I8259RegState, val: number) {
    at('ICW4_8086');
    if (!(val & ICW4_8086)) return -1;
    if (val & ICW4_AEOI) i8259.aeoi = true;
    if (val & ICW4_SFNM && isPrimary(vpic, i8259)) i8259.sfn = true;
    i8259.icw_num = 0;
    i8259.ready = true;
    return 0;
  },
);

const vpin_to_vgsi = fn('The GSI that a pin of the pair stands for.', function* vpin_to_vgsi(vm: AcrnVm, vpin: number) {
  switch (vm.load_order) {
    case 'SERVICE_VM':
      return yield* get_pic_pin_from_ioapic_pin(vpin);
    case 'POST_LAUNCHED_VM':
      return vpin === 0 ? 2 : vpin;
    case 'PRE_LAUNCHED_VM':
      return vpin;
  }
});

const vgsi_to_vpin = fn('The pin of the pair that a GSI drives.', function* vgsi_to_vpin(vm: AcrnVm, vgsi: number) {
  switch (vm.load_order) {
    case 'SERVICE_VM':
      return yield* get_pic_pin_from_ioapic_pin(vgsi);
    case 'POST_LAUNCHED_VM':
      return vgsi === 2 ? 0 : vgsi;
    case 'PRE_LAUNCHED_VM':
      return vgsi;
  }
});

const vpic_ocw1 = fn(
  'The mask. Pins that open may have a passed-through line behind them.',
  function* vpic_ocw1(vm: AcrnVm, i8259: I8259RegState, val: number) {
    const primary = isPrimary(vm.vpic, i8259);
    const opened = i8259.mask & ~val;
    i8259.mask = val;
    for (const pin of pinsByPriority(i8259)) {
      if (!((opened >>> pin) & 1) || (pin === 2 && primary)) continue;
      const vgsi = yield* vpin_to_vgsi(vm, primary ? pin : pin + 8);
      yield* ptirq_intx_pin_remap(vm, vgsi, 'INTX_CTLR_PIC');
    }
    return 0;
  },
);

const vpic_ocw2 = fn(
  'An EOI, or a new lowest priority. The end of a level interrupt is told to a passed-through device.',
  function* vpic_ocw2(vm: AcrnVm, i8259: I8259RegState, val: number) {
    i8259.rotate = (val & OCW2_R) !== 0;
    if (val & OCW2_EOI) {
      const isr_bit = val & OCW2_SL ? val & 7 : yield* vpic_get_highest_isrpin(i8259);
      if (isr_bit !== INVALID_INTERRUPT_PIN) {
        i8259.service &= ~(1 << isr_bit);
        if (i8259.rotate) i8259.lowprio = isr_bit;
      }
      if (i8259.elc & (1 << (isr_bit & 7))) {
        const vgsi = yield* vpin_to_vgsi(vm, isPrimary(vm.vpic, i8259) ? isr_bit : (isr_bit + 8) >>> 0);
        yield* ptirq_intx_ack(vm, vgsi, 'INTX_CTLR_PIC');
      }
    } else if (val & OCW2_SL && i8259.rotate) {
      atWrite('lowprio', 'ptirq_intx_ack');
      i8259.lowprio = val & 7;
    }
    return 0;
  },
);

const vpic_ocw3 = fn(
  'Special mask mode, and what the next read returns. The poll command counts only together with a register select.',
  function* vpic_ocw3(i8259: I8259RegState, val: number) {
    at('OCW3_ESMM');
    if (val & OCW3_ESMM) i8259.smm = val & OCW3_SMM ? 1 : 0;
    if (val & OCW3_RR) {
      i8259.rd_cmd_reg = val & OCW3_RIS;
      i8259.poll = (val & OCW3_P) !== 0;
    }
    return 0;
  },
);

export const vpic_set_irqline = fn(
  'A device drives a line. Before the guest has initialised the chip, it is deaf.',
  function* vpic_set_irqline(vm: AcrnVm, vgsi: number, operation: GsiOperation) {
    at('ready');
    if (vgsi >= NR_VPIC_PINS_TOTAL || !vm.vpic.i8259[vgsi >> 3 ? 1 : 0].ready) return;
    const pin = yield* vgsi_to_vpin(vm, vgsi);
    for (const level of levelsOf(operation)) yield* vpic_set_pinstate(vm.vpic, pin, level);
    yield* vpic_notify_intr(vm);
  },
);

export const vpic_pending_intr = fn(
  'The vector that the CPU gets if it takes one now. Hardware would answer with a spurious vector if there is none any more; this pair has none to give.',
  function* vpic_pending_intr(vpic: AcrnVpic) {
    const [primary, secondary] = vpic.i8259;
    const pin = yield* vpic_get_highest_irrpin(primary);
    const chip = pin === 2 ? secondary : primary;
    const chosen = pin === 2 ? yield* vpic_get_highest_irrpin(secondary) : pin;
    at('vecptr');
    return chosen === INVALID_INTERRUPT_PIN ? NO_VECTOR : chip.irq_base + chosen;
  },
);

const vpic_pin_accepted = fn(
  'The CPU took the vector: an edge is spent, the pin is in service (or has ended already, with automatic EOI), and the chip may raise its output again.',
  function* vpic_pin_accepted(i8259: I8259RegState, pin: number) {
    i8259.intr_raised = false;
    if (!(i8259.elc & (1 << pin))) i8259.request &= ~(1 << pin);
    if (!i8259.aeoi) i8259.service |= 1 << pin;
    else if (i8259.rotate) i8259.lowprio = pin;
  },
);

export const vpic_intr_accepted = fn(
  'A vector of the pair was injected. One of the secondary’s also occupies the primary’s pin 2.',
  function* vpic_intr_accepted(vm: AcrnVm, vector: number) {
    const [primary, secondary] = vm.vpic.i8259;
    const pin = vector & 7;
    if ((vector & ~7) === secondary.irq_base) {
      yield* vpic_pin_accepted(secondary, pin);
      yield* vpic_pin_accepted(primary, 2);
    } else {
      yield* vpic_pin_accepted(primary, pin);
    }
    yield* vpic_notify_intr(vm);
  },
);

const vpic_read = fn(
  'A read: the poll’s answer, which accepts the interrupt, or a register.',
  function* vpic_read(i8259: I8259RegState, port: number) {
    at('poll');
    if (i8259.poll) {
      i8259.poll = false;
      const pin = yield* vpic_get_highest_irrpin(i8259);
      if (pin === INVALID_INTERRUPT_PIN) return 0;
      yield* vpic_pin_accepted(i8259, pin);
      return 0x80 | pin;
    }
    if (port & ICU_IMR_OFFSET) return i8259.mask;
    return i8259.rd_cmd_reg === OCW3_RIS ? i8259.service : i8259.request;
  },
);

const vpic_write = fn(
  'A write: by its address and bits 3 and 4 an initialisation word or an operation word. A chip that listens looks afterwards whether there is something to tell.',
  function* vpic_write(vm: AcrnVm, i8259: I8259RegState, port: number, val: number) {
    let error = 0;
    at('port');
    if (port & ICU_IMR_OFFSET) {
      if (i8259.icw_num === 2) error = yield* vpic_icw2(i8259, val);
      else if (i8259.icw_num === 3) error = yield* vpic_icw3(i8259);
      else if (i8259.icw_num === 4) error = yield* vpic_icw4(vm.vpic, i8259, val);
      else error = yield* vpic_ocw1(vm, i8259, val);
    } else {
      if (val & 0x10) error = yield* vpic_icw1(i8259, val);
      if (i8259.ready) error = val & 0x08 ? yield* vpic_ocw3(i8259, val) : yield* vpic_ocw2(vm, i8259, val);
    }
    if (i8259.ready) yield* vpic_notify_intr(vm);
    return error;
  },
);

/** A port access: a read, or a write of a value. */
type Access = 'in' | number;

/** The chip has no registers of this width: a read leaves the request’s value as it was. */
const REFUSED = -1;

const vpic_primary_handler = fn(
  'An access to ports 0x20 and 0x21: bytes only.',
  function* vpic_primary_handler(vm: AcrnVm, access: Access, port: number, bytes: number) {
    const chip = vm.vpic.i8259[0];
    at('bytes');
    if (bytes !== 1) return REFUSED;
    return access === 'in' ? yield* vpic_read(chip, port) : yield* vpic_write(vm, chip, port, access & 0xff);
  },
);

const vpic_secondary_handler = fn(
  'An access to ports 0xA0 and 0xA1: bytes only.',
  function* vpic_secondary_handler(vm: AcrnVm, access: Access, port: number, bytes: number) {
    const chip = vm.vpic.i8259[1];
    at('bytes');
    if (bytes !== 1) return REFUSED;
    return access === 'in' ? yield* vpic_read(chip, port) : yield* vpic_write(vm, chip, port, access & 0xff);
  },
);

const vpic_elc_handler = fn(
  'An access to the edge/level registers. The timer, the keyboard, the cascade, the clock and the coprocessor are always edge-triggered. Nothing is looked at again: the new mode counts from the next change of a line.',
  function* vpic_elc_handler(vm: AcrnVm, access: Access, port: number, bytes: number) {
    at('is_primary_vpic');
    if (bytes !== 1) return REFUSED;
    const primary = port === IO_ELCR1;
    const chip = vm.vpic.i8259[primary ? 0 : 1];
    if (access === 'in') return chip.elc;
    chip.elc = access & (primary ? 0xf8 : 0xde);
    return 0;
  },
);

export const vpic_primary_io_read = fn(
  'The guest reads a port of the primary chip; the result goes into the vCPU’s request.',
  function* vpic_primary_io_read(vcpu: AcrnVcpu, addr: number, width: number) {
    const value = yield* vpic_primary_handler(vcpu.vm, 'in', addr, width);
    if (value !== REFUSED) vcpu.req.value = value;
    return true;
  },
);

export const vpic_primary_io_write = fn(
  'The guest writes a port of the primary chip.',
  function* vpic_primary_io_write(vcpu: AcrnVcpu, addr: number, width: number, v: number) {
    yield* vpic_primary_handler(vcpu.vm, v, addr, width);
    return true;
  },
);

export const vpic_secondary_io_read = fn(
  'The guest reads a port of the secondary chip; the result goes into the vCPU’s request.',
  function* vpic_secondary_io_read(vcpu: AcrnVcpu, addr: number, width: number) {
    const value = yield* vpic_secondary_handler(vcpu.vm, 'in', addr, width);
    if (value !== REFUSED) vcpu.req.value = value;
    return true;
  },
);

export const vpic_secondary_io_write = fn(
  'The guest writes a port of the secondary chip.',
  function* vpic_secondary_io_write(vcpu: AcrnVcpu, addr: number, width: number, v: number) {
    yield* vpic_secondary_handler(vcpu.vm, v, addr, width);
    return true;
  },
);

export const vpic_elc_io_read = fn(
  'The guest reads which pins are level-triggered; the result goes into the vCPU’s request.',
  function* vpic_elc_io_read(vcpu: AcrnVcpu, addr: number, width: number) {
    const value = yield* vpic_elc_handler(vcpu.vm, 'in', addr, width);
    if (value !== REFUSED) vcpu.req.value = value;
    return true;
  },
);

export const vpic_elc_io_write = fn(
  'The guest chooses which pins are level-triggered.',
  function* vpic_elc_io_write(vcpu: AcrnVcpu, addr: number, width: number, v: number) {
    yield* vpic_elc_handler(vcpu.vm, v, addr, width);
    return true;
  },
);

const handlers = ops('vpic_register_io_handler', {
  primary_read: vpic_primary_io_read,
  primary_write: vpic_primary_io_write,
  secondary_read: vpic_secondary_io_read,
  secondary_write: vpic_secondary_io_write,
  elc_read: vpic_elc_io_read,
  elc_write: vpic_elc_io_write,
});

/** The ports that the pair answers for. */
export const vpic_ports: readonly VmIoHandlerDesc[] = [
  { port_start: 0x20, port_end: 0x22, io_read: handlers.primary_read, io_write: handlers.primary_write },
  { port_start: 0xa0, port_end: 0xa2, io_read: handlers.secondary_read, io_write: handlers.secondary_write },
  { port_start: 0x4d0, port_end: 0x4d2, io_read: handlers.elc_read, io_write: handlers.elc_write },
];
