import { source, through } from '../../../../engine/fn';
import { acrn_fops } from '../../../linux/drivers/virt/acrn/hsm';
import type { AcrnIoeventfd } from '../../../linux/drivers/virt/acrn/ioeventfd';
import type { AcrnIrqfd } from '../../../linux/drivers/virt/acrn/irqfd';
import type { GsiOperation } from '../../hypervisor/include/public/acrn_common';
import type { Vmctx } from '../include/dm';

/** What the device model asks of the Service VM's kernel: one ioctl each. */

const { fn } = source('acrn', 'devicemodel/core/vmmapi.c');
const ioctl = through('ioctl', 'ioctl', acrn_fops.unlocked_ioctl);

export const vm_create = fn(
  'Has a VM made. With it goes the address of the page that the I/O requests will be in.',
  function* vm_create({ fd, ioreq_buf, guest_ncpus, is_rtvm }: Vmctx) {
    return yield* ioctl(fd, {
      cmd: 'ACRN_IOCTL_CREATE_VM',
      vm_param: { vcpu_num: guest_ncpus, ioreq_buf, io_completion_polling: is_rtvm },
    });
  },
);

export const vm_create_ioreq_client = fn(
  'Becomes the default client: it gets every request that nobody else has claimed.',
  function* vm_create_ioreq_client({ fd }: Vmctx) {
    return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_CREATE_IOREQ_CLIENT' });
  },
);

export const vm_run = fn('Lets the VM start.', function* vm_run({ fd }: Vmctx) {
  return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_START_VM' });
});

export const vm_attach_ioreq_client = fn('Sleeps in the kernel until there is a request.', function* vm_attach_ioreq_client({ fd }: Vmctx) {
  return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_ATTACH_IOREQ_CLIENT' });
});

export const vm_notify_request_done = fn('Says that a request is done.', function* vm_notify_request_done({ fd }: Vmctx, vcpu: number) {
  return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_NOTIFY_REQUEST_FINISH', vcpu });
});

export const vm_lapic_msi = fn('Sends an MSI to the VM.', function* vm_lapic_msi({ fd }: Vmctx, addr: number, msg: number) {
  return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_INJECT_MSI', msi: { msi_addr: addr, msi_data: msg } });
});

export const vm_set_gsi_irq = fn(
  'Drives an interrupt line of the VM.',
  function* vm_set_gsi_irq({ fd }: Vmctx, gsi: number, operation: GsiOperation) {
    return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_SET_IRQLINE', op: { gsi, op: operation } });
  },
);

export const vm_irqfd = fn('Has an eventfd’s signal send a message to the VM.', function* vm_irqfd({ fd }: Vmctx, args: AcrnIrqfd) {
  return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_IRQFD', irqfd: args });
});

export const vm_ioeventfd = fn(
  'Has writes to an address signal an eventfd, without the device model.',
  function* vm_ioeventfd({ fd }: Vmctx, args: AcrnIoeventfd) {
    return yield* ioctl(fd, { cmd: 'ACRN_IOCTL_IOEVENTFD', ioeventfd: args });
  },
);
