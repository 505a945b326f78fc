import { boundPointer, source, through } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { pir_drain, type PiDesc } from '../../../../hardware/pi_desc';
import { EOPNOTSUPP } from '../../../errno';
import { kvm_iodevice_init, type IoBuffer, type KvmIoDevice } from '../../../include/kvm/iodev';
import { hrtimer_cancel, hrtimer_set_expires, hrtimer_start, ktime_get, type HrtimerRestart } from '../../../kernel/time/hrtimer';
import { kvm_vcpu_kick } from '../../../virt/kvm/kvm_main';
import {
  KVM_MP_STATE_INIT_RECEIVED,
  KVM_MP_STATE_RUNNABLE,
  ioapic_in_kernel,
  irqchip_split,
  type Kvm,
  type KvmVcpu,
} from '../../../virt/kvm/kvm_types';
import {
  APIC_BASE_MSR,
  APIC_DEST_ALLBUT,
  APIC_DEST_ALLINC,
  APIC_DEST_LOGICAL,
  APIC_DEST_PHYSICAL,
  APIC_DEST_SELF,
  APIC_DFR,
  APIC_DFR_FLAT,
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWEST,
  APIC_DM_NMI,
  APIC_DM_REMRD,
  APIC_DM_SMI,
  APIC_DM_STARTUP,
  APIC_EOI,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ICR_BUSY,
  APIC_ID,
  APIC_INT_ASSERT,
  APIC_INT_LEVELTRIG,
  APIC_LDR,
  APIC_LDR_MASK,
  APIC_LVR_DIRECTED_EOI,
  APIC_LVT0,
  APIC_LVT1,
  APIC_LVTERR,
  APIC_LVTPC,
  APIC_LVTT,
  APIC_LVTTHMR,
  APIC_LVT_LEVEL_TRIGGER,
  APIC_LVT_MASKED,
  APIC_LVT_TIMER_ONESHOT,
  APIC_LVT_TIMER_PERIODIC,
  APIC_MODE_MASK,
  APIC_SELF_IPI,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_SPIV_DIRECTED_EOI,
  APIC_TASKPRI,
  APIC_TDCR,
  APIC_TMCCT,
  APIC_TMICT,
  APIC_VECTOR_MASK,
  MSR_IA32_APICBASE_BASE,
  MSR_IA32_APICBASE_ENABLE,
  X2APIC_ENABLE,
} from '../include/asm/apicdef';
import { KVM_PV_EOI_ENABLED, type KvmApicEoi } from '../kernel/kvm';
import { buildApicMap, logicalDestinations } from './apic_map';
import {
  addressedApics,
  bitsOf,
  destinationAddress,
  isBroadcastDestination,
  kvm_lowest_prio_delivery,
  leastInterrupted,
  matchesLogical,
  matchesPhysical,
  only,
  type DestMap,
  type KvmLapicIrq,
} from './delivery';
import { kvm_ioapic_update_eoi, kvm_rtc_eoi_tracking_restore_one } from './ioapic';
import { IOAPIC_EDGE_TRIG, IOAPIC_LEVEL_TRIG } from './ioapic_entry';
import { kvm_irq_delivery_to_apic } from './irq_comm';
import {
  apic_enabled,
  apic_lvt_mask,
  APIC_REGISTERS,
  apic_x2apic_mode,
  isReadable,
  isValidBase,
  kvm_apic_hw_enabled,
  kvm_apic_present,
  kvm_apic_sw_enabled,
  kvm_x2apic_id,
  LVT,
  registerAt,
  x2apic_ldr,
  type ApicRegister,
  type KvmLapic,
} from './lapic_state';
import { kvm_inject_smi } from './smm';
import { countVectors, highestVector, setVector, testVector } from './vectors';
import { kvm_inject_nmi, kvm_make_scan_ioapic_request, kvm_vcpu_reset, make_request } from './x86';

export type { DestMap, KvmLapicIrq } from './delivery';

/** KVM's local APIC: finding whom a message is for, accepting it, priorities, taking a vector, ending it, sending, the timer. */

const APIC_SHORT_MASK = 0xc0000;
const KVM_APIC_INIT = 1 << 0;
const KVM_APIC_SIPI = 1 << 1;
const APIC_BUS_CYCLE_NS = 1;
const MIN_TIMER_PERIOD_NS = 200_000;

const { fn, ops } = source('linux', 'arch/x86/kvm/lapic.c');
const header = source('linux', 'arch/x86/kvm/lapic.h');

/** kvm_lapic_set_reg(): the step stands on the register's name, unless it has one already. */
function set_reg(apic: KvmLapic, register: ApicRegister, value: number, token: string = register): void {
  at(token);
  apic[register] = value;
}

export const kvm_recalculate_apic_map = fn(
  'Rebuilds the table of destinations, if a register that it depends on has changed. Every vCPU has to look again which EOIs it must see.',
  function* kvm_recalculate_apic_map(kvm: Kvm) {
    at('apic_map_dirty');
    if (!kvm.arch.apic_map_dirty) return;
    kvm.arch.apic_map = buildApicMap(kvm);
    kvm.arch.apic_map_dirty = false;
    yield* kvm_make_scan_ioapic_request(kvm);
  },
);

function mark_map_dirty({ vcpu }: KvmLapic): void {
  at('apic_map_dirty');
  vcpu.kvm.arch.apic_map_dirty = true;
}

const apic_set_spiv = fn(
  'Writes the spurious-vector register, whose bit 8 switches the local APIC on. Whoever is off is in no table of logical destinations.',
  function* apic_set_spiv(apic: KvmLapic, val: number) {
    const enabled = (val & APIC_SPIV_APIC_ENABLED) !== 0;
    set_reg(apic, 'APIC_SPIV', val);
    if (enabled === apic.sw_enabled) return;
    apic.sw_enabled = enabled;
    mark_map_dirty(apic);
  },
);

const kvm_apic_set_xapic_id = fn('Gives the local APIC another ID.', function* kvm_apic_set_xapic_id(apic: KvmLapic, id: number) {
  set_reg(apic, 'APIC_ID', (id << 24) >>> 0);
  mark_map_dirty(apic);
});

const kvm_apic_set_ldr = fn('Sets the logical ID.', function* kvm_apic_set_ldr(apic: KvmLapic, id: number) {
  set_reg(apic, 'APIC_LDR', id);
  mark_map_dirty(apic);
});

const kvm_apic_set_dfr = fn(
  'Chooses what logical IDs mean: one bit per CPU (flat), or clusters of four.',
  function* kvm_apic_set_dfr(apic: KvmLapic, val: number) {
    set_reg(apic, 'APIC_DFR', val);
    mark_map_dirty(apic);
  },
);

const kvm_apic_set_x2apic_id = fn(
  'In x2APIC mode the ID is the vCPU’s number, and the logical ID follows from it.',
  function* kvm_apic_set_x2apic_id(apic: KvmLapic, id: number) {
    set_reg(apic, 'APIC_ID', id);
    set_reg(apic, 'APIC_LDR', x2apic_ldr(id));
    mark_map_dirty(apic);
  },
);

export const kvm_lapic_set_irr = header.fn(
  'Requests a vector. irr_pending is set behind the bit: it may say too much, never too little.',
  function* kvm_lapic_set_irr(apic: KvmLapic, vec: number) {
    at('APIC_IRR');
    setVector(apic, 'APIC_IRR', vec, true);
    apic.irr_pending = true;
  },
);

