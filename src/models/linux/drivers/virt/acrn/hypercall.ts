import { source } from '../../../../../engine/fn';
import type {
  AcrnIoRequestBuffer,
  AcrnIrqlineOps,
  AcrnMsiEntry,
  AcrnVmCreation,
} from '../../../../acrn/hypervisor/include/public/acrn_common';
import { acrn_hypercall1, acrn_hypercall2, type Vmcall } from '../../../arch/x86/include/asm/acrn';

/** What the Service VM asks the hypervisor to do. */

const { fn } = source('linux', 'drivers/virt/acrn/hypercall.h');

export const hcall_create_vm = fn(
  'Makes a User VM. The result is its number.',
  function* hcall_create_vm(vmcall: Vmcall, vminfo: AcrnVmCreation) {
    return yield* acrn_hypercall1(vmcall, { id: 'HC_CREATE_VM', param1: vminfo });
  },
);

export const hcall_start_vm = fn('Lets a User VM’s boot CPU run.', function* hcall_start_vm(vmcall: Vmcall, vmid: number) {
  return yield* acrn_hypercall1(vmcall, { id: 'HC_START_VM', vmid });
});

export const hcall_set_ioreq_buffer = fn(
  'Says where the page of I/O requests is.',
  function* hcall_set_ioreq_buffer(vmcall: Vmcall, vmid: number, buffer: AcrnIoRequestBuffer) {
    return yield* acrn_hypercall2(vmcall, { id: 'HC_SET_IOREQ_BUFFER', vmid, param2: buffer });
  },
);

export const hcall_notify_req_finish = fn(
  'Says that a vCPU’s request is COMPLETE, so that it wakes.',
  function* hcall_notify_req_finish(vmcall: Vmcall, vmid: number, vcpu: number) {
    return yield* acrn_hypercall2(vmcall, { id: 'HC_NOTIFY_REQUEST_FINISH', vmid, param2: vcpu });
  },
);

export const hcall_inject_msi = fn(
  'Sends an MSI into a User VM.',
  function* hcall_inject_msi(vmcall: Vmcall, vmid: number, msi: AcrnMsiEntry) {
    return yield* acrn_hypercall2(vmcall, { id: 'HC_INJECT_MSI', vmid, param2: msi });
  },
);

export const hcall_set_irqline = fn(
  'Drives an interrupt line of a User VM.',
  function* hcall_set_irqline(vmcall: Vmcall, vmid: number, op: AcrnIrqlineOps) {
    return yield* acrn_hypercall2(vmcall, { id: 'HC_SET_IRQLINE', vmid, param2: op });
  },
);
