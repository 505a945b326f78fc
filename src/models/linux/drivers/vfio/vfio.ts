import { int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import { Mutex } from '../../../../engine/mutex';
import type { VfioDevice } from '../../include/linux/vfio';
import type { VirqfdHost } from './virqfd';
import type { IommuGroup, IommuGroupIds } from '../iommu/iommu';

/** What the files of the VFIO core share: drivers/vfio/vfio.h. */

/** VFIO_IOMMU: the devices of a real IOMMU group. VFIO_EMULATED_IOMMU: a mediated device, whose driver maps memory by itself. */
export const VFIO_IOMMU = 0;
export const VFIO_EMULATED_IOMMU = 1;
export const VFIO_NO_IOMMU = 2;
export type VfioGroupType = typeof VFIO_IOMMU | typeof VFIO_EMULATED_IOMMU | typeof VFIO_NO_IOMMU;

const VfioGroupCells = struct('vfio_group', 'A group as user space opens it: /dev/vfio/ID.', {
  type: oneOf({ VFIO_IOMMU, VFIO_EMULATED_IOMMU, VFIO_NO_IOMMU }, VFIO_IOMMU),
  drivers: int(),
  opened: int(),
});

export type VfioGroup = InstanceOf<typeof VfioGroupCells> & {
  readonly iommu_group: IommuGroup;
  readonly device_lock: Mutex;
  readonly device_list: VfioDevice[];
};

export const vfio_group = (iommu_group: IommuGroup): VfioGroup =>
  Object.assign(VfioGroupCells(`/dev/vfio/${iommu_group.id}`), {
    iommu_group,
    device_lock: Mutex(`device_lock of group ${iommu_group.id}`),
    device_list: [],
  });

/** The static variable `vfio`, and what else upstream has in global variables: workqueues, the numbers that IOMMU groups get. */
export interface Vfio {
  readonly host: VirqfdHost;
  readonly group_lock: Mutex;
  readonly group_list: VfioGroup[];
  readonly iommu_group_ida: IommuGroupIds;
  /** device_ida: the index that the next device gets. */
  device_ida: number;
}

/** Makes the VFIO core; the first IOMMU group gets the number `group`. */
export const vfio_core = (host: VirqfdHost, group = 0): Vfio => ({
  host,
  group_lock: Mutex('vfio.group_lock'),
  group_list: [],
  iommu_group_ida: { next: group },
  device_ida: 0,
});