const __kvm_apic_update_irr = fn(
  'Takes the posted vectors out of the descriptor and into IRR. Says whether the highest one is new.',
  function* __kvm_apic_update_irr(apic: KvmLapic, pir: PiDesc) {
    let max_updated_irr = -1;
    atCall('xchg');
    pir_drain(pir, (i, posted) => {
      const added = (posted & ~apic[`APIC_IRR[${i}]`]) >>> 0;
      apic[`APIC_IRR[${i}]`] |= posted;
      if (added !== 0) max_updated_irr = 32 * i + 31 - Math.clz32(added);
    });
    const max_irr = highestVector(apic, 'APIC_IRR');
    return { max_irr, irr_updated: max_updated_irr !== -1 && max_updated_irr === max_irr };
  },
);

export const kvm_apic_update_irr = fn(
  'Takes the posted vectors into IRR. Where APICv is off at the moment, 6.12 makes sure that they are found there; 6.1 left irr_pending as it was.',
  function* kvm_apic_update_irr(apic: KvmLapic, pir: PiDesc) {
    const updated = yield* __kvm_apic_update_irr(apic, pir);
    if (since('linux', '6.12') && !apic.apicv_active && updated.irr_updated) apic.irr_pending = true;
    return updated;
  },
);

/** apic_find_highest_irr(). */
const apic_find_highest_irr = (apic: KvmLapic): number => (apic.irr_pending ? highestVector(apic, 'APIC_IRR') : -1);

/** kvm_lapic_find_highest_irr(). */
export const kvm_lapic_find_highest_irr = ({ apic }: KvmVcpu): number => apic_find_highest_irr(apic);

/** apic_find_highest_isr(): from the cache, where the highest vector in service was the last to go in. */
function apic_find_highest_isr(apic: KvmLapic): number {
  if (apic.isr_count === 0) return -1;
  return apic.highest_isr_cache !== -1 ? apic.highest_isr_cache : highestVector(apic, 'APIC_ISR');
}

const apic_clear_irr = fn('A vector is no longer requested.', function* apic_clear_irr(apic: KvmLapic, vec: number) {
  at('APIC_IRR');
  setVector(apic, 'APIC_IRR', vec, false);
  const { apicv } = apic.vcpu.kvm.x86_ops;
  if (apic.apicv_active && apicv !== undefined) {
    yield* through('function pointer', 'hwapic_irr_update', apicv.hwapic_irr_update)(apic.vcpu, apic_find_highest_irr(apic));
    return;
  }
  const pending = highestVector(apic, 'APIC_IRR') !== -1;
  if (apic.irr_pending !== pending) apic.irr_pending = pending;
});

const apic_set_isr = fn('A vector goes into service.', function* apic_set_isr(apic: KvmLapic, vec: number) {
  if (testVector(apic, 'APIC_ISR', vec)) return;
  at('APIC_ISR');
  setVector(apic, 'APIC_ISR', vec, true);
  const { apicv } = apic.vcpu.kvm.x86_ops;
  if (apic.apicv_active && apicv !== undefined) {
    yield* through('function pointer', 'hwapic_isr_update', apicv.hwapic_isr_update)(apic.vcpu, vec);
    return;
  }
  apic.isr_count += 1;
  apic.highest_isr_cache = vec;
});

const apic_clear_isr = fn('A vector leaves service.', function* apic_clear_isr(apic: KvmLapic, vec: number) {
  if (!testVector(apic, 'APIC_ISR', vec)) return;
  at('APIC_ISR');
  setVector(apic, 'APIC_ISR', vec, false);
  const { apicv } = apic.vcpu.kvm.x86_ops;
  if (apic.apicv_active && apicv !== undefined) {
    yield* through('function pointer', 'hwapic_isr_update', apicv.hwapic_isr_update)(apic.vcpu, apic_find_highest_isr(apic));
    return;
  }
  apic.isr_count -= 1;
  apic.highest_isr_cache = -1;
});

export const kvm_apic_pending_eoi = fn(
  'Whether a vector is requested or in service here: its EOI is still to come, wherever the pin points now.',
  function* kvm_apic_pending_eoi(vcpu: KvmVcpu, vector: number) {
    at('APIC_ISR');
    return testVector(vcpu.apic, 'APIC_ISR', vector) || testVector(vcpu.apic, 'APIC_IRR', vector);
  },
);

const apic_has_interrupt_for_ppr = fn(
  'The highest requested vector, if its class is above the processor priority. What has been posted is taken into account first.',
  function* apic_has_interrupt_for_ppr(apic: KvmLapic, ppr: number) {
    const { apicv } = apic.vcpu.kvm.x86_ops;
    at('highest_irr');
    const highest_irr =
      apicv === undefined
        ? apic_find_highest_irr(apic)
        : yield* through('function pointer', 'sync_pir_to_irr', apicv.sync_pir_to_irr)(apic.vcpu);
    return highest_irr === -1 || (highest_irr & 0xf0) <= ppr ? -1 : highest_irr;
  },
);

const __apic_update_ppr = fn(
  'The processor priority: the class of what is in service, or the task priority if that is higher.',
  function* __apic_update_ppr(apic: KvmLapic) {
    const old_ppr = apic.APIC_PROCPRI;
    const tpr = apic.APIC_TASKPRI;
    const isrv = Math.max(apic_find_highest_isr(apic), 0);
    const ppr = (tpr & 0xf0) >= (isrv & 0xf0) ? tpr & 0xff : isrv & 0xf0;
    if (old_ppr !== ppr) set_reg(apic, 'APIC_PROCPRI', ppr);
    return { ppr, fell: ppr < old_ppr };
  },
);

const apic_update_ppr = fn(
  'Recomputes the priority; if it fell and something waits, the vCPU has to look.',
  function* apic_update_ppr(apic: KvmLapic) {
    const { ppr, fell } = yield* __apic_update_ppr(apic);
    if (fell && (yield* apic_has_interrupt_for_ppr(apic, ppr)) !== -1) make_request(apic.vcpu, 'KVM_REQ_EVENT');
  },
);

const apic_set_tpr = fn(
  'The guest sets its task priority: vectors of that class and below have to wait.',
  function* apic_set_tpr(apic: KvmLapic, tpr: number) {
    set_reg(apic, 'APIC_TASKPRI', tpr);
    yield* apic_update_ppr(apic);
  },
);

export const kvm_apic_match_dest = fn(
  'Whether a destination means this local APIC, asked of it alone: its own IDs and its own mode decide.',
  function* kvm_apic_match_dest(vcpu: KvmVcpu, source: KvmLapic | undefined, shorthand: number, dest: number, dest_mode: number) {
    const target = vcpu.apic;
    const mda = destinationAddress(target, source, dest);
    at('shorthand');
    switch (shorthand) {
      case 0:
        return dest_mode === APIC_DEST_PHYSICAL ? matchesPhysical(target, mda) : matchesLogical(target, mda);
      case APIC_DEST_SELF:
        return target === source;
      case APIC_DEST_ALLINC:
        return true;
      case APIC_DEST_ALLBUT:
        return target !== source;
      default:
        return false;
    }
  },
);

