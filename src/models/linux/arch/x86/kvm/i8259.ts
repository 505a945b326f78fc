import { bool, hex, int, means, struct, type Field, type InstanceOf } from '../../../../../engine/cell';
import { source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite, behind, preempt } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EOPNOTSUPP } from '../../../errno';
import { kvm_iodevice_init, type IoBuffer, type KvmIoDevice } from '../../../include/kvm/iodev';
import { kvm_notify_acked_irq } from '../../../virt/kvm/eventfd';
import { kvm_vcpu_kick } from '../../../virt/kvm/kvm_main';
import { KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, type Kvm, type KvmVcpu } from '../../../virt/kvm/kvm_types';
import { __kvm_irq_line_state } from '../include/asm/kvm_host';
import { kvm_fire_mask_notifiers } from './irq_comm';
import { kvm_apic_accept_pic_intr } from './lapic';
import { make_request } from './x86';
import * as i8259 from '../../../../hardware/registers/i8259';

/** KVM's 8259 pair. Its slave has no wire to the master: every update pulses the master's pin 2. */

export const PIC_NUM_PINS = 16;
const CASCADE = 1 << 2;

const KpicCells = struct('kvm_kpic_state', 'One 8259: what is requested, masked and in service, and how it was programmed.', {
  last_irr: i8259.lastIrr(),
  irr: i8259.irr(),
  imr: i8259.imr(),
  isr: i8259.isr(),
  priority_add: i8259.priorityAdd(),
  irq_base: i8259.irqBase(),
  read_reg_select: means('OCW3: what a read of the even address gives: 0 the IRR, 1 the ISR.', int()),
  poll: i8259.poll(),
  special_mask: i8259.specialMask(),
  init_state: means('Which initialization word the odd address expects next; 0: none, it is OCW1.', int()),
  auto_eoi: i8259.autoEoi(),
  rotate_on_auto_eoi: i8259.rotateOnAutoEoi(),
  special_fully_nested_mode: i8259.specialFullyNested(),
  init4: i8259.init4(),
  elcr: i8259.elcr(),
  elcr_mask: i8259.elcrMask(),
});
type KpicCells = InstanceOf<typeof KpicCells>;
export type KvmKpicState = KpicCells & { readonly pics_state: KvmPic };

/** What KVM_GET_IRQCHIP and KVM_SET_IRQCHIP carry of one 8259. */
export type KvmPicState = { readonly [K in Exclude<keyof KpicCells, symbol>]: KpicCells[K] };

type Pin = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;
type IrqStates = { readonly [K in `irq_states[${Pin}]`]: Field<number> };
const irq_states = Object.fromEntries(
  Array.from({ length: PIC_NUM_PINS }, (_, pin) => [
    `irq_states[${pin}]`,
    means('The sources that hold the pin up, a bit each: it is up while any is.', hex(32)),
  ]),
) as IrqStates;

const PicCells = struct('kvm_pic', 'The 8259 pair, its output to the CPU, and which sources hold each pin up.', {
  output: means('The INTR output of the master, up to the CPU.', bool()),
  wakeup_needed: means('Somebody has to be kicked once the lock is released.', bool()),
  ...irq_states,
});

export type KvmPic = InstanceOf<typeof PicCells> & {
  readonly kvm: Kvm;
  readonly pics: readonly [master: KvmKpicState, slave: KvmKpicState];
  readonly dev_master: KvmIoDevice;
  readonly dev_slave: KvmIoDevice;
  readonly dev_elcr: KvmIoDevice;
};

/** How firmware or a guest has programmed the pair before a run begins. */
export interface PicProgramming {
  readonly master?: Partial<KvmPicState>;
  readonly slave?: Partial<KvmPicState>;
}

/** Makes the pair: zeroes, as kvm_pic_init() leaves it, and what was programmed since. */
export function kvm_pic(kvm: Kvm, { master = {}, slave = {} }: PicProgramming = {}): KvmPic {
  const pics_state = PicCells('8259 pair') as KvmPic;
  return Object.assign(pics_state, {
    kvm,
    pics: [
      Object.assign(KpicCells('master', { elcr_mask: 0xf8, ...master }), { pics_state }),
      Object.assign(KpicCells('slave', { elcr_mask: 0xde, ...slave }), { pics_state }),
    ] as const,
    dev_master: kvm_iodevice_init(picdev_master_ops, () => pics_state),
    dev_slave: kvm_iodevice_init(picdev_slave_ops, () => pics_state),
    dev_elcr: kvm_iodevice_init(picdev_elcr_ops, () => pics_state),
  });
}

