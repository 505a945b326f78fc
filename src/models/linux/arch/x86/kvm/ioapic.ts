import { hex, int, means, struct, type InstanceOf } from '../../../../../engine/cell';
import { bound, source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite, behind, preempt } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EOPNOTSUPP } from '../../../errno';
import { kvm_iodevice_init, type IoBuffer, type KvmIoDevice } from '../../../include/kvm/iodev';
import { init_delayed_work, schedule_delayed_work, type DelayedWork } from '../../../kernel/workqueue';
import { kvm_irq_has_notifier, kvm_notify_acked_irq, kvm_notify_irqfd_resampler } from '../../../virt/kvm/eventfd';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_NUM_PINS, type Kvm, type KvmVcpu } from '../../../virt/kvm/kvm_types';
import { __kvm_irq_line_state } from '../include/asm/kvm_host';
import { kvm_fire_mask_notifiers, kvm_irq_delivery_to_apic } from './irq_comm';
import { APIC_DEST_NOSHORT } from '../include/asm/apicdef';
import { kvm_apic_directed_eoi, kvm_apic_match_dest, kvm_apic_pending_eoi, kvm_bitmap_or_dest_vcpus, type DestMap } from './lapic';
import {
  DELIVERY_MODES,
  destMode,
  entryBits,
  IOAPIC_LEVEL_TRIG,
  isLevel,
  kvm_ioapic_redirect_entry,
  loadEntry,
  messageOf,
  RESET_ENTRY,
  setHigh,
  setLow,
  type EntryFields,
  type EntryHalves,
  type KvmIoapicRedirectEntry,
} from './ioapic_entry';
import { kvm_make_scan_ioapic_request, kvm_make_scan_ioapic_request_mask } from './x86';
import * as ioapic_registers from '../../../../hardware/registers/ioapic';

/** KVM's I/O APIC: pins, redirection entries, remote IRR, and the end of interrupts. */

export const IOAPIC_DEFAULT_BASE_ADDRESS = 0xfec00000;
export const IOAPIC_MEM_LENGTH = 0x100;
const IOAPIC_NUM_PINS = KVM_IRQCHIP_NUM_PINS;
const IOAPIC_VERSION_ID = 0x11;
const IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT = 10000;
/** HZ/100, in milliseconds. */
const STORM_PAUSE_MS = 10;
const RTC_GSI = 8;
const IOAPIC_REG_SELECT = 0x00;
const IOAPIC_REG_WINDOW = 0x10;
const IOAPIC_REG_APIC_ID = 0x00;
const IOAPIC_REG_VERSION = 0x01;
const IOAPIC_REG_ARB_ID = 0x02;

const PinCells = struct(
  'kvm_ioapic_pin',
  'The sources that hold a pin up, one bit each, and the end-of-interrupts in a row that found it still up.',
  {
    irq_states: means('The sources that hold the pin up, a bit each: it is up while any is.', hex(32)),
    irq_eoi: means('How many ends of interrupt in a row found the pin still up: after too many the next one is delayed.', int()),
  },
);
type PinCells = InstanceOf<typeof PinCells>;

const IoapicCells = struct('kvm_ioapic', 'The I/O APIC: one request bit per pin, and whether the RTC’s interrupt was ended.', {
  base_address: hex(32, IOAPIC_DEFAULT_BASE_ADDRESS),
  ioregsel: ioapic_registers.ioregsel(),
  id: int(),
  irr: ioapic_registers.pins(ioapic_registers.IRR),
  irr_delivered: ioapic_registers.pins('Pins whose edge was sent already and must not be sent again when the entry is unmasked.'),
  'rtc_status.pending_eoi': int(),
});

const DestMapCells = struct('dest_map', 'Which vCPUs got the RTC’s interrupt and have not ended it yet, and as which vector.', {
  map: hex(32),
  'vectors[0]': hex(8),
  'vectors[1]': hex(8),
  'vectors[2]': hex(8),
  'vectors[3]': hex(8),
  'vectors[4]': hex(8),
  'vectors[5]': hex(8),
  'vectors[6]': hex(8),
  'vectors[7]': hex(8),
});