export const kvm_vector_to_index = fn(
  'Vector hashing: of the candidates of a lowest-priority interrupt the one that the vector, taken modulo their number, counts to. The same vector always goes to the same CPU.',
  function* kvm_vector_to_index(vector: number, candidates: readonly number[]) {
    return candidates[vector % candidates.length] ?? -1;
  },
);

const kvm_apic_map_get_dest_lapic = fn(
  'Looks a message’s destination up in the table; undefined if that cannot answer, as for a message to everybody. Vector hashing counts the bits of the *address*: where the bit that it picks belongs to nobody, the interrupt is dropped, though others of the addressed exist.',
  function* kvm_apic_map_get_dest_lapic(kvm: Kvm, src: KvmLapic | undefined, irq: KvmLapicIrq) {
    const map = kvm.arch.apic_map;
    at('shorthand');
    if (irq.shorthand === APIC_DEST_SELF && src !== undefined) return { dst: [src], bitmap: 1 };
    if (irq.shorthand !== 0 || map === undefined || isBroadcastDestination(kvm, src, irq, map)) return undefined;
    if (irq.dest_mode === APIC_DEST_PHYSICAL) {
      at('phys_map');
      return irq.dest_id > map.max_apic_id ? { dst: [], bitmap: 0 } : { dst: [map.phys_map[irq.dest_id]], bitmap: 1 };
    }
    atCall('kvm_apic_map_get_logical_dest');
    const addressed = logicalDestinations(map, irq.dest_id);
    if (addressed === undefined || !kvm_lowest_prio_delivery(irq) || addressed.bitmap === 0) return addressed;
    if (!kvm.arch.vector_hashing) return only(addressed, leastInterrupted(addressed));
    const lowest = yield* kvm_vector_to_index(irq.vector, bitsOf(addressed.bitmap));
    if (addressed.dst[lowest] !== undefined) return only(addressed, lowest);
    atCall(
      'kvm_apic_disabled_lapic_found',
      'The bit that the vector hashes to belongs to no local APIC that is on: the interrupt is lost.',
    );
    kvm.arch.disabled_lapic_found = true;
    return { dst: addressed.dst, bitmap: 0 };
  },
);

export const kvm_irq_delivery_to_apic_fast = fn(
  'Delivers a message to those whom the table names. The result is the number that accepted it; undefined if the table cannot say who is meant.',
  function* kvm_irq_delivery_to_apic_fast(kvm: Kvm, src: KvmLapic | undefined, irq: KvmLapicIrq, dest_map: DestMap | undefined) {
    at('shorthand');
    if (irq.shorthand === APIC_DEST_SELF) return src === undefined ? 0 : yield* kvm_apic_set_irq(src.vcpu, irq, dest_map);
    const addressed = yield* kvm_apic_map_get_dest_lapic(kvm, src, irq);
    if (addressed === undefined) return undefined;
    let r = 0;
    for (const { vcpu } of addressedApics(addressed)) r += yield* kvm_apic_set_irq(vcpu, irq, dest_map);
    return r;
  },
);

export const kvm_intr_is_single_vcpu_fast = fn(
  'The one vCPU that a message addresses, if the table says that it is one: only then can hardware post it.',
  function* kvm_intr_is_single_vcpu_fast(kvm: Kvm, irq: KvmLapicIrq) {
    at('shorthand');
    if (irq.shorthand !== 0) return undefined;
    const addressed = yield* kvm_apic_map_get_dest_lapic(kvm, undefined, irq);
    const bits = bitsOf(addressed?.bitmap ?? 0);
    return bits.length === 1 ? addressed?.dst[bits[0]!]?.vcpu : undefined;
  },
);

export const kvm_bitmap_or_dest_vcpus = fn(
  'Finds the vCPUs that an I/O APIC’s entry reaches, as it would be delivered.',
  function* kvm_bitmap_or_dest_vcpus(kvm: Kvm, irq: KvmLapicIrq, vcpu_bitmap: Set<KvmVcpu>) {
    const addressed = yield* kvm_apic_map_get_dest_lapic(kvm, undefined, irq);
    if (addressed !== undefined) {
      for (const { vcpu } of addressedApics(addressed)) vcpu_bitmap.add(vcpu);
      return;
    }
    for (const vcpu of kvm.vcpus) {
      if (!kvm_apic_present(vcpu)) continue;
      if (yield* kvm_apic_match_dest(vcpu, undefined, irq.shorthand, irq.dest_id, irq.dest_mode)) vcpu_bitmap.add(vcpu);
    }
  },
);

export const kvm_apic_set_irq = fn(
  'Hands a message to one local APIC.',
  function* kvm_apic_set_irq(vcpu: KvmVcpu, irq: KvmLapicIrq, dest_map: DestMap | undefined) {
    return yield* __apic_accept_irq(vcpu.apic, irq.delivery_mode, irq.vector, irq.level, irq.trig_mode, dest_map);
  },
);

const __apic_accept_irq = fn(
  'A local APIC accepts a message, or drops it: 1 or 0. The TMR bit follows the message’s trigger mode: it decides later whether the EOI is told to the I/O APIC. That the vector was pending already does not show in the result.',
  function* __apic_accept_irq(
    apic: KvmLapic,
    delivery_mode: number,
    vector: number,
    level: boolean,
    trig_mode: boolean,
    dest_map: DestMap | undefined,
  ) {
    const { vcpu } = apic;
    switch (delivery_mode) {
      case APIC_DM_LOWEST:
      case APIC_DM_FIXED:
        if (delivery_mode === APIC_DM_LOWEST) {
          at('apic_arb_prio');
          vcpu['arch.apic_arb_prio'] += 1;
        }
        if ((trig_mode && !level) || !apic_enabled(apic)) return 0;
        if (dest_map !== undefined) {
          atCall('__set_bit');
          dest_map.note(vcpu, vector);
        }
        if (testVector(apic, 'APIC_TMR', vector) !== trig_mode) {
          at('APIC_TMR');
          setVector(apic, 'APIC_TMR', vector, trig_mode);
        }
        yield* through('function pointer', 'deliver_interrupt', vcpu.kvm.x86_ops.deliver_interrupt)(apic, delivery_mode, trig_mode, vector);
        return 1;
      case APIC_DM_REMRD:
        at('pv_unhalted');
        vcpu['arch.pv.pv_unhalted'] = true;
        make_request(vcpu, 'KVM_REQ_EVENT');
        yield* kvm_vcpu_kick(vcpu);
        return 1;
      case APIC_DM_SMI:
        if (since('linux', '6.12')) yield* kvm_inject_smi(vcpu);
        else make_request(vcpu, 'KVM_REQ_SMI');
        yield* kvm_vcpu_kick(vcpu);
        return 1;
      case APIC_DM_NMI:
        yield* kvm_inject_nmi(vcpu);
        yield* kvm_vcpu_kick(vcpu);
        return 1;
      case APIC_DM_INIT:
        if (trig_mode && !level) return 0;
        at('pending_events');
        apic.pending_events = KVM_APIC_INIT;
        make_request(vcpu, 'KVM_REQ_EVENT');
        yield* kvm_vcpu_kick(vcpu);
        return 1;
      case APIC_DM_STARTUP:
        apic.sipi_vector = vector;
        at('KVM_APIC_SIPI');
        apic.pending_events |= KVM_APIC_SIPI;
        make_request(vcpu, 'KVM_REQ_EVENT');
        yield* kvm_vcpu_kick(vcpu);
        return 1;
      default:
        at('APIC_DM_EXTINT', 'A message cannot carry an 8259’s interrupt: the vector has to be fetched from the 8259.');
        return 0;
    }
  },
);

