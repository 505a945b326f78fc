import { source } from '../../../../engine/fn';
import { acquire, release } from '../../../../engine/mutex';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import type { Device } from '../../include/linux/device';
import type { VfioDevice } from '../../include/linux/vfio';
import {
  iommu_group_add_device,
  iommu_group_alloc,
  iommu_group_put,
  iommu_group_ref_get,
  iommu_group_set_name,
  type IommuGroup,
} from '../iommu/iommu';
import { vfio_group, type Vfio, type VfioGroup, type VfioGroupType } from './vfio';

/** Groups: what user space opens first, and gets its devices from. */

const { fn } = source('linux', 'drivers/vfio/group.c', [
  { until: '6.0', path: 'drivers/vfio/vfio.c' },
  { until: '6.2', path: 'drivers/vfio/vfio_main.c' },
]);

const vfio_group_alloc = fn(
  'Makes the group’s structure, with one driver that uses it, and keeps the IOMMU group alive.',
  function* vfio_group_alloc(iommu_group: IommuGroup, type: VfioGroupType) {
    const group = vfio_group(iommu_group);
    atCall('refcount_set');
    group.drivers = 1;
    yield* iommu_group_ref_get(iommu_group);
    group.type = type;
    return group;
  },
);

export const vfio_create_group = fn(
  'Makes the group that belongs to an IOMMU group: from here on there is /dev/vfio/ID.',
  function* vfio_create_group(vfio: Vfio, iommu_group: IommuGroup, type: VfioGroupType) {
    if (!since('linux', '5.16')) {
      const group = vfio_group(iommu_group);
      atCall('device_create');
      atCall('list_add');
      vfio.group_list.push(group);
      return group;
    }
    const group = yield* vfio_group_alloc(iommu_group, type);
    if (!since('linux', '6.2')) yield* acquire(vfio.group_lock, 'mutex_lock');
    atCall('cdev_device_add');
    atCall('list_add');
    vfio.group_list.push(group);
    if (!since('linux', '6.2')) release(vfio.group_lock, 'mutex_unlock');
    return group;
  },
);

export const vfio_noiommu_group_alloc = fn(
  'Makes up an IOMMU group for a device that no IOMMU sees: user space wants a group for everything.',
  function* vfio_noiommu_group_alloc(vfio: Vfio, dev: Device, type: VfioGroupType) {
    const iommu_group = yield* iommu_group_alloc(vfio.iommu_group_ida);
    yield* iommu_group_set_name(iommu_group, 'vfio-noiommu');
    yield* iommu_group_add_device(iommu_group, dev);
    if (since('linux', '6.2')) yield* acquire(vfio.group_lock, 'mutex_lock');
    const group = yield* vfio_create_group(vfio, iommu_group, type);
    if (since('linux', '6.2')) release(vfio.group_lock, 'mutex_unlock');
    yield* iommu_group_put(iommu_group);
    return group;
  },
);

export const vfio_device_set_group = fn(
  'Gives a device its group: the one that its IOMMU group has, or one that is made up.',
  function* vfio_device_set_group(vfio: Vfio, device: VfioDevice, type: VfioGroupType) {
    device.group = yield* vfio_noiommu_group_alloc(vfio, device.dev, type);
    return 0;
  },
);

export const vfio_device_group_register = fn(
  'Puts a device on its group’s list, where user space finds it by name.',
  function* vfio_device_group_register(device: VfioDevice, group: VfioGroup) {
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
  },
);