/** The registers that KVM_GET_IRQCHIP saves. */
export const savePic = (s: KvmKpicState): KvmPicState => ({
  last_irr: s.last_irr,
  irr: s.irr,
  imr: s.imr,
  isr: s.isr,
  priority_add: s.priority_add,
  irq_base: s.irq_base,
  read_reg_select: s.read_reg_select,
  poll: s.poll,
  special_mask: s.special_mask,
  init_state: s.init_state,
  auto_eoi: s.auto_eoi,
  rotate_on_auto_eoi: s.rotate_on_auto_eoi,
  special_fully_nested_mode: s.special_fully_nested_mode,
  init4: s.init4,
  elcr: s.elcr,
  elcr_mask: s.elcr_mask,
});

const { fn, ops } = source('linux', 'arch/x86/kvm/i8259.c');

const SELECT_PIC = (pin: number): number => (pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE);
const isMaster = (s: KvmKpicState): boolean => s === s.pics_state.pics[0];

const pic_lock = fn('Takes the pair’s lock.', function* pic_lock(_s: KvmPic) {
  atCall('spin_lock');
});

const pic_unlock = fn(
  'Gives the lock back, and only then wakes a vCPU: the first whose local APIC lets the PIC through. If none does, the output just stays up.',
  function* pic_unlock(s: KvmPic) {
    const wakeup = s.wakeup_needed;
    if (wakeup) s.wakeup_needed = false;
    else atCall('spin_unlock');
    if (!wakeup) return;
    for (const vcpu of s.kvm.vcpus) {
      if (!(yield* kvm_apic_accept_pic_intr(vcpu))) continue;
      make_request(vcpu, 'KVM_REQ_EVENT');
      yield* kvm_vcpu_kick(vcpu);
      return;
    }
  },
);

const pic_clear_isr = fn(
  'Takes a pin out of service and tells whoever waits for the end of its interrupt. That may lead back here (a resampler lowers its line), so the lock is dropped, and others may use the chip meanwhile.',
  function* pic_clear_isr(s: KvmKpicState, irq: number) {
    s.isr &= ~(1 << irq);
    const pin = isMaster(s) ? irq : irq + 8;
    yield* pic_unlock(s.pics_state);
    yield* preempt();
    yield* kvm_notify_acked_irq(s.pics_state.kvm, SELECT_PIC(pin), pin);
    yield* pic_lock(s.pics_state);
  },
);

/** The half of pic_set_irq1() for pins that are edge-triggered: a rise is one where `last_irr` is clear. */
const EDGE_TRIGGERED = 'last_irr last_irr last_irr';

const pic_set_irq1 = fn(
  'A pin changes: a level pin’s request follows the line, an edge pin’s latches its rise and outlives its fall. Says -1 if the pin is masked, 0 if the request was pending already.',
  function* pic_set_irq1(s: KvmKpicState, irq: number, level: boolean) {
    const mask = 1 << irq;
    const levelTriggered = (s.elcr & mask) !== 0;
    let ret = 1;
    if (level) {
      if (levelTriggered || !(s.last_irr & mask)) {
        ret = s.irr & mask ? 0 : 1;
        if (!levelTriggered) behind(EDGE_TRIGGERED);
        s.irr |= mask;
      }
      if (!levelTriggered) behind(EDGE_TRIGGERED);
      s.last_irr |= mask;
    } else {
      if (levelTriggered) {
        behind('last_irr');
        s.irr &= ~mask;
      }
      behind(levelTriggered ? 'last_irr' : `${EDGE_TRIGGERED} last_irr`);
      s.last_irr &= ~mask;
    }
    return s.imr & mask ? -1 : ret;
  },
);

const get_priority = fn(
  'The highest priority among the pins of a mask, 8 if there are none. The pin that `priority_add` names has the highest, 0.',
  function* get_priority(s: KvmKpicState, mask: number) {
    if (mask === 0) return 8;
    let priority = 0;
    while ((mask & (1 << ((priority + s.priority_add) & 7))) === 0) priority++;
    return priority;
  },
);

const pic_get_irq = fn(
  'The pin that asks for service: requested, not masked, and of a higher priority than any in service. -1 if there is none. In special fully nested mode the master lets its slave interrupt itself; special mask mode is stored, but never looked at.',
  function* pic_get_irq(s: KvmKpicState) {
    const priority = yield* get_priority(s, s.irr & ~s.imr);
    if (priority === 8) return -1;
    const nested = s.special_fully_nested_mode && isMaster(s);
    behind('get_priority');
    const inService = yield* get_priority(s, nested ? s.isr & ~CASCADE : s.isr);
    return priority < inService ? (priority + s.priority_add) & 7 : -1;
  },
);