/**
 * The I/O APIC. All 24 pins work; one gets its cells when something first happens to it, since a machine uses few of
 * them. Until then it is as after a reset: masked.
 */
export type KvmIoapic = InstanceOf<typeof IoapicCells> & {
  readonly kvm: Kvm;
  readonly dev: KvmIoDevice;
  readonly redirtbl: Map<number, KvmIoapicRedirectEntry>;
  readonly pins: Map<number, PinCells>;
  readonly dest_map: InstanceOf<typeof DestMapCells>;
  readonly eoi_inject: DelayedWork;
};

/** Makes an I/O APIC, as kvm_ioapic_init() leaves it. */
export function kvm_ioapic(kvm: Kvm): KvmIoapic {
  const ioapic: KvmIoapic = Object.assign(IoapicCells('I/O APIC'), {
    kvm,
    dev: kvm_iodevice_init(ioapic_mmio_ops, () => ioapic),
    redirtbl: new Map<number, KvmIoapicRedirectEntry>(),
    pins: new Map<number, PinCells>(),
    dest_map: DestMapCells('rtc_status.dest_map'),
    eoi_inject: init_delayed_work('eoi_inject', {
      ...kvm_ioapic_init.kvm_ioapic_eoi_inject_work,
      target: bound(kvm_ioapic_eoi_inject_work, () => ioapic),
    }),
  });
  return ioapic;
}

/** A pin's entry, to look at. */
const peekEntry = (ioapic: KvmIoapic, pin: number): EntryFields => ioapic.redirtbl.get(pin) ?? RESET_ENTRY;

/** A pin's entry, to change. */
function entryOf(ioapic: KvmIoapic, pin: number): KvmIoapicRedirectEntry {
  const entry = ioapic.redirtbl.get(pin) ?? kvm_ioapic_redirect_entry(`redirtbl[${pin}]`);
  ioapic.redirtbl.set(pin, entry);
  return entry;
}

function pinOf(ioapic: KvmIoapic, pin: number): PinCells {
  const cells = ioapic.pins.get(pin) ?? PinCells(`pin ${pin}`);
  ioapic.pins.set(pin, cells);
  return cells;
}

/** Begins a run in the middle of a storm: so many ends of interrupt in a row have found a pin still up. */
export function begin_in_storm(ioapic: KvmIoapic, pin: number, irq_eoi: number): void {
  ioapic.pins.set(pin, PinCells(`pin ${pin}`, { irq_eoi }));
}

const irrBit = (ioapic: KvmIoapic, pin: number): boolean => ((ioapic.irr >>> pin) & 1) === 1;

const { fn, ops } = source('linux', 'arch/x86/kvm/ioapic.c');

const ioapic_read_indirect = fn(
  'Reads the register that the select register names. A register that there is not reads as all ones.',
  function* ioapic_read_indirect(ioapic: KvmIoapic) {
    at('ioregsel');
    switch (ioapic.ioregsel) {
      case IOAPIC_REG_VERSION:
        return ((IOAPIC_NUM_PINS - 1) << 16) | IOAPIC_VERSION_ID;
      case IOAPIC_REG_APIC_ID:
      case IOAPIC_REG_ARB_ID:
        return (ioapic.id & 0xf) << 24;
      default: {
        const redir_index = ((ioapic.ioregsel - 0x10) >>> 0) >>> 1;
        if (redir_index >= IOAPIC_NUM_PINS) return 0xffffffff;
        const { low, high } = entryBits(peekEntry(ioapic, redir_index));
        return ioapic.ioregsel & 1 ? high : low;
      }
    }
  },
);

type DestVector = Extract<keyof InstanceOf<typeof DestMapCells>, `vectors${string}`>;
const destVector = (vcpu: KvmVcpu): DestVector => `vectors[${vcpu.vcpu_id as 0}]`;
const isDest = ({ dest_map }: KvmIoapic, vcpu: KvmVcpu): boolean => ((dest_map.map >>> vcpu.vcpu_id) & 1) === 1;

