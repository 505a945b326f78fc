import { since } from '../../../../version';
import type { Kvm } from '../../../virt/kvm/kvm_types';
import { APIC_DFR_FLAT } from '../include/asm/apicdef';
import { apic_x2apic_mode, kvm_apic_present, kvm_apic_sw_enabled, kvm_x2apic_id, kvm_xapic_id, type KvmLapic } from './lapic_state';

/** The table by which KVM finds the local APICs that a message addresses without asking each of them. */

/** What logical addresses mean in this machine: `kvm_apic_logical_mode`. MAP_DISABLED: each local APIC has to be asked. */
export const LOGICAL_MODES = {
  KVM_APIC_MODE_SW_DISABLED: 0,
  KVM_APIC_MODE_XAPIC_CLUSTER: 1,
  KVM_APIC_MODE_XAPIC_FLAT: 2,
  KVM_APIC_MODE_X2APIC: 3,
  KVM_APIC_MODE_MAP_DISABLED: 4,
} as const;
export type LogicalMode = (typeof LOGICAL_MODES)[keyof typeof LOGICAL_MODES];
const {
  KVM_APIC_MODE_SW_DISABLED,
  KVM_APIC_MODE_X2APIC,
  KVM_APIC_MODE_XAPIC_FLAT,
  KVM_APIC_MODE_XAPIC_CLUSTER,
  KVM_APIC_MODE_MAP_DISABLED,
} = LOGICAL_MODES;

type Slots = (KvmLapic | undefined)[];

/** `kvm_apic_map`: local APICs by physical and by logical ID. */
export interface KvmApicMap {
  readonly max_apic_id: number;
  logical_mode: LogicalMode;
  readonly phys_map: Slots;
  readonly xapic_flat_map: Slots;
  readonly xapic_cluster_map: readonly Slots[];
}

/** The local APICs that a destination may mean, and which of them it does mean. */
export interface Destinations {
  readonly dst: readonly (KvmLapic | undefined)[];
  readonly bitmap: number;
}

/**
 * kvm_apic_map_get_logical_dest(): whom a logical destination addresses, or undefined where the table cannot say.
 * In x2APIC mode the table by physical ID serves, since logical IDs are derived from those.
 */
export function logicalDestinations(map: KvmApicMap, dest_id: number): Destinations | undefined {
  switch (map.logical_mode) {
    case KVM_APIC_MODE_SW_DISABLED:
      // Until 6.3 a machine where nobody has a logical ID had no table for logical destinations.
      return since('linux', '6.3') ? { dst: map.xapic_flat_map, bitmap: 0 } : undefined;
    case KVM_APIC_MODE_X2APIC: {
      const offset = (dest_id >>> 16) * 16;
      return offset <= map.max_apic_id
        ? { dst: map.phys_map.slice(offset, offset + 16), bitmap: dest_id & 0xffff }
        : { dst: [], bitmap: 0 };
    }
    case KVM_APIC_MODE_XAPIC_FLAT:
      return { dst: map.xapic_flat_map, bitmap: dest_id & 0xff };
    case KVM_APIC_MODE_XAPIC_CLUSTER:
      return { dst: map.xapic_cluster_map[(dest_id >>> 4) & 0xf] ?? [], bitmap: dest_id & 0xf };
    case KVM_APIC_MODE_MAP_DISABLED:
      return undefined;
  }
}

/** Builds the table from the registers; undefined if two local APICs have one physical ID (6.3 and later look). */
export function buildApicMap(kvm: Kvm): KvmApicMap | undefined {
  const present = kvm.vcpus.filter(kvm_apic_present).map(({ apic }) => apic);
  const map: KvmApicMap = {
    max_apic_id: Math.max(255, ...present.map(kvm_x2apic_id)),
    logical_mode: KVM_APIC_MODE_SW_DISABLED,
    phys_map: [],
    xapic_flat_map: [],
    xapic_cluster_map: Array.from({ length: 16 }, () => []),
  };
  for (const apic of present) {
    if (!addPhysical(map, apic, kvm.arch.x2apic_format || !since('linux', '6.3'))) return undefined;
    addLogical(map, apic);
  }
  return map;
}

/** kvm_recalculate_phys_map(): false if the ID is taken. `lenient`: the first to have an xAPIC ID keeps it. */
function addPhysical(map: KvmApicMap, apic: KvmLapic, lenient: boolean): boolean {
  const x2apic = apic_x2apic_mode(apic);
  const id = x2apic ? kvm_x2apic_id(apic) : kvm_xapic_id(apic);
  if (!lenient) {
    if (map.phys_map[id] !== undefined) return false;
    map.phys_map[id] = apic;
    return true;
  }
  if (x2apic || kvm_x2apic_id(apic) > 0xff) map.phys_map[kvm_x2apic_id(apic)] = apic;
  if (!x2apic) map.phys_map[kvm_xapic_id(apic)] ??= apic;
  return true;
}

/** kvm_recalculate_logical_map(): the table is of use only if all have the same mode and each an ID of its own. */
function addLogical(map: KvmApicMap, apic: KvmLapic): void {
  if (map.logical_mode === KVM_APIC_MODE_MAP_DISABLED || !kvm_apic_sw_enabled(apic) || apic.APIC_LDR === 0) return;
  const mode = logicalMode(apic);
  if (map.logical_mode !== KVM_APIC_MODE_SW_DISABLED && map.logical_mode !== mode) {
    map.logical_mode = KVM_APIC_MODE_MAP_DISABLED;
    return;
  }
  map.logical_mode = mode;
  if (mode === KVM_APIC_MODE_X2APIC) return;
  const own = logicalDestinations(map, apic.APIC_LDR >>> 24);
  if (own === undefined || own.bitmap === 0) return;
  const slot = 31 - Math.clz32(own.bitmap & -own.bitmap);
  const slots = own.dst as Slots;
  // Until 6.3 the lowest bit of an ID counted, and the last to claim it won.
  if (since('linux', '6.3') && (own.bitmap !== 1 << slot || slots[slot] !== undefined)) map.logical_mode = KVM_APIC_MODE_MAP_DISABLED;
  else slots[slot] = apic;
}

function logicalMode(apic: KvmLapic): LogicalMode {
  if (apic_x2apic_mode(apic)) return KVM_APIC_MODE_X2APIC;
  return apic.APIC_DFR === APIC_DFR_FLAT ? KVM_APIC_MODE_XAPIC_FLAT : KVM_APIC_MODE_XAPIC_CLUSTER;
}
