import { source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EINVAL, EWOULDBLOCK } from '../../../errno';
import { kvm_irq_map_chip_pin } from '../../../virt/kvm/irqchip';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_NUM_PINS,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type IrqchipRouting,
  type Kvm,
  type KvmIrqRoutingEntry,
  type KvmKernelIrqRoutingEntry,
  type KvmMsi,
  type KvmVcpu,
} from '../../../virt/kvm/kvm_types';
import { kvm_pic_set_irq, PIC_NUM_PINS } from './i8259';
import { kvm_ioapic_set_irq, mayOweEoi } from './ioapic';
import { APIC_DEST_LOGICAL, APIC_DEST_NOSHORT, APIC_DEST_PHYSICAL, APIC_DM_FIXED } from '../include/asm/apicdef';
import {
  kvm_apic_match_dest,
  kvm_apic_set_irq,
  kvm_intr_is_single_vcpu_fast,
  kvm_irq_delivery_to_apic_fast,
  kvm_vector_to_index,
} from './lapic';
import { kvm_apic_compare_prio, kvm_lowest_prio_delivery, type DestMap, type KvmLapicIrq } from './delivery';
import { kvm_apic_present, kvm_apic_sw_enabled, type KvmLapic } from './lapic_state';
import { kvm_make_scan_ioapic_request } from './x86';

/** Where a routed GSI goes: a pin of the emulated chips of a PC, or a message to local APICs. */

const { fn, ops } = source('linux', 'arch/x86/kvm/irq_comm.c');

const kvm_set_pic_irq = fn(
  'The GSI’s entry is a pin of the 8259 pair.',
  function* kvm_set_pic_irq(e: IrqchipRouting, kvm: Kvm, irq_source_id: number, level: number, _line_status: boolean) {
    return yield* kvm_pic_set_irq(kvm.arch.vpic!, e.irqchip.pin, irq_source_id, level);
  },
);

const kvm_set_ioapic_irq = fn(
  'The GSI’s entry is a pin of the I/O APIC.',
  function* kvm_set_ioapic_irq(e: IrqchipRouting, kvm: Kvm, irq_source_id: number, level: number, line_status: boolean) {
    return yield* kvm_ioapic_set_irq(kvm.arch.vioapic!, e.irqchip.pin, irq_source_id, level, line_status);
  },
);

export const kvm_irq_delivery_to_apic = fn(
  'Delivers a message to the local APICs that it addresses: by the table, or by asking each of them. The result is the number that accepted it, or -1 if none of those that were asked was meant.',
  function* kvm_irq_delivery_to_apic(kvm: Kvm, src: KvmLapic | undefined, irq: KvmLapicIrq, dest_map: DestMap | undefined) {
    const fast = yield* kvm_irq_delivery_to_apic_fast(kvm, src, irq, dest_map);
    if (fast !== undefined) return fast;
    const message = irq.dest_mode === APIC_DEST_PHYSICAL && irq.dest_id === 0xff && kvm_lowest_prio_delivery(irq) ? toEverybody(irq) : irq;
    let r = -1;
    const candidates: KvmVcpu[] = [];
    for (const vcpu of kvm.vcpus) {
      if (!kvm_apic_present(vcpu)) continue;
      if (!(yield* kvm_apic_match_dest(vcpu, src, message.shorthand, message.dest_id, message.dest_mode))) continue;
      if (!kvm_lowest_prio_delivery(message)) r = Math.max(r, 0) + (yield* kvm_apic_set_irq(vcpu, message, dest_map));
      else if (kvm_apic_sw_enabled(vcpu.apic)) candidates.push(vcpu);
    }
    const lowest = yield* arbitrate(kvm, message, candidates);
    if (lowest === undefined) return r;
    behind('kvm_vector_to_index');
    return yield* kvm_apic_set_irq(lowest, message, dest_map);
  },
);

/** Lowest priority among everybody: it becomes an ordinary interrupt, and with a redirection hint still goes to one. */
function toEverybody(irq: KvmLapicIrq): KvmLapicIrq {
  at('APIC_DM_FIXED');
  return { ...irq, delivery_mode: APIC_DM_FIXED };
}

/** Which of the candidates gets a lowest-priority interrupt: as the vector says, or who had the fewest so far. */
function* arbitrate(kvm: Kvm, irq: KvmLapicIrq, candidates: readonly KvmVcpu[]): Run<KvmVcpu | undefined> {
  if (candidates.length === 0) return undefined;
  if (!kvm.arch.vector_hashing) return candidates.reduce((lowest, vcpu) => (kvm_apic_compare_prio(vcpu, lowest) < 0 ? vcpu : lowest));
  return candidates[yield* kvm_vector_to_index(irq.vector, [...candidates.keys()])];
}