const rtc_irq_eoi_tracking_reset = fn('Forgets who got the RTC’s interrupt.', function* rtc_irq_eoi_tracking_reset(ioapic: KvmIoapic) {
  ioapic['rtc_status.pending_eoi'] = 0;
  atCall('bitmap_zero');
  ioapic.dest_map.map = 0;
});

const __rtc_irq_eoi_tracking_restore_one = fn(
  'Infers from a vCPU’s local APIC whether it still has to end the RTC’s interrupt: user space may just have loaded another state into it.',
  function* __rtc_irq_eoi_tracking_restore_one(vcpu: KvmVcpu) {
    const ioapic = vcpu.kvm.arch.vioapic!;
    const { dest_map } = ioapic;
    const e = peekEntry(ioapic, RTC_GSI);
    if (!(yield* kvm_apic_match_dest(vcpu, undefined, APIC_DEST_NOSHORT, e['fields.dest_id'], destMode(e)))) return;
    const new_val = yield* kvm_apic_pending_eoi(vcpu, e['fields.vector']);
    if (new_val === isDest(ioapic, vcpu)) return;
    atCall(new_val ? '__set_bit' : '__clear_bit');
    dest_map.map ^= 1 << vcpu.vcpu_id;
    if (new_val) dest_map[destVector(vcpu)] = e['fields.vector'];
    at('pending_eoi');
    ioapic['rtc_status.pending_eoi'] += new_val ? 1 : -1;
  },
);

export const kvm_rtc_eoi_tracking_restore_one = fn(
  'User space has loaded a local APIC: what it says of the RTC’s interrupt counts.',
  function* kvm_rtc_eoi_tracking_restore_one(vcpu: KvmVcpu) {
    yield* __rtc_irq_eoi_tracking_restore_one(vcpu);
  },
);

const kvm_rtc_eoi_tracking_restore_all = fn(
  'Asks every local APIC anew whether it still has to end the RTC’s interrupt.',
  function* kvm_rtc_eoi_tracking_restore_all(ioapic: KvmIoapic) {
    yield* rtc_irq_eoi_tracking_reset(ioapic);
    for (const vcpu of ioapic.kvm.vcpus) yield* __rtc_irq_eoi_tracking_restore_one(vcpu);
  },
);

const rtc_irq_eoi = fn(
  'If this vCPU owed the end of the RTC’s interrupt, by this vector, it no longer does.',
  function* rtc_irq_eoi(ioapic: KvmIoapic, vcpu: KvmVcpu, vector: number) {
    at('dest_map');
    if (!isDest(ioapic, vcpu) || ioapic.dest_map[destVector(vcpu)] !== vector) return;
    atCall('test_and_clear_bit');
    ioapic.dest_map.map &= ~(1 << vcpu.vcpu_id);
    at('pending_eoi');
    ioapic['rtc_status.pending_eoi'] -= 1;
  },
);

const rtc_irq_check_coalesced = fn(
  'The RTC is edge-triggered, but user space wants to know whether the last tick was ended: a lost one makes a guest’s clock drift.',
  function* rtc_irq_check_coalesced(ioapic: KvmIoapic) {
    at('pending_eoi');
    return ioapic['rtc_status.pending_eoi'] > 0;
  },
);

const ioapic_lazy_update_eoi = fn(
  'With a virtualized local APIC the end of an edge-triggered interrupt may never be seen: looks now, before the next one, whether it has come. Only the RTC’s bookkeeping is touched, since notifiers could lead back here without end.',
  function* ioapic_lazy_update_eoi(ioapic: KvmIoapic, irq: number) {
    const entry = peekEntry(ioapic, irq);
    for (const vcpu of ioapic.kvm.vcpus) {
      const matches = yield* kvm_apic_match_dest(vcpu, undefined, APIC_DEST_NOSHORT, entry['fields.dest_id'], destMode(entry));
      if (!matches || (yield* kvm_apic_pending_eoi(vcpu, entry['fields.vector']))) continue;
      yield* rtc_irq_eoi(ioapic, vcpu, entry['fields.vector']);
      return;
    }
  },
);

