import { addressOf, bound, source } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { kvm_resample_fd_notify, kvm_irqchip_commit_routes, kvm_irqchip_update_msi_route, kvm_set_irq } from '../../accel/kvm/kvm-all';
import type { Board } from '../../board';
import { io_region } from '../../include/exec/memory';
import {
  IO_APIC_DEFAULT_ADDRESS,
  IOAPIC_DM_EXTINT,
  IOAPIC_EOI,
  IOAPIC_IOREGSEL,
  IOAPIC_IOWIN,
  IOAPIC_LVT_MASKED,
  IOAPIC_LVT_REMOTE_IRR,
  IOAPIC_LVT_TRIGGER_MODE,
  IOAPIC_NUM_PINS,
  IOAPIC_REG_ARB,
  IOAPIC_REG_ID,
  IOAPIC_REG_REDTBL_BASE,
  IOAPIC_REG_VER,
  IOAPIC_RO_BITS,
  IOAPIC_VECTOR_MASK,
  ioapic_common_state,
  type IOAPICCommonState,
  type RedirectionEntry,
} from '../../include/hw/i386/ioapic_internal';
import { kvm_irqchip_is_split } from '../../include/sysemu/kvm';
import { address_space_st } from '../../softmmu/physmem';
import { qemu_clock_get_ns, timer_mod_anticipate, type QEMUTimerList } from '../../util/qemu-timer';
import type { RealizableIoapic } from '../i386/x86';
import { pic_read_irq } from './i8259';

/** The I/O APIC as QEMU emulates it: each pin becomes a message, which is sent like any MSI. */

const APIC_DEFAULT_ADDRESS = 0xfee00000;
const SUCCESSIVE_IRQ_MAX_COUNT = 10000;
const DELAY_NS = 10_000_000;

/** What an entry says, and the message that it makes. */
interface IoapicEntryInfo {
  readonly masked: boolean;
  readonly level: boolean;
  readonly addr: number;
  readonly data: number;
}

const { fn, ops } = source('qemu', 'hw/intc/ioapic.c');

const ioapic_entry_parse = fn(
  'Makes a message of an entry. An ExtINT entry has no vector: the PIC is asked for one here, even if the entry turns out to be masked.',
  function* ioapic_entry_parse(board: Board, { low, high }: RedirectionEntry) {
    const delivery_mode = (low.value >>> 8) & 7;
    const dest_mode = (low.value >>> 11) & 1;
    const level = (low.value & IOAPIC_LVT_TRIGGER_MODE) !== 0;
    const vector =
      delivery_mode === IOAPIC_DM_EXTINT && board.isa_pic ? (yield* pic_read_irq(board)) & 0xff : low.value & IOAPIC_VECTOR_MASK;
    return {
      masked: (low.value & IOAPIC_LVT_MASKED) !== 0,
      level,
      addr: (APIC_DEFAULT_ADDRESS | ((high.value >>> 16) << 4) | (dest_mode << 2)) >>> 0,
      data: vector | (Number(level) << 15) | (delivery_mode << 8),
    } satisfies IoapicEntryInfo;
  },
);

const ioapic_service = fn(
  'Sends what is requested, over all pins. A level pin sends once and then waits for the end of the interrupt: that is what remote IRR is for.',
  function* ioapic_service(s: IOAPICCommonState) {
    const { board } = s;
    for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
      if (!(s.irr & (1 << pin))) continue;
      const entry = s.ioredtbl[pin]!;
      const info: IoapicEntryInfo = yield* ioapic_entry_parse(board, entry);
      if (info.masked) continue;
      if (!info.level) s.irr &= ~(1 << pin);
      else {
        const coalesce = (entry.low.value & IOAPIC_LVT_REMOTE_IRR) !== 0;
        if (coalesce) {
          at('coalesce', 'the guest is still at work on the last one');
          continue;
        }
        atWrite('ioredtbl', 'trace_ioapic_set_remote_irr');
        entry.low.value |= IOAPIC_LVT_REMOTE_IRR;
      }
      if (kvm_irqchip_is_split(board)) {
        if (info.level) behind('kvm_set_irq kvm_set_irq');
        yield* kvm_set_irq(board.kvm_state!, pin, 1);
        if (!info.level) {
          behind('kvm_set_irq');
          yield* kvm_set_irq(board.kvm_state!, pin, 0);
        }
      } else yield* address_space_st('stl_le_phys', board.qemu_global_mutex, board.ioapic_as, info.addr, info.data, 4);
    }
  },
);

