import { bool, oneOf, struct, type InstanceOf } from '../../../../../../../../engine/cell';
import type { AcrnVpic } from '../../../../../dm/vpic';
import type { AcrnSingleVioapic } from '../../../../../dm/vioapic';
import type { AcrnIoRequestBuffer } from '../../../../public/acrn_common';
import type { AcrnVcpu, IoRequest } from './vcpu';
import type { Pointer } from '../../../../../../../../engine/fn';

/** A virtual machine of the hypervisor. */

/** How the vPIC's output reaches the CPU: directly, through LINT0, through the vIOAPIC's pin 0, or not at all. */
export const VPIC_WIRE_MODES = { VPIC_WIRE_INTR: 0, VPIC_WIRE_LAPIC: 1, VPIC_WIRE_IOAPIC: 2, VPIC_WIRE_NULL: 3 } as const;

const VmCells = struct('acrn_vm', 'A virtual machine of the hypervisor.', {
  wire_mode: oneOf(VPIC_WIRE_MODES, VPIC_WIRE_MODES.VPIC_WIRE_INTR),
  /** The vCPUs wait for their I/O requests in a busy loop. */
  'sw.is_polling_ioreq': bool(),
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
  /** The page of I/O requests that a post-launched VM shares with the Service VM. */
  io_shared_page: AcrnIoRequestBuffer | undefined;
  /** get_service_vm(), for a VM that has one; and those that this one serves. */
  readonly service_vm: AcrnVm | undefined;
  readonly user_vms: AcrnVm[];
  /** Ports and memory that the hypervisor itself answers for. */
  readonly emul_pio: readonly VmIoHandlerDesc[];
  readonly emul_mmio: MemIoNode[];
};

/** Ports of a VM that the hypervisor answers for. */
export interface VmIoHandlerDesc {
  readonly port_start: number;
  readonly port_end: number;
  readonly io_read: Pointer<[vcpu: AcrnVcpu, addr: number, width: number], unknown>;
  readonly io_write: Pointer<[vcpu: AcrnVcpu, addr: number, width: number, val: number], unknown>;
}

/** Memory of a VM that the hypervisor answers for. */
export interface MemIoNode {
  readonly range_start: number;
  readonly range_end: number;
  readonly read_write: Pointer<[req: IoRequest], number>;
}

/** The devices that a VM is made with. */
export type AcrnVmParts = Pick<AcrnVm, 'vm_id' | 'load_order' | 'vpic' | 'vioapic_array'> &
  Partial<Pick<AcrnVm, 'ptirq_entries' | 'service_vm' | 'emul_pio' | 'emul_mmio'>>;

/** Makes a VM, without vCPUs. */
export const acrn_vm = (parts: AcrnVmParts): AcrnVm =>
  Object.assign(VmCells(`VM${parts.vm_id}`), {
    vcpu_array: [],
    ptirq_entries: [],
    io_shared_page: undefined,
    service_vm: undefined,
    user_vms: [],
    emul_pio: [],
    emul_mmio: [],
    ...parts,
  });