const ioapic_set_irq = fn(
  'The pin’s level changes. `irr` remembers it: for an edge pin as the edge detector, so a rise without a fall before it merges with the last; for a level pin as the line itself.',
  function* ioapic_set_irq(ioapic: KvmIoapic, irq: number, irq_level: boolean, line_status: boolean) {
    const edge = !isLevel(peekEntry(ioapic, irq));
    const mask = 1 << irq;
    if (!irq_level) {
      ioapic.irr &= ~mask;
      return 1;
    }
    if (edge && ioapic.kvm.x86_ops.apicv !== undefined) yield* ioapic_lazy_update_eoi(ioapic, irq);
    if (irq === RTC_GSI && line_status && (yield* rtc_irq_check_coalesced(ioapic))) return 0;
    const before = ioapic.irr;
    atWrite('irr', 'rtc_irq_check_coalesced');
    ioapic.irr |= mask;
    if (edge) {
      if (ioapic.irr_delivered & mask) ioapic.irr_delivered &= ~mask;
      if (before === ioapic.irr) return 0;
    }
    return yield* ioapic_service(ioapic, irq, line_status);
  },
);

const kvm_ioapic_inject_all = fn(
  'Raises every pin that the loaded state has up.',
  function* kvm_ioapic_inject_all(ioapic: KvmIoapic, irr: number) {
    yield* rtc_irq_eoi_tracking_reset(ioapic);
    for (let idx = 0; idx < IOAPIC_NUM_PINS; idx++) if ((irr >>> idx) & 1) yield* ioapic_set_irq(ioapic, idx, true, true);
    yield* kvm_rtc_eoi_tracking_restore_all(ioapic);
  },
);

/**
 * Whether the EOI of a level-triggered vector may come from this vCPU: it is addressed, or has one on its way from when it
 * was. The second is over with that one's EOI, which since 6.15 has the routes scanned again.
 */
export function* mayOweEoi(vcpu: KvmVcpu, dest_id: number, dest_mode: number, vector: number): Run<boolean> {
  if (yield* kvm_apic_match_dest(vcpu, undefined, APIC_DEST_NOSHORT, dest_id, dest_mode)) return true;
  if (!(yield* kvm_apic_pending_eoi(vcpu, vector))) return false;
  vcpu.highest_stale_pending_ioapic_eoi = Math.max(vcpu.highest_stale_pending_ioapic_eoi, vector);
  return true;
}

export const kvm_ioapic_scan_entry = fn(
  'Finds the vectors whose EOI must be seen: those of level pins, of pins with an ack notifier and of the RTC’s, if this vCPU is addressed or still has such an interrupt on its way.',
  function* kvm_ioapic_scan_entry(vcpu: KvmVcpu, ioapic_handled_vectors: Set<number>) {
    const ioapic = vcpu.kvm.arch.vioapic!;
    at('dest_map');
    if (isDest(ioapic, vcpu)) ioapic_handled_vectors.add(ioapic.dest_map[destVector(vcpu)]);
    for (let index = 0; index < IOAPIC_NUM_PINS; index++) {
      const e = peekEntry(ioapic, index);
      if (!isLevel(e) && index !== RTC_GSI && !(yield* kvm_irq_has_notifier(ioapic.kvm, KVM_IRQCHIP_IOAPIC, index))) continue;
      if (yield* mayOweEoi(vcpu, e['fields.dest_id'], destMode(e), e['fields.vector'])) ioapic_handled_vectors.add(e['fields.vector']);
    }
  },
);

export const kvm_arch_post_irq_ack_notifier_list_update = fn(
  'Somebody began or ceased to want the end of an interrupt: every vCPU must look again which EOIs have to be seen.',
  function* kvm_arch_post_irq_ack_notifier_list_update(kvm: Kvm) {
    if (kvm.arch.vioapic !== undefined) yield* kvm_make_scan_ioapic_request(kvm);
  },
);