const pic_irq_request = fn(
  'Sets the output. A vCPU will be woken whenever the output was down before, until 6.15 even if it stays down.',
  function* pic_irq_request(s: KvmPic, level: boolean) {
    const wakeup = !s.output && (level || !since('linux', '6.15'));
    if (wakeup) s.wakeup_needed = true;
    if (s.output !== level) s.output = level;
    else if (!wakeup) at('output');
  },
);

const pic_update_irq = fn(
  'Recomputes the output, as must be done whenever the winner may have changed. A request of the slave is pulsed into the master’s pin 2, so it counts as a new edge every time.',
  function* pic_update_irq(s: KvmPic) {
    const [master, slave] = s.pics;
    if ((yield* pic_get_irq(slave)) >= 0) {
      yield* pic_set_irq1(master, 2, true);
      behind('pic_set_irq1');
      yield* pic_set_irq1(master, 2, false);
    }
    behind('pic_set_irq1');
    const irq = yield* pic_get_irq(master);
    yield* pic_irq_request(s, irq >= 0);
  },
);

export const kvm_pic_update_irq = fn('User space has replaced a chip’s registers.', function* kvm_pic_update_irq(s: KvmPic) {
  yield* pic_lock(s);
  yield* pic_update_irq(s);
  yield* pic_unlock(s);
});

export const kvm_pic_set_irq = fn(
  'A GSI that is routed to the PIC changes: the pin is up while any source holds it up.',
  function* kvm_pic_set_irq(s: KvmPic, irq: number, irq_source_id: number, level: number) {
    const cell = `irq_states[${irq as Pin}]` as const;
    yield* pic_lock(s);
    const state = yield* __kvm_irq_line_state(s[cell], irq_source_id, level);
    if (state !== s[cell]) s[cell] = state;
    const ret = yield* pic_set_irq1(s.pics[irq >> 3 ? 1 : 0], irq & 7, state !== 0);
    yield* pic_update_irq(s);
    yield* pic_unlock(s);
    return ret;
  },
);

const pic_intack = fn(
  'The CPU takes a pin’s interrupt: it goes into service, and an edge’s request is used up. With automatic EOI it leaves service at once, notifiers included.',
  function* pic_intack(s: KvmKpicState, irq: number) {
    s.isr |= 1 << irq;
    if (!(s.elcr & (1 << irq))) s.irr &= ~(1 << irq);
    if (!s.auto_eoi) return;
    if (s.rotate_on_auto_eoi) s.priority_add = (irq + 1) & 7;
    yield* pic_clear_isr(s, irq);
  },
);

export const kvm_pic_read_irq = fn(
  'The interrupt-acknowledge cycle: the vector of the winner. If the request has gone meanwhile the answer is pin 7 of the chip that was asked, and that sets no bit in service: a spurious interrupt.',
  function* kvm_pic_read_irq(kvm: Kvm) {
    const s = kvm.arch.vpic!;
    const [master, slave] = s.pics;
    s.output = false;
    yield* pic_lock(s);
    let intno: number;
    const irq = yield* pic_get_irq(master);
    if (irq < 0) {
      at('irq_base', 'Nobody asks any more: a spurious IRQ7.');
      intno = master.irq_base + 7;
    } else {
      yield* pic_intack(master, irq);
      if (irq === 2) {
        behind('pic_intack');
        const irq2 = yield* pic_get_irq(slave);
        if (irq2 >= 0) {
          behind('pic_intack');
          yield* pic_intack(slave, irq2);
        } else at('irq2', 'The slave has nothing any more: a spurious IRQ15, for which the master is in service all the same.');
        intno = slave.irq_base + (irq2 >= 0 ? irq2 : 7);
      } else {
        intno = master.irq_base + irq;
      }
    }
    yield* pic_update_irq(s);
    yield* pic_unlock(s);
    return intno;
  },
);

const kvm_pic_reset = fn(
  'ICW1 arrived: forgets edges, mask, rotation and modes, but neither what is in service nor the vector base, and does not recompute the output.',
  function* kvm_pic_reset(s: KvmKpicState) {
    const edge_irr = s.irr & ~s.elcr;
    s.last_irr = 0;
    s.irr &= s.elcr;
    s.imr = 0;
    s.priority_add = 0;
    s.special_mask = false;
    s.read_reg_select = 0;
    if (!s.init4) {
      s.special_fully_nested_mode = false;
      s.auto_eoi = false;
    }
    s.init_state = 1;
    if (!(yield* someoneAccepts(s.pics_state.kvm))) return;
    for (let irq = 0; irq < PIC_NUM_PINS / 2; irq++) if (edge_irr & (1 << irq)) yield* pic_clear_isr(s, irq);
  },
);