export const kvm_set_msi_irq = fn(
  'Takes a message apart: the address says who shall get it, the data which vector and how. The level bit is not looked at: a message always asserts.',
  function* kvm_set_msi_irq(kvm: Kvm, { msi }: { readonly msi: KvmMsi }): Run<KvmLapicIrq> {
    atCall('x86_msi_msg_get_destid');
    const { address_lo, address_hi, data } = msi;
    return {
      dest_id: (((address_lo >>> 12) & 0xff) | (kvm.arch.x2apic_format ? address_hi & 0xffffff00 : 0)) >>> 0,
      vector: data & 0xff,
      dest_mode: (address_lo >>> 2) & 1 ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL,
      trig_mode: ((data >>> 15) & 1) === 1,
      delivery_mode: data & 0x700,
      msi_redir_hint: ((address_lo >>> 3) & 1) === 1,
      level: true,
      shorthand: APIC_DEST_NOSHORT,
    };
  },
);

/** kvm_msi_route_invalid(): the low byte of the high address is reserved, where that address counts at all. */
const kvm_msi_route_invalid = (kvm: Kvm, msi: KvmMsi): boolean => kvm.arch.x2apic_format && (msi.address_hi & 0xff) !== 0;

export const kvm_set_msi = fn(
  'The GSI’s entry is a message. Only a rise sends it.',
  function* kvm_set_msi(e: { readonly msi: KvmMsi }, kvm: Kvm, _irq_source_id: number, level: number, _line_status: boolean) {
    if (kvm_msi_route_invalid(kvm, e.msi)) return -EINVAL;
    if (!level) return -1;
    const irq = yield* kvm_set_msi_irq(kvm, e);
    return yield* kvm_irq_delivery_to_apic(kvm, undefined, irq, undefined);
  },
);

export const kvm_arch_set_irq_inatomic = fn(
  'Injects without sleeping, where the route allows it: a message can go straight to the local APIC, if the map knows whom it addresses; a pin of a chip cannot, because the chips’ ack notifiers may take long.',
  function* kvm_arch_set_irq_inatomic(e: KvmKernelIrqRoutingEntry | undefined, kvm: Kvm, _irq_source_id: number, _level: number) {
    if (e?.type !== 'KVM_IRQ_ROUTING_MSI') {
      at(
        'type',
        e === undefined ? 'The GSI reaches more than one chip, or nothing: type is 0.' : 'KVM_IRQ_ROUTING_IRQCHIP: a worker has to do it.',
      );
      return -EWOULDBLOCK;
    }
    if (kvm_msi_route_invalid(kvm, e.msi)) return -EINVAL;
    const irq = yield* kvm_set_msi_irq(kvm, e);
    return (yield* kvm_irq_delivery_to_apic_fast(kvm, undefined, irq, undefined)) ?? -EWOULDBLOCK;
  },
);

export const kvm_fire_mask_notifiers = fn(
  'The guest masked or unmasked a pin: looks for those who asked about its GSI. Only KVM’s 8254 ever does, and no machine here has it.',
  function* kvm_fire_mask_notifiers(kvm: Kvm, irqchip: number, pin: number) {
    yield* kvm_irq_map_chip_pin(kvm, irqchip, pin);
  },
);

/** What an entry calls, by its kind. */
const stored = ops('kvm_set_routing_entry', { kvm_set_pic_irq, kvm_set_ioapic_irq, kvm_set_msi });

/** The routing table's form of an entry, or undefined if its chip has no such pin. */
export function routed(ue: KvmIrqRoutingEntry): KvmKernelIrqRoutingEntry | undefined {
  if (ue.type === 'KVM_IRQ_ROUTING_MSI') return { ...ue, set: stored.kvm_set_msi };
  const { irqchip, pin } = ue.irqchip;
  switch (irqchip) {
    case KVM_IRQCHIP_PIC_MASTER:
      return pin < PIC_NUM_PINS / 2 ? { ...ue, set: stored.kvm_set_pic_irq } : undefined;
    case KVM_IRQCHIP_PIC_SLAVE:
      return pin < PIC_NUM_PINS / 2 ? { ...ue, irqchip: { irqchip, pin: pin + PIC_NUM_PINS / 2 }, set: stored.kvm_set_pic_irq } : undefined;
    case KVM_IRQCHIP_IOAPIC:
      return pin < KVM_IRQCHIP_NUM_PINS ? { ...ue, set: stored.kvm_set_ioapic_irq } : undefined;
    default:
      return undefined;
  }
}