const ioapic_write_indirect = fn(
  'The guest writes a register. In a redirection entry remote IRR survives, unless the pin becomes an edge pin: that is how an operating system ends an interrupt whose EOI was lost. A level pin that is up is serviced, or since 6.4 its owner is asked first whether it still is.',
  function* ioapic_write_indirect(ioapic: KvmIoapic, val: number) {
    switch (ioapic.ioregsel) {
      case IOAPIC_REG_VERSION:
      case IOAPIC_REG_ARB_ID:
        at('ioregsel', 'Read-only.');
        return;
      case IOAPIC_REG_APIC_ID:
        ioapic.id = (val >>> 24) & 0xf;
        return;
    }
    const index = ((ioapic.ioregsel - 0x10) >>> 0) >>> 1;
    if (index < IOAPIC_NUM_PINS) yield* writeEntry(ioapic, index, val);
  },
);

function* writeEntry(ioapic: KvmIoapic, index: number, val: number): Run {
  const e = entryOf(ioapic, index);
  const before = { mask: e['fields.mask'], dest_id: e['fields.dest_id'], dest_mode: e['fields.dest_mode'] };
  at('bits');
  if (ioapic.ioregsel & 1) setHigh(e, val);
  else setLow(e, val);
  if (!isLevel(e)) {
    atWrite('remote_irr', 'IOAPIC_EDGE_TRIG');
    e['fields.remote_irr'] = false;
  }
  if (before.mask !== e['fields.mask']) yield* kvm_fire_mask_notifiers(ioapic.kvm, KVM_IRQCHIP_IOAPIC, index);
  if (isLevel(e) && irrBit(ioapic, index)) yield* serviceAfterWrite(ioapic, index, e);
  if (e['fields.delivery_mode'] !== DELIVERY_MODES.APIC_DM_FIXED) {
    yield* kvm_make_scan_ioapic_request(ioapic.kvm);
    return;
  }
  const irq = messageOf(e, false);
  const vcpu_bitmap = new Set<KvmVcpu>();
  yield* kvm_bitmap_or_dest_vcpus(ioapic.kvm, irq, vcpu_bitmap);
  // Those whom the entry addressed before have to drop the vector.
  if (before.dest_mode !== e['fields.dest_mode'] || before.dest_id !== e['fields.dest_id'])
    yield* kvm_bitmap_or_dest_vcpus(ioapic.kvm, { ...irq, dest_id: before.dest_id }, vcpu_bitmap);
  yield* kvm_make_scan_ioapic_request_mask(ioapic.kvm, vcpu_bitmap);
}

function* serviceAfterWrite(ioapic: KvmIoapic, index: number, e: KvmIoapicRedirectEntry): Run {
  if (!since('linux', '6.4')) {
    yield* ioapic_service(ioapic, index, false);
    return;
  }
  if (e['fields.mask'] || e['fields.remote_irr']) return;
  if (yield* kvm_notify_irqfd_resampler(ioapic.kvm, KVM_IRQCHIP_IOAPIC, index)) {
    atWrite('irr', 'kvm_notify_irqfd_resampler');
    ioapic.irr &= ~(1 << index);
  } else yield* ioapic_service(ioapic, index, false);
}

const ioapic_service = fn(
  'Sends the pin’s interrupt, unless it is masked or, for a level, the previous one has not ended: remote IRR. Sending a level sets remote IRR, and so does a failure to find anybody: then no EOI will ever clear it.',
  function* ioapic_service(ioapic: KvmIoapic, irq: number, line_status: boolean) {
    const entry = peekEntry(ioapic, irq);
    const level = isLevel(entry);
    at('remote_irr');
    if (entry['fields.mask'] || (level && entry['fields.remote_irr'])) return -1;
    if (!level) {
      at('irr_delivered');
      ioapic.irr_delivered |= 1 << irq;
    }
    let ret: number;
    if (irq === RTC_GSI && line_status) {
      ret = yield* kvm_irq_delivery_to_apic(ioapic.kvm, undefined, messageOf(entry, true), rtcDestMap(ioapic));
      ioapic['rtc_status.pending_eoi'] = Math.max(ret, 0);
    } else {
      behind('kvm_irq_delivery_to_apic');
      ret = yield* kvm_irq_delivery_to_apic(ioapic.kvm, undefined, messageOf(entry, true), undefined);
    }
    if (ret !== 0 && level) entryOf(ioapic, irq)['fields.remote_irr'] = true;
    return ret;
  },
);