/** kvm_ioapic_handles_vector(): whether a vector is in the set whose EOI the I/O APIC has to hear of. */
const kvm_ioapic_handles_vector = ({ vcpu }: KvmLapic, vector: number): boolean =>
  ((vcpu[`ioapic_handled_vectors[${(vector >>> 5) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}]`] >>> (vector & 31)) & 1) === 1;

const kvm_ioapic_send_eoi = fn(
  'Tells the I/O APIC of the end of a vector, if it is one that it has to hear of. Where the I/O APIC is user space’s, the vCPU has to exit for it.',
  function* kvm_ioapic_send_eoi(apic: KvmLapic, vector: number) {
    const { vcpu } = apic;
    atCall('kvm_ioapic_handles_vector');
    if (!kvm_ioapic_handles_vector(apic, vector)) return;
    if (since('linux', '6.15') && vcpu.highest_stale_pending_ioapic_eoi === vector) make_request(vcpu, 'KVM_REQ_SCAN_IOAPIC');
    if (irqchip_split(vcpu.kvm)) {
      at('pending_ioapic_eoi');
      vcpu['arch.pending_ioapic_eoi'] = vector;
      make_request(vcpu, 'KVM_REQ_IOAPIC_EOI_EXIT');
      return;
    }
    at('APIC_TMR');
    const trigger_mode = testVector(apic, 'APIC_TMR', vector) ? IOAPIC_LEVEL_TRIG : IOAPIC_EDGE_TRIG;
    yield* kvm_ioapic_update_eoi(vcpu, vector, trigger_mode);
  },
);

const apic_set_eoi = fn(
  'Ends the highest vector in service, whichever the guest’s handler had in mind; with nothing in service it is ignored.',
  function* apic_set_eoi(apic: KvmLapic) {
    atCall('apic_find_highest_isr');
    const vector = apic_find_highest_isr(apic);
    if (vector === -1) return vector;
    yield* apic_clear_isr(apic, vector);
    yield* apic_update_ppr(apic);
    yield* kvm_ioapic_send_eoi(apic, vector);
    make_request(apic.vcpu, 'KVM_REQ_EVENT');
    return vector;
  },
);

const KVM_APIC_PV_EOI_PENDING = 1 << 1;

const pv_eoi_set_pending = fn(
  'Allows the guest to end its interrupt by itself, and remembers to look whether it has.',
  function* pv_eoi_set_pending(vcpu: KvmVcpu, word: KvmApicEoi) {
    atCall('pv_eoi_put_user');
    word.kvm_apic_eoi = KVM_PV_EOI_ENABLED;
    atCall('__set_bit');
    vcpu['arch.apic_attention'] |= KVM_APIC_PV_EOI_PENDING;
  },
);

const pv_eoi_test_and_clr_pending = fn(
  'Takes the permission back. The result is whether the guest has not used it.',
  function* pv_eoi_test_and_clr_pending(vcpu: KvmVcpu, word: KvmApicEoi) {
    atCall('pv_eoi_get_user');
    const unused = word.kvm_apic_eoi === KVM_PV_EOI_ENABLED;
    if (unused) {
      atCall('pv_eoi_put_user');
      word.kvm_apic_eoi = 0;
    }
    atCall('__clear_bit');
    vcpu['arch.apic_attention'] &= ~KVM_APIC_PV_EOI_PENDING;
    return unused;
  },
);

const apic_sync_pv_eoi_from_guest = fn(
  'The guest has been out of sight: if it ended the interrupt, the local APIC is told now.',
  function* apic_sync_pv_eoi_from_guest(vcpu: KvmVcpu, word: KvmApicEoi, apic: KvmLapic) {
    if (!(yield* pv_eoi_test_and_clr_pending(vcpu, word))) yield* apic_set_eoi(apic);
  },
);

export const kvm_lapic_sync_from_vapic = fn(
  'After an exit: what the guest has done to its interrupts without one.',
  function* kvm_lapic_sync_from_vapic(vcpu: KvmVcpu) {
    at('KVM_APIC_PV_EOI_PENDING');
    const { pv_eoi, apic } = vcpu;
    if (pv_eoi !== undefined && vcpu['arch.apic_attention'] & KVM_APIC_PV_EOI_PENDING)
      yield* apic_sync_pv_eoi_from_guest(vcpu, pv_eoi, apic);
  },
);

const apic_sync_pv_eoi_to_guest = fn(
  'Whether the guest may end its interrupt without an exit: only where nothing else waits, one is in service, and no I/O APIC has to hear of its end.',
  function* apic_sync_pv_eoi_to_guest(vcpu: KvmVcpu, apic: KvmLapic) {
    at('irr_pending');
    const vector = apic.highest_isr_cache;
    if (vcpu.pv_eoi === undefined || apic.irr_pending || vector === -1 || kvm_ioapic_handles_vector(apic, vector)) return;
    yield* pv_eoi_set_pending(vcpu, vcpu.pv_eoi);
  },
);

export const kvm_lapic_sync_to_vapic = fn(
  'Before an entry: what the guest may do to its interrupts without an exit.',
  function* kvm_lapic_sync_to_vapic(vcpu: KvmVcpu) {
    yield* apic_sync_pv_eoi_to_guest(vcpu, vcpu.apic);
  },
);

export const kvm_apic_set_eoi_accelerated = fn(
  'The CPU ended the interrupt in the virtual APIC by itself; what is left is to tell the I/O APIC.',
  function* kvm_apic_set_eoi_accelerated(vcpu: KvmVcpu, vector: number) {
    yield* kvm_ioapic_send_eoi(vcpu.apic, vector);
    make_request(vcpu, 'KVM_REQ_EVENT');
  },
);

export const kvm_apic_send_ipi = fn(
  'Sends what the interrupt command register says. KVM delivers at once: the busy bit is never seen set.',
  function* kvm_apic_send_ipi(apic: KvmLapic, icr_low: number, icr_high: number) {
    const irq: KvmLapicIrq = {
      vector: icr_low & APIC_VECTOR_MASK,
      delivery_mode: icr_low & APIC_MODE_MASK,
      dest_mode: icr_low & APIC_DEST_LOGICAL,
      level: (icr_low & APIC_INT_ASSERT) !== 0,
      trig_mode: (icr_low & APIC_INT_LEVELTRIG) !== 0,
      shorthand: icr_low & APIC_SHORT_MASK,
      msi_redir_hint: false,
      dest_id: apic_x2apic_mode(apic) ? icr_high >>> 0 : icr_high >>> 24,
    };
    yield* kvm_irq_delivery_to_apic(apic.vcpu.kvm, apic, irq, undefined);
  },
);

export const kvm_x2apic_icr_write = fn(
  'In x2APIC mode one 64-bit write says whom and what. 1 if it has reserved bits set.',
  function* kvm_x2apic_icr_write(apic: KvmLapic, data: bigint) {
    const low = Number(data & 0xffffffffn);
    const high = Number(data >> 32n);
    at('data');
    if (since('linux', '6.12') && low & X2APIC_ICR_RESERVED_BITS) return 1;
    const icr = (low & ~APIC_ICR_BUSY) >>> 0;
    yield* kvm_apic_send_ipi(apic, icr, high);
    at('APIC_ICR');
    apic.APIC_ICR = icr;
    apic.APIC_ICR2 = high;
    return 0;
  },
);

