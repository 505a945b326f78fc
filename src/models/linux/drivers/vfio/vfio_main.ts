import { source, through } from '../../../../engine/fn';
import { acquire, release } from '../../../../engine/mutex';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import { EINVAL } from '../../errno';
import { device as linux_device, type Device } from '../../include/linux/device';
import { vfio_device, type VfioDevice, type VfioDeviceOps } from '../../include/linux/vfio';
import { VFIO_IRQ_SET_ACTION_TYPE_MASK } from '../../include/uapi/linux/vfio';
import { device_add } from '../base/core';
import { iommu_group_get } from '../iommu/iommu';
import { vfio_create_group, vfio_device_group_register, vfio_device_set_group, vfio_noiommu_group_alloc } from './group';
import type { VfioIrqSet } from './pci/vfio_pci_intrs';
import { VFIO_EMULATED_IOMMU, VFIO_IOMMU, type Vfio, type VfioGroup, type VfioGroupType } from './vfio';

/** The file that VFIO gives user space for a device. */
export interface VfioDeviceFile {
  readonly device: VfioDevice;
}

/** The ioctls of a device that the models speak. */
export type VfioDeviceIoctl =
  | { readonly cmd: 'VFIO_DEVICE_GET_INFO' }
  | { readonly cmd: 'VFIO_DEVICE_GET_REGION_INFO'; readonly info: VfioRegionInfo }
  | { readonly cmd: 'VFIO_DEVICE_GET_IRQ_INFO'; readonly info: VfioIrqInfo }
  | { readonly cmd: 'VFIO_DEVICE_SET_IRQS'; readonly set: VfioIrqSet };

/** `vfio_region_info`: the driver fills in the size, in bytes. */
export interface VfioRegionInfo {
  readonly index: number;
  size: number;
}

/** `vfio_irq_info`: the driver fills in how many interrupts the index has, and what they can do. */
export interface VfioIrqInfo {
  readonly index: number;
  flags: number;
  count: number;
}

const { fn, ops } = source('linux', 'drivers/vfio/vfio_main.c', [{ until: '6.0', path: 'drivers/vfio/vfio.c' }]);

export const vfio_set_irqs_validate_and_prepare = fn(
  'Checks what every driver would have to check of a VFIO_DEVICE_SET_IRQS: one action, one kind of data, interrupts that exist.',
  function* vfio_set_irqs_validate_and_prepare({ flags, index, start = 0, count }: VfioIrqSet, num_irqs: number, max_irq_type: number) {
    at('flags');
    const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
    const one = action !== 0 && (action & (action - 1)) === 0;
    return one && index < max_irq_type && start < num_irqs && start + count <= num_irqs ? 0 : -EINVAL;
  },
);

const vfio_device_fops_unl_ioctl = fn(
  'An ioctl on a VFIO device’s file: wakes the device up and asks its driver.',
  function* vfio_device_fops_unl_ioctl({ device }: VfioDeviceFile, arg: VfioDeviceIoctl) {
    return yield* through('function pointer', 'ioctl', device.ops.ioctl)(arg);
  },
);

const vfio_device_fops_read = fn(
  'read(2) on a VFIO device’s file: the offset chooses the region. The result is what was read; of more than four bytes, the last piece.',
  function* vfio_device_fops_read({ device }: VfioDeviceFile, region: number, offset: number, count: number) {
    return yield* through('function pointer', 'read', device.ops.read)(region, offset, count);
  },
);

const vfio_device_fops_write = fn(
  'write(2) on a VFIO device’s file.',
  function* vfio_device_fops_write({ device }: VfioDeviceFile, region: number, offset: number, count: number, value: number) {
    return yield* through('function pointer', 'write', device.ops.write)(region, offset, count, value);
  },
);

export const vfio_device_fops = ops('vfio_device_fops', {
  unlocked_ioctl: vfio_device_fops_unl_ioctl,
  read: vfio_device_fops_read,
  write: vfio_device_fops_write,
});

const vfio_init_device = fn(
  'Fills in what the core knows of a device, and lets its driver do the same for its own part.',
  function* vfio_init_device(vfio: Vfio, device: VfioDevice) {
    device.index = vfio.device_ida;
    vfio.device_ida += 1;
    const { init } = device.ops;
    at('init');
    return init === undefined ? 0 : yield* through('function pointer', 'init', init)();
  },
);

export const _vfio_alloc_device = fn(
  'Allocates a device with its driver’s structure around it.',
  function* _vfio_alloc_device(vfio: Vfio, device: VfioDevice) {
    atCall('kvzalloc');
    return yield* vfio_init_device(vfio, device);
  },
);

const vfio_assign_device_set = fn(
  'Devices that can only be reset together share a set, and its lock; a device that says nothing has one for itself.',
  function* vfio_assign_device_set(_device: VfioDevice) {
    at('device_count');
    return 0;
  },
);

const __vfio_register_dev = fn(
  'Makes a device known: in a group, in the driver model, and on the group’s list.',
  function* __vfio_register_dev(vfio: Vfio, device: VfioDevice, given: VfioGroup | VfioGroupType) {
    yield* vfio_assign_device_set(device);
    // Until 6.2 the caller brought the group along.
    if (typeof given === 'number') yield* vfio_device_set_group(vfio, device, given);
    else device.group = given;
    const { group } = device;
    if (group === undefined) throw new Error(`${device.dev.name} has no group to register in`);
    if (since('linux', '6.4')) atCall('vfio_device_add');
    else yield* device_add(linux_device(`vfio${device.index}`));
    atCall('refcount_set');
    device.refcount = 1;
    if (since('linux', '6.2')) {
      yield* vfio_device_group_register(device, group);
      return 0;
    }
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
    return 0;
  },
);

export const vfio_register_emulated_iommu_dev = fn(
  'Registers a device whose driver translates addresses itself: no IOMMU stands behind it, so it gets a group of its own.',
  function* vfio_register_emulated_iommu_dev(vfio: Vfio, device: VfioDevice) {
    if (since('linux', '6.2')) return yield* __vfio_register_dev(vfio, device, VFIO_EMULATED_IOMMU);
    return yield* __vfio_register_dev(vfio, device, yield* vfio_noiommu_group_alloc(vfio, device.dev, VFIO_EMULATED_IOMMU));
  },
);

const vfio_init_group_dev = fn('Fills in what the core knows of a device.', function* vfio_init_group_dev(_device: VfioDevice) {
  at('ops');
});

const vfio_register_group_dev = fn(
  'Registers a device in the VFIO group of its IOMMU group, which is made if this is its first device.',
  function* vfio_register_group_dev(vfio: Vfio, device: VfioDevice) {
    const iommu_group = yield* iommu_group_get(device.dev);
    if (iommu_group === undefined) return -EINVAL;
    atCall('vfio_group_get_from_iommu');
    const known = vfio.group_list.find((group) => group.iommu_group === iommu_group);
    const group = known ?? (yield* vfio_create_group(vfio, iommu_group, VFIO_IOMMU));
    device.group = group;
    atCall('refcount_set');
    device.refcount = 1;
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
    return 0;
  },
);

export const vfio_add_group_dev = fn(
  'Makes a VFIO device of any device that is in an IOMMU group.',
  function* vfio_add_group_dev(vfio: Vfio, dev: Device, ops: VfioDeviceOps) {
    atCall('kzalloc');
    const device = vfio_device({ dev, ops, host: vfio.host });
    yield* vfio_init_group_dev(device);
    return yield* vfio_register_group_dev(vfio, device);
  },
);