const delayed_ioapic_service_cb = fn(
  'A pin that would have stormed is served now, some time later.',
  function* delayed_ioapic_service_cb(s: IOAPICCommonState) {
    yield* ioapic_service(s);
  },
);

/** The callback that ioapic_realize() gives to the timer. */
export const delayed_ioapic_service = ops('ioapic_realize', { cb: delayed_ioapic_service_cb });

const ioapic_set_irq = fn(
  'A pin changes. Input 0 is the timer’s, which PCs wire to pin 2. A level pin remembers its line; an edge pin sends at every call with level 1, and forgets while it is masked.',
  function* ioapic_set_irq(s: IOAPICCommonState, vector: number, level: 0 | 1) {
    const pin = vector === 0 ? 2 : vector;
    const entry = s.ioredtbl[pin];
    if (entry === undefined) return;
    const mask = 1 << pin;
    if (entry.low.value & IOAPIC_LVT_TRIGGER_MODE) {
      if (level) {
        s.irr |= mask;
        if (!(entry.low.value & IOAPIC_LVT_REMOTE_IRR)) yield* ioapic_service(s);
      } else {
        atWrite('irr', 'ioapic_service');
        s.irr &= ~mask;
      }
    } else if (level && !(entry.low.value & IOAPIC_LVT_MASKED)) {
      atWrite('irr', 'ioapic_service irr');
      s.irr |= mask;
      behind('ioapic_service');
      yield* ioapic_service(s);
    } else at('IOAPIC_LVT_MASKED', level ? 'an edge on a masked pin is lost' : 'the end of an edge means nothing');
  },
);

const ioapic_realize = fn('Gives the chip its registers and its 24 pins.', function* ioapic_realize(s: IOAPICCommonState) {
  atCall('memory_region_init_io');
  s.io_memory = io_region({ name: 'ioapic', addr: IO_APIC_DEFAULT_ADDRESS, size: 0x1000 }, ioapic_io_ops, () => s);
  atCall('qdev_init_gpio_in');
  const handler = addressOf(bound(ioapic_set_irq, () => s));
  s.gpio_in = Array.from({ length: IOAPIC_NUM_PINS }, (_, n) => ({ handler, n }));
  at('ioapics');
  s.board.ioapics.push(s);
});

/** What it puts behind the pins, for a chip that was made before the run begins. */
export const ioapic_inputs = ops('ioapic_realize', { handler: ioapic_set_irq });

export const ioapic_class_init = ops('ioapic_class_init', { realize: ioapic_realize });

export const ioapic_eoi_broadcast = fn(
  'A local APIC has ended a level-triggered vector: every entry with that vector may send again, and does so if its line is still high.',
  function* ioapic_eoi_broadcast(board: Board, vector: number) {
    for (const s of board.ioapics) {
      for (let n = 0; n < IOAPIC_NUM_PINS; n++) {
        const { low } = s.ioredtbl[n]!;
        if ((low.value & IOAPIC_VECTOR_MASK) !== vector || !(low.value & IOAPIC_LVT_TRIGGER_MODE)) continue;
        if (board.kvm_state !== undefined) yield* kvm_resample_fd_notify(board.kvm_state, n);
        if (!(low.value & IOAPIC_LVT_REMOTE_IRR)) continue;
        atWrite('ioredtbl', 'trace_ioapic_clear_remote_irr');
        low.value &= ~IOAPIC_LVT_REMOTE_IRR;
        yield* after_eoi(s, n);
      }
    }
  },
);

/** The end of ioapic_eoi_broadcast() for one pin: again at once, or a little later if that happens all the time. */
function* after_eoi(s: IOAPICCommonState, n: number) {
  const irq_eoi = s.irq_eoi[n]!;
  if (s.ioredtbl[n]!.low.value & IOAPIC_LVT_MASKED || !(s.irr & (1 << n))) {
    atWrite('irq_eoi', 'trace_ioapic_eoi_delayed_reassert');
    if (irq_eoi.value !== 0) irq_eoi.value = 0;
    return;
  }
  at('irq_eoi');
  irq_eoi.value += 1;
  if (irq_eoi.value < SUCCESSIVE_IRQ_MAX_COUNT) return yield* ioapic_service(s);
  atWrite('irq_eoi', 'SUCCESSIVE_IRQ_MAX_COUNT', 'the guest ends this interrupt without serving it: slow it down');
  irq_eoi.value = 0;
  yield* timer_mod_anticipate(s.delayed_ioapic_service_timer, qemu_clock_get_ns() + DELAY_NS);
}