function* someoneAccepts(kvm: Kvm): Run<boolean> {
  for (const vcpu of kvm.vcpus) if (yield* kvm_apic_accept_pic_intr(vcpu)) return true;
  return false;
}

const pic_ioport_write = fn(
  'The guest programs a chip. Address 0 takes ICW1, OCW2 (end of interrupt, rotation) and OCW3 (poll, what a read returns); address 1 takes the mask or, after ICW1, ICW2 to ICW4.',
  function* pic_ioport_write(s: KvmKpicState, addr: number, val: number) {
    if (addr & 1) yield* writeData(s, val);
    else if (val & 0x10) {
      s.init4 = (val & 1) === 1;
      yield* kvm_pic_reset(s);
    } else if (val & 0x08) writeOCW3(s, val);
    else yield* writeOCW2(s, val);
  },
);

function writeOCW3(s: KvmKpicState, val: number): void {
  at('poll');
  if (val & 0x04) s.poll = true;
  if (val & 0x02) s.read_reg_select = val & 1;
  if (val & 0x40) s.special_mask = ((val >> 5) & 1) === 1;
}

function* writeOCW2(s: KvmKpicState, val: number): Run {
  const cmd = val >> 5;
  switch (cmd) {
    case 0:
    case 4:
      s.rotate_on_auto_eoi = cmd === 4;
      return;
    case 1:
    case 5: {
      const priority = yield* get_priority(s, s.isr);
      if (priority === 8) return;
      const irq = (priority + s.priority_add) & 7;
      if (cmd === 5) s.priority_add = (irq + 1) & 7;
      yield* pic_clear_isr(s, irq);
      break;
    }
    case 3:
      behind('pic_update_irq');
      yield* pic_clear_isr(s, val & 7);
      behind('pic_update_irq');
      break;
    case 6:
      behind('pic_update_irq pic_update_irq');
      s.priority_add = (val + 1) & 7;
      behind('pic_update_irq pic_update_irq');
      break;
    case 7:
      behind('pic_update_irq pic_update_irq pic_update_irq');
      s.priority_add = (val + 1) & 7;
      behind('pic_update_irq pic_update_irq pic_update_irq');
      yield* pic_clear_isr(s, val & 7);
      behind('pic_update_irq pic_update_irq pic_update_irq');
      break;
    default:
      at('cmd');
      return;
  }
  yield* pic_update_irq(s.pics_state);
}

function* writeData(s: KvmKpicState, val: number): Run {
  switch (s.init_state) {
    case 0: {
      const imr_diff = s.imr ^ val;
      const off = isMaster(s) ? 0 : 8;
      s.imr = val;
      for (let irq = 0; irq < PIC_NUM_PINS / 2; irq++) {
        const mask = 1 << irq;
        if (imr_diff & mask) yield* kvm_fire_mask_notifiers(s.pics_state.kvm, SELECT_PIC(irq + off), irq + off);
      }
      behind('kvm_fire_mask_notifiers');
      yield* pic_update_irq(s.pics_state);
      return;
    }
    case 1:
      s.irq_base = val & 0xf8;
      atWrite('init_state', 'irq_base');
      s.init_state = 2;
      return;
    case 2:
      // ICW3 says how the chips are wired, which never varies here.
      atWrite('init_state', 'init4');
      s.init_state = s.init4 ? 3 : 0;
      return;
    default:
      s.special_fully_nested_mode = ((val >> 4) & 1) === 1;
      s.auto_eoi = ((val >> 1) & 1) === 1;
      atWrite('init_state', 'auto_eoi');
      s.init_state = 0;
  }
}

const pic_poll_read = fn(
  'A read after a poll command takes the winner’s interrupt and ends it in one go: nothing stays in service, and even a level’s request is cleared. Newer kernels set bit 7 to say that there was one: 6.12 does, 6.1 does not.',
  function* pic_poll_read(s: KvmKpicState, addr1: number) {
    const { pics_state } = s;
    const irq = yield* pic_get_irq(s);
    if (irq < 0) {
      behind('pic_update_irq');
      yield* pic_update_irq(pics_state);
      return 0x07;
    }
    const slave = addr1 >> 7 !== 0;
    if (slave) {
      const [master] = pics_state.pics;
      master.isr &= ~CASCADE;
      master.irr &= ~CASCADE;
    }
    atWrite('irr', 'pics_state');
    s.irr &= ~(1 << irq);
    yield* pic_clear_isr(s, irq);
    if (slave || irq !== 2) yield* pic_update_irq(pics_state);
    return since('linux', '6.12') ? irq | 0x80 : irq;
  },
);

