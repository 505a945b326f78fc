import { source, through } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import { EINVAL } from '../../errno';
import type { VfioDevice } from '../../include/linux/vfio';
import { VFIO_IRQ_SET_ACTION_TYPE_MASK } from '../../include/uapi/linux/vfio';
import type { VfioIrqSet } from './pci/vfio_pci_intrs';

/** The file that VFIO gives user space for a device. */
export interface VfioDeviceFile {
  readonly device: VfioDevice;
}

/** The ioctls of a device that the models speak. */
export interface VfioDeviceIoctl {
  readonly cmd: 'VFIO_DEVICE_SET_IRQS';
  readonly set: VfioIrqSet;
}

const { fn, ops } = source('linux', 'drivers/vfio/vfio_main.c');

export const vfio_set_irqs_validate_and_prepare = fn(
  'Checks what every driver would have to check of a VFIO_DEVICE_SET_IRQS: one action, one kind of data, interrupts that exist.',
  function* vfio_set_irqs_validate_and_prepare({ flags, index }: VfioIrqSet, num_irqs: number, max_irq_type: number) {
    at('flags');
    const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
    const one = action !== 0 && (action & (action - 1)) === 0;
    return one && index < max_irq_type && num_irqs > 0 ? 0 : -EINVAL;
  },
);

const vfio_device_fops_unl_ioctl = fn(
  'An ioctl on a VFIO device’s file: wakes the device up and asks its driver.',
  function* vfio_device_fops_unl_ioctl({ device }: VfioDeviceFile, arg: VfioDeviceIoctl) {
    return yield* through('function pointer', 'ioctl', device.ops.ioctl)(arg);
  },
);

const vfio_device_fops_read = fn(
  'read(2) on a VFIO device’s file: the offset chooses the region.',
  function* vfio_device_fops_read({ device }: VfioDeviceFile, region: number, offset: number) {
    return yield* through('function pointer', 'read', device.ops.read)(region, offset);
  },
);

const vfio_device_fops_write = fn(
  'write(2) on a VFIO device’s file.',
  function* vfio_device_fops_write({ device }: VfioDeviceFile, region: number, offset: number, value: number) {
    return yield* through('function pointer', 'write', device.ops.write)(region, offset, value);
  },
);

export const vfio_device_fops = ops('vfio_device_fops', {
  unlocked_ioctl: vfio_device_fops_unl_ioctl,
  read: vfio_device_fops_read,
  write: vfio_device_fops_write,
});