/** Bits 31:20, 17:16 and 13. */
const X2APIC_ICR_RESERVED_BITS = 0xfff32000;

/** kvm_x2apic_icr_read(). */
const kvm_x2apic_icr_read = (apic: KvmLapic): bigint => (BigInt(apic.APIC_ICR2) << 32n) | BigInt(apic.APIC_ICR);

/** Whether the guest ends interrupts at the I/O APIC itself: APIC_SPIV_DIRECTED_EOI. */
export const kvm_apic_directed_eoi = (apic: KvmLapic): boolean => (apic.APIC_SPIV & APIC_SPIV_DIRECTED_EOI) !== 0;

/** kvm_apic_hw_enabled() and an entry that is not masked. */
const apic_lvt_enabled = (apic: KvmLapic, lvt: ApicRegister): boolean => (apic[lvt] & APIC_LVT_MASKED) === 0;
const apic_lvtt_period = (apic: KvmLapic): boolean => apic['lapic_timer.timer_mode'] === APIC_LVT_TIMER_PERIODIC;
const apic_lvtt_oneshot = (apic: KvmLapic): boolean => apic['lapic_timer.timer_mode'] === APIC_LVT_TIMER_ONESHOT;

/** apic_get_tmcct(): the current count, which nobody counts down: it follows from the time that is left. */
function apic_get_tmcct(apic: KvmLapic): number {
  const period = apic['lapic_timer.period'];
  if (apic.APIC_TMICT === 0 || period === 0) return 0;
  const remaining = Math.max(apic['lapic_timer.target_expiration'] - ktime_get(), 0);
  return Math.floor((remaining % period) / (APIC_BUS_CYCLE_NS * apic.divide_count));
}

/** update_divide_count(): bits 3, 1 and 0 of the register name a power of two. */
function update_divide_count(apic: KvmLapic): void {
  const code = (apic.APIC_TDCR & 0x3) | ((apic.APIC_TDCR & 0x8) >> 1);
  atCall('update_divide_count');
  apic.divide_count = 1 << ((code + 1) & 0x7);
}

const cancel_apic_timer = fn(
  'Stops the timer, and forgets an expiry that has not been delivered.',
  function* cancel_apic_timer(apic: KvmLapic) {
    yield* hrtimer_cancel(apic.lapic_timer.timer);
    clear_pending(apic);
  },
);

function clear_pending(apic: KvmLapic): void {
  if (apic['lapic_timer.pending'] === 0) return;
  at('pending');
  apic['lapic_timer.pending'] = 0;
}

const apic_update_lvtt = fn('The timer’s entry was written: takes over its mode.', function* apic_update_lvtt(apic: KvmLapic) {
  const timer_mode = apic.APIC_LVTT & APIC_LVT_TIMER_PERIODIC ? APIC_LVT_TIMER_PERIODIC : APIC_LVT_TIMER_ONESHOT;
  if (apic['lapic_timer.timer_mode'] !== timer_mode) apic['lapic_timer.timer_mode'] = timer_mode;
});

/** tmict_to_ns(). */
const tmict_to_ns = (apic: KvmLapic, tmict: number): number => tmict * APIC_BUS_CYCLE_NS * apic.divide_count;

const set_target_expiration = fn(
  'Turns the initial count into a time. A period that would keep the host busy is made longer.',
  function* set_target_expiration(apic: KvmLapic) {
    const asked = tmict_to_ns(apic, apic.APIC_TMICT);
    const period = apic_lvtt_period(apic) && asked > 0 ? Math.max(asked, MIN_TIMER_PERIOD_NS) : asked;
    apic['lapic_timer.period'] = period;
    if (period === 0) return false;
    apic['lapic_timer.target_expiration'] = ktime_get() + period;
    return true;
  },
);

const start_sw_period = fn('Arms the host’s timer.', function* start_sw_period(apic: KvmLapic) {
  at('period');
  if (apic['lapic_timer.period'] === 0) return;
  yield* hrtimer_start(apic.lapic_timer.timer, apic['lapic_timer.target_expiration']);
});

const start_sw_timer = fn('Has a timer of the host count for the guest.', function* start_sw_timer(apic: KvmLapic) {
  if (apic_lvtt_period(apic) || apic_lvtt_oneshot(apic)) yield* start_sw_period(apic);
});

const restart_apic_timer = fn(
  'Arms the timer: the VMX preemption timer where it can be used (here it is not), else a timer of the host.',
  function* restart_apic_timer(apic: KvmLapic) {
    at('pending');
    if (!apic_lvtt_period(apic) && apic['lapic_timer.pending'] > 0) return;
    yield* start_sw_timer(apic);
  },
);

const __start_apic_timer = fn('Starts counting from the initial count.', function* __start_apic_timer(apic: KvmLapic) {
  clear_pending(apic);
  if (yield* set_target_expiration(apic)) yield* restart_apic_timer(apic);
});

const start_apic_timer = fn('Starts the timer anew.', function* start_apic_timer(apic: KvmLapic) {
  yield* __start_apic_timer(apic);
});

export const kvm_apic_local_deliver = fn(
  'An interrupt source inside the local APIC asks: its entry of the local vector table says what becomes of it.',
  function* kvm_apic_local_deliver(
    apic: KvmLapic,
    lvt_type: 'APIC_LVTT' | 'APIC_LVTTHMR' | 'APIC_LVTPC' | 'APIC_LVT0' | 'APIC_LVT1' | 'APIC_LVTERR',
  ) {
    const reg = apic[lvt_type];
    at('APIC_LVT_MASKED');
    if (!kvm_apic_hw_enabled(apic) || reg & APIC_LVT_MASKED) return 0;
    const trig_mode = (reg & APIC_LVT_LEVEL_TRIGGER) !== 0;
    return yield* __apic_accept_irq(apic, reg & APIC_MODE_MASK, reg & APIC_VECTOR_MASK, true, trig_mode, undefined);
  },
);

const apic_timer_expired = fn(
  'The timer has expired. In the host’s interrupt nothing can be injected: it counts what is pending and makes the vCPU come and fetch it.',
  function* apic_timer_expired(apic: KvmLapic, from_timer_fn: boolean) {
    const { vcpu } = apic;
    at('pending');
    if (apic['lapic_timer.pending'] > 0) return;
    atCall('atomic_inc');
    apic['lapic_timer.pending'] += 1;
    make_request(vcpu, 'KVM_REQ_UNBLOCK');
    if (from_timer_fn) yield* kvm_vcpu_kick(vcpu);
  },
);

const advance_periodic_target_expiration = fn(
  'The next expiry of a periodic timer: one period after the last, not after now, so that it does not drift.',
  function* advance_periodic_target_expiration(apic: KvmLapic) {
    apic['lapic_timer.target_expiration'] += apic['lapic_timer.period'];
  },
);

const apic_timer_fn = fn(
  'The host’s timer expired for a guest’s local APIC.',
  function* apic_timer_fn(apic: KvmLapic): Run<HrtimerRestart> {
    yield* apic_timer_expired(apic, true);
    if (!apic_lvtt_period(apic)) return 'HRTIMER_NORESTART';
    yield* advance_periodic_target_expiration(apic);
    hrtimer_set_expires(apic.lapic_timer.timer, apic['lapic_timer.target_expiration']);
    return 'HRTIMER_RESTART';
  },
);

