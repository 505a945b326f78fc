import { bool, hex, int, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import { source } from '../../../../../engine/fn';
import { at, atCall, atWrite } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { kvm_irq_has_notifier, kvm_notify_acked_irq, kvm_notify_irqfd_resampler } from '../../../virt/kvm/eventfd';
import { KVM_IRQCHIP_IOAPIC, type Kvm, type KvmVcpu } from '../../../virt/kvm/kvm_types';
import { __kvm_irq_line_state } from '../include/asm/kvm_host';
import { kvm_irq_delivery_to_apic } from './irq_comm';
import { kvm_apic_pending_eoi } from './lapic';
import { kvm_make_scan_ioapic_request, kvm_make_scan_ioapic_request_mask } from './x86';

/** KVM's I/O APIC: pins, redirection entries, remote IRR, and the end of interrupts. */

export const IOAPIC_EDGE_TRIG = 0;
export const IOAPIC_LEVEL_TRIG = 1;
const IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT = 10000;
const APIC_DM_FIXED = 0;
const IOAPIC_REG_SELECT = 0x00;
const IOAPIC_REG_WINDOW = 0x10;
export const IOAPIC_DEFAULT_BASE_ADDRESS = 0xfec00000;

const EntryCells = struct(
  'kvm_ioapic_redirect_entry',
  'One redirection entry: where the pin’s interrupt goes, and whether one is in service.',
  {
    'fields.vector': hex(8),
    'fields.delivery_mode': oneOf({ APIC_DM_FIXED: 0, APIC_DM_LOWEST: 1, APIC_DM_NMI: 4, APIC_DM_EXTINT: 7 }, 0),
    'fields.dest_mode': int(),
    'fields.trig_mode': oneOf({ IOAPIC_EDGE_TRIG, IOAPIC_LEVEL_TRIG }, IOAPIC_EDGE_TRIG),
    'fields.remote_irr': bool(),
    'fields.mask': bool(true),
    'fields.dest_id': int(),
  },
);
export type KvmIoapicRedirectEntry = InstanceOf<typeof EntryCells>;

const IoapicCells = struct('kvm_ioapic', 'The I/O APIC: one request bit per pin.', { ioregsel: hex(8), irr: hex(32) });

const PinCells = struct(
  'kvm_ioapic_pin',
  'The sources that hold a pin up, one bit each, and the end-of-interrupts in a row that found it still up.',
  { irq_states: int(), irq_eoi: int() },
);

/** The I/O APIC with the pins that the topology uses. */
export type KvmIoapic = InstanceOf<typeof IoapicCells> & {
  readonly redirtbl: ReadonlyMap<number, KvmIoapicRedirectEntry>;
  readonly pins: ReadonlyMap<number, InstanceOf<typeof PinCells>>;
};

/** Makes an I/O APIC that has cells for the given pins; the others are masked and never change. */
export const kvm_ioapic = (pins: readonly number[]): KvmIoapic =>
  Object.assign(IoapicCells('I/O APIC'), {
    redirtbl: new Map(pins.map((pin) => [pin, EntryCells(`redirtbl[${pin}]`)])),
    pins: new Map(pins.map((pin) => [pin, PinCells(`pin ${pin}`)])),
  });

const { fn, ops } = source('linux', 'arch/x86/kvm/ioapic.c');

export const kvm_arch_post_irq_ack_notifier_list_update = fn(
  'Somebody began or ceased to want the end of an interrupt: every vCPU must look again which EOIs have to be seen.',
  function* kvm_arch_post_irq_ack_notifier_list_update(kvm: Kvm) {
    yield* kvm_make_scan_ioapic_request(kvm);
  },
);

const ioapic_service = fn(
  'Sends the pin’s interrupt, unless it is masked or, for a level, the previous one has not ended: remote IRR. Sending a level sets remote IRR.',
  function* ioapic_service(kvm: Kvm, irq: number) {
    const entry = kvm.vioapic.redirtbl.get(irq);
    at('remote_irr');
    if (entry === undefined || entry['fields.mask'] || (entry['fields.trig_mode'] === IOAPIC_LEVEL_TRIG && entry['fields.remote_irr']))
      return -1;
    const level = entry['fields.trig_mode'] === IOAPIC_LEVEL_TRIG;
    const ret = yield* kvm_irq_delivery_to_apic(kvm, {
      dest_id: entry['fields.dest_id'],
      vector: entry['fields.vector'],
      trig_mode: level,
      delivery_mode: entry['fields.delivery_mode'],
    });
    if (ret !== 0 && level) entry['fields.remote_irr'] = true;
    return ret;
  },
);

const ioapic_set_irq = fn(
  'The pin’s level changes. irr remembers it: for an edge pin as the edge detector, for a level pin as the line itself.',
  function* ioapic_set_irq(kvm: Kvm, irq: number, irq_level: boolean) {
    const ioapic = kvm.vioapic;
    const mask = 1 << irq;
    const edge = ioapic.redirtbl.get(irq)?.['fields.trig_mode'] !== IOAPIC_LEVEL_TRIG;
    if (!irq_level) {
      ioapic.irr &= ~mask;
      return 1;
    }
    const old_irr = ioapic.irr;
    atWrite('irr', 'rtc_irq_check_coalesced');
    ioapic.irr |= mask;
    if (edge && old_irr === ioapic.irr) return 0;
    return yield* ioapic_service(kvm, irq);
  },
);

export const kvm_ioapic_set_irq = fn(
  'A GSI that is routed to the I/O APIC changes: the pin is up while any source holds it up.',
  function* kvm_ioapic_set_irq(kvm: Kvm, irq: number, irq_source_id: number, level: number) {
    const pin = kvm.vioapic.pins.get(irq);
    const before = pin?.irq_states ?? 0;
    const state = yield* __kvm_irq_line_state(before, irq_source_id, level);
    if (pin !== undefined && state !== before) pin.irq_states = state;
    return yield* ioapic_set_irq(kvm, irq, state !== 0);
  },
);

const kvm_ioapic_update_eoi_one = fn(
  'Ends a pin’s interrupt. The notifiers run first, with the lock dropped: a device that asserts again meanwhile is latched in irr, and serviced once remote IRR is clear.',
  function* kvm_ioapic_update_eoi_one(kvm: Kvm, trigger_mode: number, pin: number) {
    const ioapic = kvm.vioapic;
    const ent = ioapic.redirtbl.get(pin)!;
    const state = ioapic.pins.get(pin)!;
    yield* kvm_notify_acked_irq(kvm, KVM_IRQCHIP_IOAPIC, pin);
    if (trigger_mode !== IOAPIC_LEVEL_TRIG) return;
    ent['fields.remote_irr'] = false;
    if (ent['fields.mask'] || !((ioapic.irr >>> pin) & 1)) {
      if (state.irq_eoi !== 0) {
        atWrite('irq_eoi', 'ioapic_service');
        state.irq_eoi = 0;
      }
      return;
    }
    state.irq_eoi += 1;
    if (state.irq_eoi === IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT) {
      atCall('schedule_delayed_work', 'A guest that never services its device would spin here for ever: give it a break.');
      state.irq_eoi = 0;
    } else {
      yield* ioapic_service(kvm, pin);
    }
  },
);

export const kvm_ioapic_update_eoi = fn(
  'The guest has ended a vector: every pin that sends it has its interrupt ended.',
  function* kvm_ioapic_update_eoi(vcpu: KvmVcpu, vector: number, trigger_mode: number) {
    for (const [pin, entry] of vcpu.kvm.vioapic.redirtbl) {
      if (entry['fields.vector'] === vector) yield* kvm_ioapic_update_eoi_one(vcpu.kvm, trigger_mode, pin);
    }
  },
);

export const kvm_ioapic_scan_entry = fn(
  'Finds the vectors whose EOI must be seen: those of level pins, of pins with an ack notifier, and of interrupts still on their way.',
  function* kvm_ioapic_scan_entry(vcpu: KvmVcpu) {
    const { kvm } = vcpu;
    const handled = [0, 0, 0, 0];
    for (const [index, e] of kvm.vioapic.redirtbl) {
      const wanted = e['fields.trig_mode'] === IOAPIC_LEVEL_TRIG || (yield* kvm_irq_has_notifier(kvm, KVM_IRQCHIP_IOAPIC, index));
      const vector = e['fields.vector'];
      // The destination check passes: the topology has one vCPU. A vector below 16 belongs to an entry never written.
      if (!wanted || vector < 16) continue;
      yield* kvm_apic_pending_eoi(vcpu.apic, vector);
      handled[vector >>> 5] = ((handled[vector >>> 5] ?? 0) | (1 << (vector & 31))) >>> 0;
    }
    return handled;
  },
);

const ioapic_write_indirect = fn(
  'The guest writes a redirection entry. Remote IRR survives, unless the pin becomes an edge pin. A level pin that is up is serviced, or its owner is asked first whether it still is (since 6.4).',
  function* ioapic_write_indirect(kvm: Kvm, val: number) {
    const ioapic = kvm.vioapic;
    const index = (ioapic.ioregsel - 0x10) >> 1;
    const e = ioapic.redirtbl.get(index);
    if (e === undefined) return;
    at('redirtbl');
    if (ioapic.ioregsel & 1) {
      e['fields.dest_id'] = val >>> 24;
      return;
    }
    e['fields.vector'] = val & 0xff;
    e['fields.dest_mode'] = (val >>> 11) & 1;
    e['fields.trig_mode'] = (val >>> 15) & 1 ? IOAPIC_LEVEL_TRIG : IOAPIC_EDGE_TRIG;
    e['fields.mask'] = ((val >>> 16) & 1) === 1;
    if (e['fields.trig_mode'] === IOAPIC_EDGE_TRIG) {
      at('remote_irr');
      e['fields.remote_irr'] = false;
    }
    if (e['fields.trig_mode'] === IOAPIC_LEVEL_TRIG && (ioapic.irr >>> index) & 1) {
      if (!since('linux', '6.4')) yield* ioapic_service(kvm, index);
      else if (!e['fields.mask'] && !e['fields.remote_irr']) {
        if (yield* kvm_notify_irqfd_resampler(kvm, KVM_IRQCHIP_IOAPIC, index)) ioapic.irr &= ~(1 << index);
        else yield* ioapic_service(kvm, index);
      }
    }
    if (e['fields.delivery_mode'] === APIC_DM_FIXED) yield* kvm_make_scan_ioapic_request_mask(kvm);
    else yield* kvm_make_scan_ioapic_request(kvm);
  },
);

const ioapic_mmio_write = fn(
  'A write to the I/O APIC’s page: the register select, or the window onto the selected register.',
  function* ioapic_mmio_write(kvm: Kvm, addr: number, val: number) {
    switch (addr & 0xff) {
      case IOAPIC_REG_SELECT:
        kvm.vioapic.ioregsel = val;
        break;
      case IOAPIC_REG_WINDOW:
        yield* ioapic_write_indirect(kvm, val);
        break;
      default:
        at('addr');
    }
    return 0;
  },
);

export const ioapic_mmio_ops = ops('ioapic_mmio_ops', { write: ioapic_mmio_write });
