import { source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import type { AcrnVmCreation } from '../../../../acrn/hypervisor/include/public/acrn_common';
import type { AcrnVm } from './acrn_drv';
import { hcall_create_vm, hcall_inject_msi } from './hypercall';
import { acrn_ioeventfd_init } from './ioeventfd';
import { acrn_ioreq_init } from './ioreq';
import { acrn_irqfd_init } from './irqfd';

/** User VMs, for the kernel of the Service VM. */

const { fn } = source('linux', 'drivers/virt/acrn/vm.c');

export const acrn_vm_create = fn(
  'Has the hypervisor make a VM, and gets ready for its requests. The VM is listed only when its page of requests is there.',
  function* acrn_vm_create(vm: AcrnVm, vm_param: AcrnVmCreation) {
    const vmid = yield* hcall_create_vm(vm.hsm.vmcall, vm_param);
    if (vmid < 0) return undefined;
    vm.vmid = vmid;
    vm.vcpu_num = vm_param.vcpu_num;
    if ((yield* acrn_ioreq_init(vm, vm_param.ioreq_buf)) < 0) return undefined;
    at('acrn_vm_list');
    vm.hsm.acrn_vm_list.unshift(vm);
    yield* acrn_ioeventfd_init(vm);
    yield* acrn_irqfd_init(vm);
    return vm;
  },
);

export const acrn_msi_inject = fn(
  'Sends an MSI, from any context: an eventfd may be signalled in a hard interrupt.',
  function* acrn_msi_inject(vm: AcrnVm, msi_addr: number, msi_data: number) {
    return yield* hcall_inject_msi(vm.hsm.vmcall, vm.vmid, { msi_addr, msi_data });
  },
);