/** Where kvm_create_lapic() stores the timer's function. */
const kvm_create_lapic = ops('kvm_create_lapic', { function: apic_timer_fn });

/** The callback of a local APIC's timer. */
export const lapic_timer_function = (apic: KvmLapic) => boundPointer(kvm_create_lapic.function, () => apic);

export const apic_has_pending_timer = fn(
  'Whether the timer has expired and its entry is not masked.',
  function* apic_has_pending_timer(vcpu: KvmVcpu) {
    const { apic } = vcpu;
    at('pending');
    return apic_enabled(apic) && apic_lvt_enabled(apic, 'APIC_LVTT') ? apic['lapic_timer.pending'] : 0;
  },
);

const kvm_apic_inject_pending_timer_irqs = fn(
  'Delivers the timer’s interrupt through its entry of the local vector table.',
  function* kvm_apic_inject_pending_timer_irqs(apic: KvmLapic) {
    yield* kvm_apic_local_deliver(apic, 'APIC_LVTT');
    if (apic_lvtt_oneshot(apic)) apic['lapic_timer.target_expiration'] = 0;
  },
);

export const kvm_inject_apic_timer_irqs = fn(
  'Delivers what the timer has pending: one interrupt, however often it expired.',
  function* kvm_inject_apic_timer_irqs(vcpu: KvmVcpu) {
    at('pending');
    if (vcpu.apic['lapic_timer.pending'] === 0) return;
    yield* kvm_apic_inject_pending_timer_irqs(vcpu.apic);
    behind('kvm_apic_inject_pending_timer_irqs');
    clear_pending(vcpu.apic);
  },
);

const __apic_read = fn(
  'Reads a register. The processor priority is brought up to date first.',
  function* __apic_read(apic: KvmLapic, offset: number) {
    if (offset === APIC_TMCCT) {
      atCall('apic_get_tmcct');
      return apic_get_tmcct(apic);
    }
    const register = registerAt(offset);
    if (register === undefined) return 0;
    if (register === 'APIC_PROCPRI') yield* apic_update_ppr(apic);
    return apic[register];
  },
);

const kvm_lapic_reg_read = fn(
  'Reads up to four bytes of a register; undefined where there is none.',
  function* kvm_lapic_reg_read(apic: KvmLapic, offset: number, len: number) {
    const alignment = offset & 0xf;
    at('alignment');
    if (alignment + len > 4 || !isReadable(apic, offset)) return undefined;
    const result = yield* __apic_read(apic, offset & ~0xf);
    const mask = len === 4 ? 0xffffffff : (1 << (8 * len)) - 1;
    return ((result >>> (8 * alignment)) & mask) >>> 0;
  },
);

/** apic_manage_nmi_watchdog(): whether the 8254 shall reach this CPU as an NMI. */
function apic_manage_nmi_watchdog(apic: KvmLapic, lvt0: number): void {
  const in_nmi_mode = (lvt0 & (APIC_MODE_MASK | APIC_LVT_MASKED)) === APIC_DM_NMI;
  if (apic.lvt0_in_nmi_mode === in_nmi_mode) return;
  atCall('apic_manage_nmi_watchdog');
  apic.lvt0_in_nmi_mode = in_nmi_mode;
  apic.vcpu.kvm.arch.vapics_in_nmi_mode += in_nmi_mode ? 1 : -1;
}

const kvm_lapic_reg_write = fn(
  'The guest writes a register of its local APIC. 1 if there is none that can be written so.',
  function* kvm_lapic_reg_write(apic: KvmLapic, reg: number, val: number) {
    const ret = yield* write_register(apic, reg, val);
    yield* kvm_recalculate_apic_map(apic.vcpu.kvm);
    return ret;
  },
);

/** The switch of kvm_lapic_reg_write(). */
function* write_register(apic: KvmLapic, reg: number, val: number) {
  const x2apic = apic_x2apic_mode(apic);
  switch (reg) {
    case APIC_ID:
      if (x2apic) return 1;
      yield* kvm_apic_set_xapic_id(apic, val >>> 24);
      return 0;
    case APIC_TASKPRI:
      yield* apic_set_tpr(apic, val & 0xff);
      return 0;
    case APIC_EOI:
      yield* apic_set_eoi(apic);
      return 0;
    case APIC_LDR:
      if (x2apic) return 1;
      yield* kvm_apic_set_ldr(apic, (val & APIC_LDR_MASK) >>> 0);
      return 0;
    case APIC_DFR:
      if (x2apic) return 1;
      yield* kvm_apic_set_dfr(apic, (val | 0x0fffffff) >>> 0);
      return 0;
    case APIC_SPIV: {
      const mask = apic.APIC_LVR & APIC_LVR_DIRECTED_EOI ? 0x3ff | APIC_SPIV_DIRECTED_EOI : 0x3ff;
      yield* apic_set_spiv(apic, val & mask);
      if (val & APIC_SPIV_APIC_ENABLED) return 0;
      at('nr_lvt_entries', 'Switched off: every source of its own is masked.');
      for (const lvt of LVT) apic[lvt] |= APIC_LVT_MASKED;
      yield* apic_update_lvtt(apic);
      clear_pending(apic);
      return 0;
    }
    case APIC_ICR: {
      const icr = (val & ~APIC_ICR_BUSY) >>> 0;
      yield* kvm_apic_send_ipi(apic, icr, apic.APIC_ICR2);
      behind('kvm_apic_send_ipi');
      set_reg(apic, 'APIC_ICR', icr);
      return 0;
    }
    case APIC_ICR2:
      if (x2apic) return 1;
      behind('APIC_ICR2 APIC_ICR2');
      set_reg(apic, 'APIC_ICR2', (val & 0xff000000) >>> 0);
      return 0;
    case APIC_LVTT:
      write_lvt(apic, 'APIC_LVTT', val);
      behind('apic_update_lvtt');
      yield* apic_update_lvtt(apic);
      return 0;
    case APIC_LVT0:
      apic_manage_nmi_watchdog(apic, val);
      write_lvt(apic, 'APIC_LVT0', val);
      return 0;
    case APIC_LVTTHMR:
      write_lvt(apic, 'APIC_LVTTHMR', val);
      return 0;
    case APIC_LVTPC:
      write_lvt(apic, 'APIC_LVTPC', val);
      return 0;
    case APIC_LVT1:
      write_lvt(apic, 'APIC_LVT1', val);
      return 0;
    case APIC_LVTERR:
      write_lvt(apic, 'APIC_LVTERR', val);
      return 0;
    case APIC_TMICT:
      yield* cancel_apic_timer(apic);
      behind('APIC_TMICT');
      set_reg(apic, 'APIC_TMICT', val >>> 0);
      yield* start_apic_timer(apic);
      return 0;
    case APIC_TDCR:
      yield* write_divide_configuration(apic, val & 0xb);
      return 0;
    case APIC_ESR:
      return x2apic && val !== 0 ? 1 : 0;
    case APIC_SELF_IPI:
      if (!x2apic || val & ~APIC_VECTOR_MASK) return 1;
      yield* kvm_apic_send_ipi(apic, APIC_DEST_SELF | val, 0);
      return 0;
    default:
      return 1;
  }
}

