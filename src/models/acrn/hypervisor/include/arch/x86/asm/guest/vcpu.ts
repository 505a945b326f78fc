import { type BitField, bit, bool, hex, int, means, oneOf, register, struct, type InstanceOf } from '../../../../../../../../engine/cell';
import { bitmap } from '../../../../../bitmaps';
import { sched_event, type SchedEvent } from '../../../../../common/event';
import { ACRN_IOREQ_TYPE_PORTIO, ACRN_IOREQ_TYPES, ACRN_IOREQ_DIR_READ, ACRN_IOREQ_DIRS } from '../../../../public/acrn_common';
import { acrn_vlapic, type AcrnApicvOps, type AcrnVlapic } from '../../../../../arch/x86/guest/vlapic';
import { vmcs, type Pcpu, type Vmcs } from '../per_cpu';
import { vmx_cpu, type VmxCpu } from '../../../../../../../hardware/vmx_cpu';
import type { AcrnVm } from './vm';
import * as lapic_registers from '../../../../../../../hardware/registers/lapic';

/** A vCPU of the hypervisor. */

/** Bits of `arch.pending_req`, by number: what has to be done before the next VM entry. */
export const ACRN_REQUESTS = {
  ACRN_REQUEST_EXCP: 0,
  ACRN_REQUEST_EVENT: 1,
  ACRN_REQUEST_EXTINT: 2,
  ACRN_REQUEST_NMI: 3,
  ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE: 4,
} as const;
export type AcrnRequest = keyof typeof ACRN_REQUESTS;

const REQUESTS: readonly BitField[] = [
  bit(ACRN_REQUESTS.ACRN_REQUEST_EXCP, 'ACRN_REQUEST_EXCP', 'An exception is to be injected.'),
  bit(ACRN_REQUESTS.ACRN_REQUEST_EVENT, 'ACRN_REQUEST_EVENT', 'The virtual local APIC has an interrupt.'),
  bit(ACRN_REQUESTS.ACRN_REQUEST_EXTINT, 'ACRN_REQUEST_EXTINT', 'The virtual 8259 has an interrupt.'),
  bit(ACRN_REQUESTS.ACRN_REQUEST_NMI, 'ACRN_REQUEST_NMI', 'An NMI is to be injected.'),
  bit(ACRN_REQUESTS.ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE, 'ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE', 'Which EOIs leave the guest has changed.'),
];

const VcpuCells = struct('acrn_vcpu', 'A vCPU: what it has to do before it enters its guest again.', {
  'arch.pending_req': means('What has to be done before the next VM entry.', register(32, REQUESTS)),
  'arch.irq_window_enabled': means('The guest exits as soon as it can take an interrupt.', bool()),
  'arch.exit_reason': hex(8),
  'arch.exception_info.exception': means('The exception to inject; 0xff is none.', hex(8, 0xff)),
  // uint64_t eoi_exit_bitmap[4], in 32-bit words.
  ...bitmap('arch.eoi_exit_bitmap', lapic_registers.EOI_EXIT_BITMAP),
});

const PiDescCells = struct('pi_desc', 'The posted-interrupt descriptor: vectors that wait to be taken into the virtual APIC.', {
  POSTED_INTR_ON: means(lapic_registers.ON, bool()),
  // uint64_t pir[4], in 32-bit words.
  ...bitmap('pir', lapic_registers.PIR),
});

const IoRequestCells = struct('io_request', 'The access of the guest that is being emulated: what is written, or was read.', {
  io_type: oneOf(ACRN_IOREQ_TYPES, ACRN_IOREQ_TYPE_PORTIO),
  direction: oneOf(ACRN_IOREQ_DIRS, ACRN_IOREQ_DIR_READ),
  address: hex(32),
  size: int(),
  value: hex(32),
});

export type IoRequest = InstanceOf<typeof IoRequestCells>;

export type PiDesc = InstanceOf<typeof PiDescCells>;

export type AcrnVcpu = InstanceOf<typeof VcpuCells> & {
  readonly vm: AcrnVm;
  readonly vcpu_id: number;
  readonly pcpu: Pcpu;
  readonly vmcs: Vmcs;
  readonly vlapic: AcrnVlapic;
  readonly pid: PiDesc;
  readonly events: { readonly VCPU_EVENT_IOREQ: SchedEvent; readonly VCPU_EVENT_VIRTUAL_INTERRUPT: SchedEvent };
  readonly req: IoRequest;
  /** What VMX_EXIT_QUALIFICATION said of the last exit. */
  exit_qualification: number;
  /** The CPU as the guest sees it. */
  readonly cpu: VmxCpu;
  /** The step that let the thread run; -1 before. */
  launchedBy: number;
};

/** Makes a vCPU of `vm` on a physical CPU, and adds it to the VM. Its local APIC’s identifier is its number. */
export function acrn_vcpu(vm: AcrnVm, cpu: Pcpu, ops: AcrnApicvOps): AcrnVcpu {
  const vcpu_id = vm.vcpu_array.length;
  const name = `VM${vm.vm_id} vCPU ${vcpu_id}`;
  const vcpu = Object.assign(VcpuCells(name), {
    vm,
    vcpu_id,
    pcpu: cpu,
    vmcs: vmcs(name),
    vlapic: acrn_vlapic(name, vcpu_id, ops),
    pid: PiDescCells(name),
    events: {
      VCPU_EVENT_IOREQ: sched_event(`${name} VCPU_EVENT_IOREQ`),
      VCPU_EVENT_VIRTUAL_INTERRUPT: sched_event(`${name} VCPU_EVENT_VIRTUAL_INTERRUPT`),
    },
    req: IoRequestCells(name),
    exit_qualification: 0,
    cpu: vmx_cpu(name),
    launchedBy: -1,
  });
  vm.vcpu_array.push(vcpu);
  return vcpu;
}
