import { int, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import type { Device } from '../../include/linux/device';

/** IOMMU groups: the devices that an IOMMU cannot tell apart, and so the smallest thing that can be given away. */

const IommuGroupCells = struct('iommu_group', 'Devices that an IOMMU cannot tell apart.', { id: int() });

export type IommuGroup = InstanceOf<typeof IommuGroupCells> & { readonly devices: Device[]; name: string };

const { fn } = source('linux', 'drivers/iommu/iommu.c');

export const iommu_group_alloc = fn('Makes an empty group.', function* iommu_group_alloc(ids: IommuGroupIds) {
  const group: IommuGroup = Object.assign(IommuGroupCells(`group ${ids.next}`), { devices: [], name: '' });
  group.id = ids.next;
  ids.next += 1;
  return group;
});

/** iommu_group_ida: the number that the next group gets. */
export interface IommuGroupIds {
  next: number;
}

export const iommu_group_set_name = fn('Names a group, in sysfs.', function* iommu_group_set_name(group: IommuGroup, name: string) {
  at('name');
  group.name = name;
  return 0;
});

export const iommu_group_add_device = fn('Puts a device into a group.', function* iommu_group_add_device(group: IommuGroup, dev: Device) {
  dev.iommu_group = group;
  atCall('list_add_tail');
  group.devices.push(dev);
  return 0;
});

export const iommu_group_get = fn('The group of a device, with a reference.', function* iommu_group_get(dev: Device) {
  at('iommu_group');
  return dev.iommu_group;
});

export const iommu_group_ref_get = fn('Takes a reference on a group.', function* iommu_group_ref_get(group: IommuGroup) {
  atCall('kobject_get');
  return group;
});

export const iommu_group_put = fn('Drops a reference on a group.', function* iommu_group_put(_group: IommuGroup) {
  atCall('kobject_put');
});