/** Where a delivery notes who got the RTC's interrupt. */
const rtcDestMap = ({ dest_map }: KvmIoapic): DestMap => ({
  note(vcpu, vector) {
    dest_map.map |= 1 << vcpu.vcpu_id;
    dest_map[destVector(vcpu)] = vector;
  },
});

export const kvm_ioapic_set_irq = fn(
  'A GSI that is routed to the I/O APIC changes: the pin is up while any source holds it up.',
  function* kvm_ioapic_set_irq(ioapic: KvmIoapic, irq: number, irq_source_id: number, level: number, line_status: boolean) {
    const pin = pinOf(ioapic, irq);
    const state = yield* __kvm_irq_line_state(pin.irq_states, irq_source_id, level);
    if (state !== pin.irq_states) pin.irq_states = state;
    return yield* ioapic_set_irq(ioapic, irq, state !== 0, line_status);
  },
);

const kvm_ioapic_eoi_inject_work = fn(
  'A storm had its pause: services every level pin that is still up.',
  function* kvm_ioapic_eoi_inject_work(ioapic: KvmIoapic) {
    for (let i = 0; i < IOAPIC_NUM_PINS; i++) {
      const ent = peekEntry(ioapic, i);
      if (isLevel(ent) && irrBit(ioapic, i) && !ent['fields.remote_irr']) yield* ioapic_service(ioapic, i, false);
    }
  },
);

/** Where INIT_DELAYED_WORK() stores it. */
const kvm_ioapic_init = ops('kvm_ioapic_init', { kvm_ioapic_eoi_inject_work });

const kvm_ioapic_update_eoi_one = fn(
  'Ends a pin’s interrupt. The notifiers run first, with the lock dropped: a device that asserts again meanwhile is latched in irr, and serviced once remote IRR is clear.',
  function* kvm_ioapic_update_eoi_one(vcpu: KvmVcpu, ioapic: KvmIoapic, trigger_mode: number, pin: number) {
    const ent = entryOf(ioapic, pin);
    const state = pinOf(ioapic, pin);
    yield* preempt();
    yield* kvm_notify_acked_irq(ioapic.kvm, KVM_IRQCHIP_IOAPIC, pin);
    if (trigger_mode !== IOAPIC_LEVEL_TRIG || kvm_apic_directed_eoi(vcpu.apic)) return;
    ent['fields.remote_irr'] = false;
    if (ent['fields.mask'] || !irrBit(ioapic, pin)) {
      if (state.irq_eoi !== 0) {
        atWrite('irq_eoi', 'ioapic_service');
        state.irq_eoi = 0;
      }
      return;
    }
    at('irq_eoi');
    state.irq_eoi += 1;
    if (state.irq_eoi === IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT) {
      yield* schedule_delayed_work(ioapic.kvm.system_wq, ioapic.eoi_inject, STORM_PAUSE_MS);
      atWrite('irq_eoi', 'schedule_delayed_work', 'A guest that never services its device would spin here for ever: give it a break.');
      state.irq_eoi = 0;
    } else {
      yield* ioapic_service(ioapic, pin, false);
    }
  },
);

export const kvm_ioapic_update_eoi = fn(
  'The guest has ended a vector: every pin that sends it now has its interrupt ended, whichever it was that had sent it.',
  function* kvm_ioapic_update_eoi(vcpu: KvmVcpu, vector: number, trigger_mode: number) {
    const ioapic = vcpu.kvm.arch.vioapic!;
    yield* rtc_irq_eoi(ioapic, vcpu, vector);
    for (let i = 0; i < IOAPIC_NUM_PINS; i++)
      if (peekEntry(ioapic, i)['fields.vector'] === vector) yield* kvm_ioapic_update_eoi_one(vcpu, ioapic, trigger_mode, i);
  },
);

