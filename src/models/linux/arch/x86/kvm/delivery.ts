import type { Kvm, KvmVcpu } from '../../../virt/kvm/kvm_types';
import { APIC_DFR_CLUSTER, APIC_DFR_FLAT, APIC_DM_LOWEST } from '../include/asm/apicdef';
import { LOGICAL_MODES, type Destinations, type KvmApicMap } from './apic_map';
import { apic_x2apic_mode, kvm_x2apic_id, kvm_xapic_id, type KvmLapic } from './lapic_state';

/** A message on its way to local APICs, and whom it means: what upstream decides in inline functions. */

const APIC_BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffffffff;

/** A message on its way to local APICs. */
export interface KvmLapicIrq {
  readonly vector: number;
  /** APIC_DM_FIXED … APIC_DM_EXTINT. */
  readonly delivery_mode: number;
  /** APIC_DEST_PHYSICAL or APIC_DEST_LOGICAL. */
  readonly dest_mode: number;
  readonly level: boolean;
  readonly trig_mode: boolean;
  /** 0, or APIC_DEST_SELF, APIC_DEST_ALLINC, APIC_DEST_ALLBUT. */
  readonly shorthand: number;
  readonly dest_id: number;
  readonly msi_redir_hint: boolean;
}

/** Who wants to know which vCPUs accepted a message: a `struct dest_map`. */
export interface DestMap {
  readonly note: (vcpu: KvmVcpu, vector: number) => void;
}

/** kvm_lowest_prio_delivery(). */
export const kvm_lowest_prio_delivery = (irq: KvmLapicIrq): boolean => irq.delivery_mode === APIC_DM_LOWEST || irq.msi_redir_hint;

/** kvm_apic_mda(): a device’s message to everybody says 0xff, also where the local APICs have 32-bit IDs. */
export const destinationAddress = (target: KvmLapic, source: KvmLapic | undefined, dest: number): number =>
  !target.vcpu.kvm.arch.x2apic_broadcast_quirk_disabled && source === undefined && dest === APIC_BROADCAST && apic_x2apic_mode(target)
    ? X2APIC_BROADCAST
    : dest;

/** kvm_apic_broadcast(). */
const isBroadcast = (apic: KvmLapic, mda: number): boolean => mda === (apic_x2apic_mode(apic) ? X2APIC_BROADCAST : APIC_BROADCAST);

/** kvm_apic_match_physical_addr(): an ID that no xAPIC can have finds an x2APIC’s, also while that is in xAPIC mode. */
export function matchesPhysical(apic: KvmLapic, mda: number): boolean {
  if (isBroadcast(apic, mda)) return true;
  return mda === (apic_x2apic_mode(apic) || mda > 0xff ? kvm_x2apic_id(apic) : kvm_xapic_id(apic));
}

/** kvm_apic_match_logical_addr(). */
export function matchesLogical(apic: KvmLapic, mda: number): boolean {
  if (isBroadcast(apic, mda)) return true;
  if (apic_x2apic_mode(apic)) return apic.APIC_LDR >>> 16 === mda >>> 16 && (apic.APIC_LDR & mda & 0xffff) !== 0;
  const logical_id = apic.APIC_LDR >>> 24;
  switch (apic.APIC_DFR) {
    case APIC_DFR_FLAT:
      return (logical_id & mda) !== 0;
    case APIC_DFR_CLUSTER:
      return logical_id >>> 4 === mda >>> 4 && (logical_id & mda & 0xf) !== 0;
    default:
      return false;
  }
}

/** kvm_apic_compare_prio(): who had fewer lowest-priority interrupts so far. */
export const kvm_apic_compare_prio = (vcpu1: KvmVcpu, vcpu2: KvmVcpu): number => vcpu1['arch.apic_arb_prio'] - vcpu2['arch.apic_arb_prio'];

/** kvm_apic_is_broadcast_dest(). */
export function isBroadcastDestination(kvm: Kvm, src: KvmLapic | undefined, irq: KvmLapicIrq, map: KvmApicMap): boolean {
  if (kvm.arch.x2apic_broadcast_quirk_disabled)
    return irq.dest_id === X2APIC_BROADCAST || (irq.dest_id === APIC_BROADCAST && map.logical_mode !== LOGICAL_MODES.KVM_APIC_MODE_X2APIC);
  return irq.dest_id === (src !== undefined && apic_x2apic_mode(src) ? X2APIC_BROADCAST : APIC_BROADCAST);
}

/** One of the destinations alone; none if the number is negative. */
export const only = ({ dst }: Destinations, index: number): Destinations => ({ dst, bitmap: index < 0 ? 0 : 1 << index });

/** The numbers of the bits that are set. */
export const bitsOf = (word: number): number[] => [...Array(16).keys()].filter((bit) => (word >>> bit) & 1);

/** Which of the destinations had the fewest lowest-priority interrupts; -1 if none is there. */
export function leastInterrupted({ dst, bitmap }: Destinations): number {
  const candidates = bitsOf(bitmap).filter((bit) => dst[bit] !== undefined);
  return candidates.reduce(
    (lowest, bit) => (kvm_apic_compare_prio(dst[bit]!.vcpu, dst[lowest]!.vcpu) < 0 ? bit : lowest),
    candidates[0] ?? -1,
  );
}

/** The local APICs that are meant and are there. */
export const addressedApics = ({ dst, bitmap }: Destinations): KvmLapic[] => bitsOf(bitmap).flatMap((bit) => dst[bit] ?? []);