const pic_ioport_read = fn(
  'The guest reads a chip: IRR or ISR at address 0, the mask at address 1, or the answer to a poll at either.',
  function* pic_ioport_read(s: KvmKpicState, addr: number) {
    if (s.poll) {
      const ret = yield* pic_poll_read(s, addr);
      s.poll = false;
      return ret;
    }
    if (addr & 1) return s.imr;
    at('read_reg_select');
    return s.read_reg_select ? s.isr : s.irr;
  },
);

const elcr_ioport_write = fn(
  'Chooses edge or level for each pin; pins 0, 1, 2, 8 and 13 are always edge. A request that is pending stays.',
  function* elcr_ioport_write(s: KvmKpicState, val: number) {
    s.elcr = val & s.elcr_mask;
  },
);

const elcr_ioport_read = fn('Reads edge or level of each pin.', function* elcr_ioport_read(s: KvmKpicState) {
  return s.elcr;
});

const picdev_write = fn(
  'A byte is written to one of the pair’s ports. Other widths are swallowed.',
  function* picdev_write(s: KvmPic, addr: number, len: number, val: number) {
    const data = val & 0xff;
    if (len !== 1) {
      at('len');
      return 0;
    }
    switch (addr) {
      case 0x20:
      case 0x21:
        yield* pic_lock(s);
        yield* pic_ioport_write(s.pics[0], addr, data);
        break;
      case 0xa0:
      case 0xa1:
        behind('pic_unlock');
        yield* pic_lock(s);
        behind('pic_unlock');
        yield* pic_ioport_write(s.pics[1], addr, data);
        behind('pic_unlock');
        break;
      case 0x4d0:
      case 0x4d1:
        behind('pic_unlock pic_unlock');
        yield* pic_lock(s);
        yield* elcr_ioport_write(s.pics[addr & 1 ? 1 : 0], data);
        behind('pic_unlock pic_unlock');
        break;
      default:
        return -EOPNOTSUPP;
    }
    yield* pic_unlock(s);
    return 0;
  },
);

const picdev_read = fn(
  'A byte is read from one of the pair’s ports. Other widths read as zero.',
  function* picdev_read(s: KvmPic, addr: number, len: number, val: IoBuffer) {
    if (len !== 1) {
      at('len');
      val.value = 0;
      return 0;
    }
    switch (addr) {
      case 0x20:
      case 0x21:
      case 0xa0:
      case 0xa1:
        yield* pic_lock(s);
        val.value = yield* pic_ioport_read(s.pics[addr >> 7 ? 1 : 0], addr);
        yield* pic_unlock(s);
        return 0;
      case 0x4d0:
      case 0x4d1:
        behind('pic_unlock');
        yield* pic_lock(s);
        val.value = yield* elcr_ioport_read(s.pics[addr & 1 ? 1 : 0]);
        behind('elcr_ioport_read');
        yield* pic_unlock(s);
        return 0;
      default:
        return -EOPNOTSUPP;
    }
  },
);

const picdev_master_write = fn(
  'Ports 0x20 and 0x21.',
  function* picdev_master_write(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: number) {
    return yield* picdev_write(s, addr, len, val);
  },
);

const picdev_master_read = fn(
  'Ports 0x20 and 0x21.',
  function* picdev_master_read(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer) {
    return yield* picdev_read(s, addr, len, val);
  },
);

const picdev_slave_write = fn(
  'Ports 0xa0 and 0xa1.',
  function* picdev_slave_write(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: number) {
    return yield* picdev_write(s, addr, len, val);
  },
);

const picdev_slave_read = fn(
  'Ports 0xa0 and 0xa1.',
  function* picdev_slave_read(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer) {
    return yield* picdev_read(s, addr, len, val);
  },
);

const picdev_elcr_write = fn(
  'Ports 0x4d0 and 0x4d1.',
  function* picdev_elcr_write(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: number) {
    return yield* picdev_write(s, addr, len, val);
  },
);

const picdev_elcr_read = fn(
  'Ports 0x4d0 and 0x4d1.',
  function* picdev_elcr_read(s: KvmPic, _vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer) {
    return yield* picdev_read(s, addr, len, val);
  },
);

const picdev_master_ops = ops('picdev_master_ops', { read: picdev_master_read, write: picdev_master_write });
const picdev_slave_ops = ops('picdev_slave_ops', { read: picdev_slave_read, write: picdev_slave_write });
const picdev_elcr_ops = ops('picdev_elcr_ops', { read: picdev_elcr_read, write: picdev_elcr_write });