/** An entry of the local vector table: while the local APIC is off, it stays masked. */
function write_lvt(apic: KvmLapic, register: keyof typeof apic_lvt_mask, val: number): void {
  const masked = kvm_apic_sw_enabled(apic) ? val : val | APIC_LVT_MASKED;
  set_reg(apic, register, masked & apic_lvt_mask[register]);
}

/** A running timer is scaled: what is left of it now passes faster or slower. */
function* write_divide_configuration(apic: KvmLapic, val: number) {
  const old_divisor = apic.divide_count;
  set_reg(apic, 'APIC_TDCR', val);
  update_divide_count(apic);
  if (apic.divide_count === old_divisor || apic['lapic_timer.period'] === 0) return;
  yield* hrtimer_cancel(apic.lapic_timer.timer);
  yield* update_target_expiration(apic, old_divisor);
  yield* restart_apic_timer(apic);
}

const update_target_expiration = fn(
  'The divisor changed while the timer runs: scales the period and what is left of it.',
  function* update_target_expiration(apic: KvmLapic, old_divisor: number) {
    const now = ktime_get();
    apic['lapic_timer.period'] = tmict_to_ns(apic, apic.APIC_TMICT);
    const remaining = Math.max(apic['lapic_timer.target_expiration'] - now, 0);
    apic['lapic_timer.target_expiration'] = now + Math.floor((remaining * apic.divide_count) / old_divisor);
  },
);

/** Whether an address is in the local APIC's page, and that is there: not switched off, and not in x2APIC mode. */
const apic_mmio_in_range = (apic: KvmLapic, addr: number): boolean => addr - apic.base_address >= 0 && addr - apic.base_address < 0x1000;
const hasPage = (apic: KvmLapic): boolean => kvm_apic_hw_enabled(apic) && !apic_x2apic_mode(apic);

const apic_mmio_read = fn(
  'A load from the local APIC’s page. Where there is none, a quirk of KVM’s answers with ones.',
  function* apic_mmio_read(apic: KvmLapic, _vcpu: KvmVcpu, address: number, len: number, data: IoBuffer) {
    atCall('apic_mmio_in_range');
    if (!apic_mmio_in_range(apic, address)) return -EOPNOTSUPP;
    data.value = hasPage(apic) ? ((yield* kvm_lapic_reg_read(apic, address - apic.base_address, len)) ?? data.value) : 0xffffffff;
    return 0;
  },
);

const apic_mmio_write = fn(
  'A store to the local APIC’s page: four bytes to the start of a register, or it is ignored.',
  function* apic_mmio_write(apic: KvmLapic, _vcpu: KvmVcpu, address: number, len: number, data: number) {
    const offset = address - apic.base_address;
    atCall('apic_mmio_in_range');
    if (!apic_mmio_in_range(apic, address)) return -EOPNOTSUPP;
    if (!hasPage(apic) || len !== 4 || offset & 0xf) return 0;
    yield* kvm_lapic_reg_write(apic, offset & 0xff0, data >>> 0);
    return 0;
  },
);

const apic_mmio_ops = ops('apic_mmio_ops', { read: apic_mmio_read, write: apic_mmio_write });

/** A local APIC as a device: it is asked before those on the bus, since each vCPU has its own at the same address. */
export const lapic_device = (apic: () => KvmLapic): KvmIoDevice => kvm_iodevice_init(apic_mmio_ops, apic);

export const kvm_lapic_set_eoi = fn(
  'An EOI that was recognised without emulating the instruction.',
  function* kvm_lapic_set_eoi(vcpu: KvmVcpu) {
    yield* kvm_lapic_reg_write(vcpu.apic, APIC_EOI, 0);
  },
);

export const kvm_apic_write_nodecode = fn(
  'The CPU has written the register in the virtual-APIC page already; what the write means is left to do.',
  function* kvm_apic_write_nodecode(vcpu: KvmVcpu, offset: number) {
    const { apic } = vcpu;
    if (apic_x2apic_mode(apic) && offset === APIC_ICR) {
      yield* kvm_x2apic_icr_write(apic, kvm_x2apic_icr_read(apic));
      return;
    }
    const register = registerAt(offset);
    yield* kvm_lapic_reg_write(apic, offset, register === undefined ? 0 : apic[register]);
  },
);

const kvm_lapic_msr_read = fn('An x2APIC register is read as an MSR.', function* kvm_lapic_msr_read(apic: KvmLapic, reg: number) {
  if (reg === APIC_ICR) {
    atCall('kvm_x2apic_icr_read');
    return kvm_x2apic_icr_read(apic);
  }
  const low = yield* kvm_lapic_reg_read(apic, reg, 4);
  return low === undefined ? undefined : BigInt(low);
});

const kvm_lapic_msr_write = fn(
  'An x2APIC register is written as an MSR. Only the interrupt command register has more than 32 bits.',
  function* kvm_lapic_msr_write(apic: KvmLapic, reg: number, data: bigint) {
    if (reg === APIC_ICR) return yield* kvm_x2apic_icr_write(apic, data);
    if (data >> 32n !== 0n) return 1;
    return yield* kvm_lapic_reg_write(apic, reg, Number(data));
  },
);

export const kvm_x2apic_msr_write = fn(
  'Turns an x2APIC MSR number into a register offset. 1, for a #GP, unless the local APIC is in that mode.',
  function* kvm_x2apic_msr_write(vcpu: KvmVcpu, msr: number, data: bigint) {
    at('reg');
    if (!apic_x2apic_mode(vcpu.apic)) return 1;
    return yield* kvm_lapic_msr_write(vcpu.apic, (msr - APIC_BASE_MSR) << 4, data);
  },
);

export const kvm_x2apic_msr_read = fn(
  'Reads an x2APIC register; undefined, for a #GP, where it cannot be read.',
  function* kvm_x2apic_msr_read(vcpu: KvmVcpu, msr: number) {
    at('reg');
    return apic_x2apic_mode(vcpu.apic) ? yield* kvm_lapic_msr_read(vcpu.apic, (msr - APIC_BASE_MSR) << 4) : undefined;
  },
);

const __kvm_apic_set_base = fn(
  'Switches the local APIC off or on or to x2APIC mode, and moves its page.',
  function* __kvm_apic_set_base(vcpu: KvmVcpu, value: number) {
    const { apic } = vcpu;
    const changed = vcpu['arch.apic_base'] ^ value;
    vcpu['arch.apic_base'] = value;
    if (changed & MSR_IA32_APICBASE_ENABLE) {
      if (value & MSR_IA32_APICBASE_ENABLE) yield* kvm_apic_set_xapic_id(apic, vcpu.vcpu_id);
      else mark_map_dirty(apic);
    }
    if (changed & X2APIC_ENABLE) {
      if (value & X2APIC_ENABLE) yield* kvm_apic_set_x2apic_id(apic, vcpu.vcpu_id);
      // Until 6.3 leaving x2APIC mode left the ID as it was.
      else if (since('linux', '6.3') && value & MSR_IA32_APICBASE_ENABLE) yield* kvm_apic_set_xapic_id(apic, vcpu.vcpu_id);
    }
    apic.base_address = (value & MSR_IA32_APICBASE_BASE) >>> 0;
  },
);

