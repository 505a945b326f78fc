import { oneOf, struct, type InstanceOf } from '../../../../../../../../engine/cell';
import type { AcrnVpic } from '../../../../../dm/vpic';
import type { AcrnSingleVioapic } from '../../../../../dm/vioapic';
import type { AcrnVcpu } from './vcpu';

/** A virtual machine of the hypervisor. */

/** How the vPIC's output reaches the CPU: directly, through LINT0, through the vIOAPIC's pin 0, or not at all. */
export const VPIC_WIRE_MODES = { VPIC_WIRE_INTR: 0, VPIC_WIRE_LAPIC: 1, VPIC_WIRE_IOAPIC: 2, VPIC_WIRE_NULL: 3 } as const;

const VmCells = struct('acrn_vm', 'A virtual machine of the hypervisor.', {
  wire_mode: oneOf(VPIC_WIRE_MODES, VPIC_WIRE_MODES.VPIC_WIRE_INTR),
});

/** An interrupt line that is passed through to a VM: which virtual pin it drives. */
export interface PtirqRemappingInfo {
  readonly virt_gsi: number;
  readonly ctlr: 'INTX_CTLR_IOAPIC' | 'INTX_CTLR_PIC';
  /** Active low where it is not 0. */
  readonly polarity: number;
}

export type LoadOrder = 'SERVICE_VM' | 'PRE_LAUNCHED_VM' | 'POST_LAUNCHED_VM';

export type AcrnVm = InstanceOf<typeof VmCells> & {
  readonly vm_id: number;
  readonly load_order: LoadOrder;
  readonly vcpu_array: AcrnVcpu[];
  readonly vpic: AcrnVpic;
  readonly vioapic_array: readonly AcrnSingleVioapic[];
  readonly ptirq_entries: readonly PtirqRemappingInfo[];
};

/** The devices that a VM is made with. */
export type AcrnVmParts = Pick<AcrnVm, 'vm_id' | 'load_order' | 'vpic' | 'vioapic_array'> & Partial<Pick<AcrnVm, 'ptirq_entries'>>;

/** Makes a VM, without vCPUs. */
export const acrn_vm = (parts: AcrnVmParts): AcrnVm =>
  Object.assign(VmCells(`VM${parts.vm_id}`), { vcpu_array: [], ptirq_entries: [], ...parts });
