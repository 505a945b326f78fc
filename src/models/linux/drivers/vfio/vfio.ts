import { int, oneOf, pointer, struct, type Instance, type InstanceOf } from '../../../../engine/cell';
import { Mutex } from '../../../../engine/mutex';
import type { File } from '../../fs/file_table';
import type { MmStruct } from '../../include/linux/mm_types';
import type { VfioDevice } from '../../include/linux/vfio';
import type { IommufdCtx } from '../iommu/iommufd/main';
import type { VfioIommu, VfioIommuDriverOps } from './vfio_iommu_type1';
import type { VirqfdHost } from './virqfd';
import type { IommuGroup, IommuGroupIds } from '../iommu/iommu';

/** What the files of the VFIO core share: drivers/vfio/vfio.h. */

/** VFIO_IOMMU: the devices of a real IOMMU group. VFIO_EMULATED_IOMMU: a mediated device, whose driver maps memory by itself. */
export const VFIO_IOMMU = 0;
export const VFIO_EMULATED_IOMMU = 1;
export const VFIO_NO_IOMMU = 2;
export type VfioGroupType = typeof VFIO_IOMMU | typeof VFIO_EMULATED_IOMMU | typeof VFIO_NO_IOMMU;

const VfioGroupCells = struct(
  'vfio_group',
  'A group as user space opens it: /dev/vfio/ID. drivers: devices of it that VFIO has; container_users: open devices, and one for the container.',
  {
    type: oneOf({ VFIO_IOMMU, VFIO_EMULATED_IOMMU, VFIO_NO_IOMMU }, VFIO_IOMMU),
    drivers: int(),
    opened: int(),
    opened_file: pointer<VfioGroupFile>(),
    container: pointer<VfioContainer>(),
    container_users: int(),
    kvm: pointer<Instance>(),
    iommufd: pointer<IommufdCtx>(),
    cdev_device_open_cnt: int(),
  },
);

export type VfioGroup = InstanceOf<typeof VfioGroupCells> & {
  readonly iommu_group: IommuGroup;
  readonly group_lock: Mutex;
  readonly device_lock: Mutex;
  readonly device_list: VfioDevice[];
};

export const vfio_group = (iommu_group: IommuGroup): VfioGroup =>
  Object.assign(VfioGroupCells(`/dev/vfio/${iommu_group.id}`), {
    iommu_group,
    group_lock: Mutex(`group_lock of group ${iommu_group.id}`),
    device_lock: Mutex(`device_lock of group ${iommu_group.id}`),
    device_list: [],
  });

/** A group that is open. */
export type VfioGroupFile = File & { readonly f_op: 'vfio_group_fops'; readonly group: VfioGroup };

const VfioContainerCells = struct(
  'vfio_container',
  'Groups that share one set of mappings: /dev/vfio/vfio, opened. kref: its file and its groups.',
  {
    kref: int(1),
    iommu_driver: pointer<VfioIommuDriver>(),
    iommu_data: pointer<VfioIommu>(),
  },
);

export type VfioContainer = InstanceOf<typeof VfioContainerCells> & {
  readonly vfio: Vfio;
  readonly group_lock: Mutex;
  readonly group_list: VfioGroup[];
};

export const vfio_container = (vfio: Vfio): VfioContainer =>
  Object.assign(VfioContainerCells('/dev/vfio/vfio'), { vfio, group_lock: Mutex('group_lock of the container'), group_list: [] });

/** A container's file. */
export type VfioContainerFile = File & { readonly f_op: 'vfio_fops'; readonly container: VfioContainer };

const VfioIommuDriverCells = struct('vfio_iommu_driver', 'A backend of containers that has registered.', {});

export type VfioIommuDriver = InstanceOf<typeof VfioIommuDriverCells> & { readonly ops: VfioIommuDriverOps };

export const vfio_iommu_driver = (ops: VfioIommuDriverOps): VfioIommuDriver => Object.assign(VfioIommuDriverCells('type1'), { ops });

/** A mapping that user space asks for; `mm` is its own memory. All in bytes. */
export interface DmaMap {
  readonly iova: number;
  readonly vaddr: number;
  readonly size: number;
  readonly flags: number;
  readonly mm: MmStruct;
}

/** `vfio_iommu_type1_info`: the kernel fills in the flags, and how large it would have to be. */
export interface IommuInfo {
  argsz: number;
  flags: number;
}

/** The ioctls of a container. */
export type ContainerIoctl =
  | { readonly cmd: 'VFIO_GET_API_VERSION' }
  | { readonly cmd: 'VFIO_CHECK_EXTENSION'; readonly extension: number }
  | { readonly cmd: 'VFIO_SET_IOMMU'; readonly iommu_type: number }
  | { readonly cmd: 'VFIO_IOMMU_GET_INFO'; readonly info: IommuInfo }
  | { readonly cmd: 'VFIO_IOMMU_MAP_DMA'; readonly map: DmaMap }
  | { readonly cmd: 'VFIO_IOMMU_UNMAP_DMA'; readonly iova: number; readonly size: number };

/** Devices that can only be reset together, and so are opened and closed under one lock. */
export interface VfioDeviceSet {
  readonly set_id: unknown;
  readonly lock: Mutex;
  readonly device_list: VfioDevice[];
}

/** The static variable `vfio`, and what else upstream has in global variables: workqueues, the numbers that IOMMU groups get. */
export interface Vfio {
  readonly host: VirqfdHost;
  readonly group_lock: Mutex;
  readonly group_list: VfioGroup[];
  readonly iommu_group_ida: IommuGroupIds;
  /** device_ida: the index that the next device gets. */
  device_ida: number;
  readonly device_set_xa: Map<unknown, VfioDeviceSet>;
  readonly iommu_drivers_lock: Mutex;
  readonly iommu_drivers_list: VfioIommuDriver[];
}

/** Makes the VFIO core; the first IOMMU group gets the number `group`. */
export const vfio_core = (host: VirqfdHost, group = 0): Vfio => ({
  host,
  group_lock: Mutex('vfio.group_lock'),
  group_list: [],
  iommu_group_ida: { next: group },
  device_ida: 0,
  device_set_xa: new Map<unknown, VfioDeviceSet>(),
  iommu_drivers_lock: Mutex('iommu_drivers_lock'),
  iommu_drivers_list: [],
});