const ioapic_update_kvm_routes = fn(
  'With the local APICs in the kernel, a pin is a message route there: after every write the whole table is given to KVM. Each entry is parsed for it, masked or not.',
  function* ioapic_update_kvm_routes(s: IOAPICCommonState) {
    const { board } = s;
    atCall('kvm_irqchip_is_split');
    if (!kvm_irqchip_is_split(board)) return;
    for (const [pin, entry] of s.ioredtbl.entries()) {
      const info = yield* ioapic_entry_parse(board, entry);
      if (!info.masked) yield* kvm_irqchip_update_msi_route(board.kvm_state!, pin, { address: info.addr, data: info.data });
    }
    yield* kvm_irqchip_commit_routes(board.kvm_state!);
  },
);

const ioapic_mem_read = fn(
  'The guest reads through the index register.',
  function* ioapic_mem_read(s: IOAPICCommonState, addr: number, size: number) {
    switch (addr & 0xff) {
      case IOAPIC_IOREGSEL:
        at('ioregsel');
        return s.ioregsel;
      case IOAPIC_IOWIN:
        return size === 4 ? read_window(s) : 0;
      default:
        return 0;
    }
  },
);

function read_window(s: IOAPICCommonState): number {
  switch (s.ioregsel) {
    case IOAPIC_REG_ID:
    case IOAPIC_REG_ARB:
      at('id');
      return (s.id << 24) >>> 0;
    case IOAPIC_REG_VER:
      at('version');
      return s.version | ((IOAPIC_NUM_PINS - 1) << 16);
    default: {
      at('ioredtbl');
      const entry = entryOf(s);
      return (s.ioregsel & 1 ? entry?.high.value : entry?.low.value) ?? 0;
    }
  }
}

const entryOf = ({ ioregsel, ioredtbl }: IOAPICCommonState): RedirectionEntry | undefined =>
  ioredtbl[(ioregsel - IOAPIC_REG_REDTBL_BASE) >> 1];

const ioapic_mem_write = fn(
  'The guest writes through the index register, or the EOI register of newer versions.',
  function* ioapic_mem_write(s: IOAPICCommonState, addr: number, val: number, size: number) {
    switch (addr & 0xff) {
      case IOAPIC_IOREGSEL:
        s.ioregsel = val;
        break;
      case IOAPIC_IOWIN:
        if (size === 4) yield* write_window(s, val);
        break;
      case IOAPIC_EOI:
        at('version');
        if (size === 4 && s.version === 0x20) yield* ioapic_eoi_broadcast(s.board, val);
        break;
    }
    yield* ioapic_update_kvm_routes(s);
  },
);

function* write_window(s: IOAPICCommonState, val: number) {
  switch (s.ioregsel) {
    case IOAPIC_REG_ID:
      s.id = (val >>> 24) & 0xf;
      return;
    case IOAPIC_REG_VER:
    case IOAPIC_REG_ARB:
      return;
  }
  const entry = entryOf(s);
  if (entry === undefined) return;
  at('ioredtbl', 'remote IRR and delivery status are not the guest’s to write');
  if (s.ioregsel & 1) entry.high.value = val;
  else entry.low.value = (entry.low.value & IOAPIC_RO_BITS) | (val & ~IOAPIC_RO_BITS);
  const irq_eoi = s.irq_eoi[(s.ioregsel - IOAPIC_REG_REDTBL_BASE) >> 1]!;
  if (irq_eoi.value !== 0) {
    at('irq_eoi');
    irq_eoi.value = 0;
  }
  yield* ioapic_fix_edge_remote_irr(entry);
  yield* ioapic_service(s);
}

const ioapic_fix_edge_remote_irr = fn(
  'An edge-triggered entry waits for no end of interrupt. Guests rely on it: they make an entry edge-triggered for a moment to free a stuck one.',
  function* ioapic_fix_edge_remote_irr({ low }: RedirectionEntry) {
    if (low.value & IOAPIC_LVT_TRIGGER_MODE || !(low.value & IOAPIC_LVT_REMOTE_IRR)) return;
    at('IOAPIC_LVT_REMOTE_IRR');
    low.value &= ~IOAPIC_LVT_REMOTE_IRR;
  },
);

export const ioapic_io_ops = ops('ioapic_io_ops', { read: ioapic_mem_read, write: ioapic_mem_write });

/** qdev_new(TYPE_IOAPIC). */
export function new_ioapic(board: Board, timers: QEMUTimerList): RealizableIoapic {
  const state = ioapic_common_state(board, timers);
  const { target, registration } = ioapic_class_init.realize;
  return { state, realize: { target: bound(target, () => state), registration } };
}