export const kvm_set_routing_entry = fn(
  'Decides what an entry calls: the PIC, the I/O APIC, or the delivery of a message. A pin needs its chip to be in the kernel. Gives the entry, or a negative error.',
  function* kvm_set_routing_entry(kvm: Kvm, ue: KvmIrqRoutingEntry): Run<KvmKernelIrqRoutingEntry | number> {
    at('type');
    if (ue.type === 'KVM_IRQ_ROUTING_IRQCHIP' && kvm.arch.irqchip_mode === 'KVM_IRQCHIP_SPLIT') return -EINVAL;
    if (ue.type === 'KVM_IRQ_ROUTING_MSI' && kvm_msi_route_invalid(kvm, ue.msi)) return -EINVAL;
    return routed(ue) ?? -EINVAL;
  },
);

export const kvm_arch_can_set_irq_routing = fn(
  'Routes are KVM’s only if at least the local APICs are.',
  function* kvm_arch_can_set_irq_routing(kvm: Kvm) {
    atCall('irqchip_in_kernel');
    return kvm.arch.irqchip_mode !== 'KVM_IRQCHIP_NONE';
  },
);

const ioapicPin = (gsi: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_IRQCHIP',
  irqchip: { irqchip: KVM_IRQCHIP_IOAPIC, pin: gsi },
});
const picPin = (gsi: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_IRQCHIP',
  irqchip: { irqchip: gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin: gsi % 8 },
});

/** default_routing[], the table of KVM_CREATE_IRQCHIP: a GSI is the pin of its number, below 16 of both chips. */
export const default_routing = (): readonly KvmIrqRoutingEntry[] =>
  Array.from({ length: KVM_IRQCHIP_NUM_PINS }, (_, gsi) => (gsi < PIC_NUM_PINS ? [ioapicPin(gsi), picPin(gsi)] : [ioapicPin(gsi)])).flat();

export const kvm_arch_post_irq_routing_update = fn(
  'With the I/O APIC in user space its pins are message routes here, and every vCPU must look again which EOIs have to be seen.',
  function* kvm_arch_post_irq_routing_update(kvm: Kvm) {
    atCall('irqchip_split');
    if (kvm.arch.irqchip_mode === 'KVM_IRQCHIP_SPLIT') yield* kvm_make_scan_ioapic_request(kvm);
  },
);

export const kvm_arch_irq_routing_update = fn(
  'Hyper-V’s synthetic interrupts would look their routes up again; there are none.',
  function* kvm_arch_irq_routing_update(_kvm: Kvm) {
    atCall('kvm_hv_irq_routing_update');
  },
);

/** Whether a message's EOI may come from this vCPU; until 6.11 those still on their way were forgotten. */
const mayEnd = (vcpu: KvmVcpu, { dest_id, dest_mode, vector }: KvmLapicIrq): Run<boolean> =>
  since('linux', '6.12')
    ? mayOweEoi(vcpu, dest_id, dest_mode, vector)
    : kvm_apic_match_dest(vcpu, undefined, APIC_DEST_NOSHORT, dest_id, dest_mode);

export const kvm_scan_ioapic_routes = fn(
  'Finds the vectors whose EOI user space’s I/O APIC must see: those of its pins’ level-triggered messages that this vCPU gets or, since 6.12, still has on their way.',
  function* kvm_scan_ioapic_routes(vcpu: KvmVcpu, ioapic_handled_vectors: Set<number>) {
    const { kvm } = vcpu;
    const { nr_rt_entries, map } = kvm.irq_routing;
    at('nr_reserved_ioapic_pins');
    const pins = Math.min(nr_rt_entries, kvm.arch.nr_reserved_ioapic_pins);
    for (let gsi = 0; gsi < pins; gsi++) {
      for (const entry of map.get(gsi) ?? []) {
        if (entry.type !== 'KVM_IRQ_ROUTING_MSI') continue;
        const irq = yield* kvm_set_msi_irq(kvm, entry);
        if (irq.trig_mode && (yield* mayEnd(vcpu, irq))) ioapic_handled_vectors.add(irq.vector);
      }
    }
  },
);

export const kvm_intr_is_single_vcpu = fn(
  'The one vCPU that a message addresses; undefined if there is none, or more than one. Only then can the hardware post it.',
  function* kvm_intr_is_single_vcpu(kvm: Kvm, irq: KvmLapicIrq) {
    const fast = yield* kvm_intr_is_single_vcpu_fast(kvm, irq);
    if (fast !== undefined) return fast;
    const addressed: KvmVcpu[] = [];
    for (const vcpu of kvm.vcpus) {
      if (!kvm_apic_present(vcpu)) continue;
      if (yield* kvm_apic_match_dest(vcpu, undefined, irq.shorthand, irq.dest_id, irq.dest_mode)) addressed.push(vcpu);
    }
    return addressed.length === 1 ? addressed[0] : undefined;
  },
);