const ioapic_mmio_read = fn(
  'A read of the I/O APIC’s page: the register select, or the window onto the selected register. Of any width: the low bytes.',
  function* ioapic_mmio_read(ioapic: KvmIoapic, _vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer) {
    if (!inRange(ioapic, addr)) return -EOPNOTSUPP;
    const result = yield* readRegister(ioapic, addr & 0xff);
    val.value = len < 4 ? result & ((1 << (8 * len)) - 1) : result;
    return 0;
  },
);

function* readRegister(ioapic: KvmIoapic, offset: number): Run<number> {
  switch (offset) {
    case IOAPIC_REG_SELECT:
      return ioapic.ioregsel;
    case IOAPIC_REG_WINDOW:
      return yield* ioapic_read_indirect(ioapic);
    default:
      return 0;
  }
}

const ioapic_mmio_write = fn(
  'A write to the I/O APIC’s page: the register select, or the window onto the selected register. There is no EOI register: this is version 0x11.',
  function* ioapic_mmio_write(ioapic: KvmIoapic, _vcpu: KvmVcpu, addr: number, len: number, val: number) {
    if (!inRange(ioapic, addr)) return -EOPNOTSUPP;
    const data = len < 4 ? val & ((1 << (8 * len)) - 1) : val;
    switch (addr & 0xff) {
      case IOAPIC_REG_SELECT:
        ioapic.ioregsel = data;
        break;
      case IOAPIC_REG_WINDOW:
        yield* ioapic_write_indirect(ioapic, data);
        break;
      default:
        at('addr');
    }
    return 0;
  },
);

const inRange = ({ base_address }: KvmIoapic, addr: number): boolean => addr >= base_address && addr < base_address + IOAPIC_MEM_LENGTH;

const ioapic_mmio_ops = ops('ioapic_mmio_ops', { read: ioapic_mmio_read, write: ioapic_mmio_write });

/** What KVM_GET_IRQCHIP and KVM_SET_IRQCHIP carry of the I/O APIC: the entries in halves. */
export interface KvmIoapicState {
  readonly base_address: number;
  readonly ioregsel: number;
  readonly id: number;
  readonly irr: number;
  readonly redirtbl: readonly EntryHalves[];
}

export const kvm_get_ioapic = fn(
  'Saves the I/O APIC’s state. An edge that was delivered is left out: it is not a request any more, only the memory of a line that is up.',
  function* kvm_get_ioapic(kvm: Kvm): Run<KvmIoapicState> {
    const ioapic = kvm.arch.vioapic!;
    const { base_address, ioregsel, id } = ioapic;
    at('irr_delivered');
    const redirtbl = Array.from({ length: IOAPIC_NUM_PINS }, (_, pin) => entryBits(peekEntry(ioapic, pin)));
    return { base_address, ioregsel, id, irr: (ioapic.irr & ~ioapic.irr_delivered) >>> 0, redirtbl };
  },
);

export const kvm_set_ioapic = fn(
  'Loads the I/O APIC’s state, remote IRR included, and raises every pin that is up in it as if it had just risen.',
  function* kvm_set_ioapic(kvm: Kvm, state: KvmIoapicState) {
    const ioapic = kvm.arch.vioapic!;
    atCall('memcpy');
    ioapic.base_address = state.base_address;
    ioapic.ioregsel = state.ioregsel;
    ioapic.id = state.id;
    for (const [pin, halves] of state.redirtbl.entries()) {
      const { low, high } = entryBits(peekEntry(ioapic, pin));
      if (low !== halves.low || high !== halves.high) loadEntry(entryOf(ioapic, pin), halves);
    }
    at('irr');
    ioapic.irr = 0;
    ioapic.irr_delivered = 0;
    yield* kvm_make_scan_ioapic_request(kvm);
    yield* kvm_ioapic_inject_all(ioapic, state.irr);
  },
);
