import { bool, int, pointer, struct, type Instance, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { IommufdDevice } from '../../drivers/iommu/iommufd/device';
import type { IommufdCtx } from '../../drivers/iommu/iommufd/main';
import type { VfioDeviceSet, VfioGroup } from '../../drivers/vfio/vfio';
import type { VfioDeviceIoctl } from '../../drivers/vfio/vfio_main';
import type { VirqfdHost } from '../../drivers/vfio/virqfd';
import type { Device } from './device';
import type { VmAreaStruct } from './mm_types';

/** What VFIO drivers and the VFIO core know of each other. */

/** A driver's `vfio_device_ops`, each with the driver's own structure around the `vfio_device` filled in: what container_of() finds. */
export interface VfioDeviceOps {
  readonly init?: Pointer<[], number>;
  /** `open` and `release` until 5.15. */
  readonly open_device?: Pointer<[], number>;
  readonly close_device?: Pointer<[], void>;
  readonly release?: Pointer<[], void>;
  /** Somebody wants the device back; `count` says how often that was asked before. */
  readonly request?: Pointer<[count: number], void>;
  /** Whether a name that user space gave means this device; negative if it may not have it. */
  readonly match?: Pointer<[buf: string], number>;
  readonly mmap?: Pointer<[vma: MmapRequest], VmAreaStruct | number>;
  readonly bind_iommufd?: Pointer<[vdev: VfioDevice, ictx: IommufdCtx], number>;
  readonly unbind_iommufd?: Pointer<[vdev: VfioDevice], void>;
  readonly attach_ioas?: Pointer<[vdev: VfioDevice, pt_id: number], number>;
  readonly detach_ioas?: Pointer<[vdev: VfioDevice], void>;
  readonly ioctl: Pointer<[arg: VfioDeviceIoctl], number>;
  readonly read: Pointer<[region: number, offset: number, count: number], number>;
  readonly write: Pointer<[region: number, offset: number, count: number, value: number], number>;
}

/** A part of a region that user space maps. All in bytes. */
export interface MmapRequest {
  readonly index: number;
  readonly vm_start: number;
  readonly size: number;
}

const VfioDeviceCells = struct('vfio_device', 'A device as the VFIO core has it, whatever driver is behind it.', {
  index: int(),
  group: pointer<VfioGroup>(),
  refcount: int(),
  open_count: int(),
  'comp.done': int(),
  kvm: pointer<Instance>(),
  iommufd_device: pointer<IommufdDevice>(),
  iommufd_attached: bool(),
  cdev_opened: bool(),
});

export type VfioDevice = InstanceOf<typeof VfioDeviceCells> & {
  readonly dev: Device;
  readonly ops: VfioDeviceOps;
  /** The workqueues that upstream has in global variables. */
  readonly host: VirqfdHost;
  /** The devices that it can only be reset with. */
  dev_set: VfioDeviceSet | undefined;
};

/** Makes the device: what vfio_alloc_device() allocates, inside of its driver's structure. */
export const vfio_device = (parts: Pick<VfioDevice, 'dev' | 'ops' | 'host'>): VfioDevice =>
  Object.assign(VfioDeviceCells(parts.dev.name), parts, { dev_set: undefined });