export const kvm_apic_set_base = fn(
  'The guest writes IA32_APIC_BASE. 1, for a #GP, if it asks for a mode that cannot be reached from the present one.',
  function* kvm_apic_set_base(vcpu: KvmVcpu, data: number) {
    at('new_mode');
    if (!isValidBase(vcpu['arch.apic_base'], data)) return 1;
    yield* __kvm_apic_set_base(vcpu, data);
    yield* kvm_recalculate_apic_map(vcpu.kvm);
    return 0;
  },
);

export const kvm_apic_update_apicv = fn(
  'APICv was switched on or off: counts anew what the CPU counted so far, or stops counting.',
  function* kvm_apic_update_apicv(vcpu: KvmVcpu) {
    const { apic } = vcpu;
    apic.irr_pending = true;
    at('isr_count');
    apic.isr_count = apic.apicv_active ? 1 : countVectors(apic, 'APIC_ISR');
    apic.highest_isr_cache = -1;
  },
);

export const kvm_lapic_reset = fn(
  'What a reset or an INIT leaves: nothing requested or in service, every source masked, switched off in software.',
  function* kvm_lapic_reset(vcpu: KvmVcpu, init_event: boolean) {
    const { apic } = vcpu;
    yield* hrtimer_cancel(apic.lapic_timer.timer);
    if (!init_event) yield* kvm_apic_set_xapic_id(apic, vcpu.vcpu_id);
    at('nr_lvt_entries');
    for (const lvt of LVT) apic[lvt] = APIC_LVT_MASKED;
    yield* apic_update_lvtt(apic);
    if (vcpu.vcpu_id === 0) set_reg(apic, 'APIC_LVT0', APIC_DM_EXTINT);
    apic_manage_nmi_watchdog(apic, apic.APIC_LVT0);
    yield* kvm_apic_set_dfr(apic, APIC_DFR_FLAT);
    yield* apic_set_spiv(apic, 0xff);
    set_reg(apic, 'APIC_TASKPRI', 0);
    if (!apic_x2apic_mode(apic)) yield* kvm_apic_set_ldr(apic, 0);
    at('APIC_ICR');
    for (const register of APIC_REGISTERS) if (/^APIC_(ESR|ICR2?|TDCR|TMICT|[IT]RR|ISR)\b/.test(register)) apic[register] = 0;
    yield* kvm_apic_update_apicv(vcpu);
    update_divide_count(apic);
    clear_pending(apic);
    yield* apic_update_ppr(apic);
    vcpu['arch.apic_arb_prio'] = 0;
    yield* kvm_recalculate_apic_map(vcpu.kvm);
  },
);

/** A register page, as KVM_GET_LAPIC and KVM_SET_LAPIC carry it. */
export type KvmLapicState = { readonly [R in ApicRegister]: number };

/** kvm_apic_get_state(): the page. In x2APIC mode user space sees the ID where an xAPIC has it. */
export const kvm_apic_get_state = ({ apic }: KvmVcpu): KvmLapicState => ({
  ...(Object.fromEntries(APIC_REGISTERS.map((register) => [register, apic[register]])) as KvmLapicState),
  APIC_ID: apic_x2apic_mode(apic) ? (apic.APIC_ID << 24) >>> 0 : apic.APIC_ID,
});

export const kvm_apic_set_state = fn(
  'KVM_SET_LAPIC: user space replaces the whole page, as after a migration. Everything that KVM derives from it is derived anew.',
  function* kvm_apic_set_state(vcpu: KvmVcpu, s: KvmLapicState) {
    const { apic } = vcpu;
    yield* apic_set_spiv(apic, s.APIC_SPIV);
    at('regs');
    for (const register of APIC_REGISTERS) if (apic[register] !== s[register]) apic[register] = s[register];
    if (apic_x2apic_mode(apic)) {
      apic.APIC_ID = kvm_x2apic_id(apic);
      apic.APIC_LDR = x2apic_ldr(kvm_x2apic_id(apic));
    }
    mark_map_dirty(apic);
    yield* kvm_recalculate_apic_map(vcpu.kvm);
    yield* apic_update_ppr(apic);
    yield* cancel_apic_timer(apic);
    yield* apic_update_lvtt(apic);
    apic_manage_nmi_watchdog(apic, apic.APIC_LVT0);
    update_divide_count(apic);
    yield* __start_apic_timer(apic);
    yield* kvm_apic_update_apicv(vcpu);
    make_request(vcpu, 'KVM_REQ_EVENT');
    if (ioapic_in_kernel(vcpu.kvm)) yield* kvm_rtc_eoi_tracking_restore_one(vcpu);
    vcpu['arch.apic_arb_prio'] = 0;
    return 0;
  },
);

export const kvm_apic_has_interrupt = fn(
  'The vector that the local APIC would give the CPU now, or -1.',
  function* kvm_apic_has_interrupt(vcpu: KvmVcpu) {
    atCall('kvm_apic_present');
    if (!kvm_apic_present(vcpu)) return -1;
    const { ppr } = yield* __apic_update_ppr(vcpu.apic);
    return yield* apic_has_interrupt_for_ppr(vcpu.apic, ppr);
  },
);

export const kvm_apic_accept_pic_intr = fn(
  'Whether this CPU is the one that takes the 8259’s interrupts: its local APIC is off, or passes them on as ExtINT through LINT0.',
  function* kvm_apic_accept_pic_intr(vcpu: KvmVcpu) {
    const { apic } = vcpu;
    at('APIC_LVT0');
    if (!kvm_apic_hw_enabled(apic)) return true;
    return (apic.APIC_LVT0 & (APIC_LVT_MASKED | APIC_MODE_MASK)) === APIC_DM_EXTINT;
  },
);

export const kvm_apic_ack_interrupt = fn(
  'Acknowledges a vector: from requested to in service. What kvm_get_apic_interrupt() did until 6.11.',
  function* kvm_apic_ack_interrupt(vcpu: KvmVcpu, vector: number) {
    yield* apic_clear_irr(vcpu.apic, vector);
    yield* apic_set_isr(vcpu.apic, vector);
    yield* __apic_update_ppr(vcpu.apic);
  },
);

export const kvm_get_apic_interrupt = fn(
  'Takes the next vector: from requested to in service.',
  function* kvm_get_apic_interrupt(vcpu: KvmVcpu) {
    const vector = yield* kvm_apic_has_interrupt(vcpu);
    if (vector === -1) return -1;
    yield* apic_clear_irr(vcpu.apic, vector);
    yield* apic_set_isr(vcpu.apic, vector);
    yield* __apic_update_ppr(vcpu.apic);
    return vector;
  },
);

export const kvm_apic_accept_events = fn(
  'INIT and SIPI, which start another CPU: the first resets it, the second lets it run.',
  function* kvm_apic_accept_events(vcpu: KvmVcpu) {
    const { apic } = vcpu;
    at('pending_events');
    if (apic.pending_events & KVM_APIC_INIT) {
      at('KVM_APIC_INIT');
      apic.pending_events &= ~KVM_APIC_INIT;
      yield* kvm_vcpu_reset(vcpu, true);
      at('mp_state');
      vcpu['arch.mp_state'] = vcpu.vcpu_id === 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
    }
    if (apic.pending_events & KVM_APIC_SIPI) {
      at('KVM_APIC_SIPI');
      apic.pending_events &= ~KVM_APIC_SIPI;
      if (vcpu['arch.mp_state'] === KVM_MP_STATE_INIT_RECEIVED) vcpu['arch.mp_state'] = KVM_MP_STATE_RUNNABLE;
    }
    return 0;
  },
);
