import { source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import type { AcrnIrqlineOps, AcrnMsiEntry, AcrnVmCreation } from '../../../../acrn/hypervisor/include/public/acrn_common';
import { EEXIST, EINVAL, ENODEV } from '../../../errno';
import type { AcrnVm } from './acrn_drv';
import { hcall_inject_msi, hcall_set_irqline, hcall_start_vm } from './hypercall';
import { acrn_ioeventfd_config, type AcrnIoeventfd } from './ioeventfd';
import { acrn_ioreq_client_create, acrn_ioreq_client_wait, acrn_ioreq_intr_setup, acrn_ioreq_request_default_complete } from './ioreq';
import { acrn_irqfd_config, type AcrnIrqfd } from './irqfd';
import { acrn_vm_create } from './vm';

/** /dev/acrn_hsm: what a device model asks of the Service VM's kernel. */

/** The ioctls that the models speak. */
export type AcrnIoctl =
  | { readonly cmd: 'ACRN_IOCTL_CREATE_VM'; readonly vm_param: AcrnVmCreation }
  | { readonly cmd: 'ACRN_IOCTL_START_VM' }
  | { readonly cmd: 'ACRN_IOCTL_CREATE_IOREQ_CLIENT' }
  | { readonly cmd: 'ACRN_IOCTL_ATTACH_IOREQ_CLIENT' }
  | { readonly cmd: 'ACRN_IOCTL_NOTIFY_REQUEST_FINISH'; readonly vcpu: number }
  | { readonly cmd: 'ACRN_IOCTL_IOEVENTFD'; readonly ioeventfd: AcrnIoeventfd }
  | { readonly cmd: 'ACRN_IOCTL_IRQFD'; readonly irqfd: AcrnIrqfd }
  | { readonly cmd: 'ACRN_IOCTL_INJECT_MSI'; readonly msi: AcrnMsiEntry }
  | { readonly cmd: 'ACRN_IOCTL_SET_IRQLINE'; readonly op: AcrnIrqlineOps };

const { fn, ops } = source('linux', 'drivers/virt/acrn/hsm.c');

export const hsm_init = fn('The module is loaded: upcalls have somebody who hears them.', function* hsm_init(hsm: AcrnVm['hsm']) {
  return yield* acrn_ioreq_intr_setup(hsm);
});

const acrn_dev_ioctl = fn(
  'An ioctl of the device model. Most are a hypercall in another dress.',
  function* acrn_dev_ioctl(vm: AcrnVm, arg: AcrnIoctl) {
    if (vm.vmid < 0 && arg.cmd !== 'ACRN_IOCTL_CREATE_VM') return -EINVAL;
    const { vmcall } = vm.hsm;
    at(arg.cmd);
    switch (arg.cmd) {
      case 'ACRN_IOCTL_CREATE_VM':
        return (yield* acrn_vm_create(vm, arg.vm_param)) === undefined ? -EINVAL : 0;
      case 'ACRN_IOCTL_START_VM':
        return yield* hcall_start_vm(vmcall, vm.vmid);
      case 'ACRN_IOCTL_CREATE_IOREQ_CLIENT':
        if (vm.default_client !== undefined) return -EEXIST;
        yield* acrn_ioreq_client_create(vm, undefined, true, 'acrndm');
        return 0;
      case 'ACRN_IOCTL_ATTACH_IOREQ_CLIENT':
        return vm.default_client === undefined ? -ENODEV : yield* acrn_ioreq_client_wait(vm.default_client);
      case 'ACRN_IOCTL_NOTIFY_REQUEST_FINISH':
        return yield* acrn_ioreq_request_default_complete(vm, arg.vcpu);
      case 'ACRN_IOCTL_IOEVENTFD':
        return yield* acrn_ioeventfd_config(vm, arg.ioeventfd);
      case 'ACRN_IOCTL_IRQFD':
        return yield* acrn_irqfd_config(vm, arg.irqfd);
      case 'ACRN_IOCTL_INJECT_MSI':
        return yield* hcall_inject_msi(vmcall, vm.vmid, arg.msi);
      case 'ACRN_IOCTL_SET_IRQLINE':
        return yield* hcall_set_irqline(vmcall, vm.vmid, arg.op);
    }
  },
);

export const acrn_fops = ops('acrn_fops', { unlocked_ioctl: acrn_dev_ioctl });
