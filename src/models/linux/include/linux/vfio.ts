import { int, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { VfioGroup } from '../../drivers/vfio/vfio';
import type { VfioDeviceIoctl } from '../../drivers/vfio/vfio_main';
import type { VirqfdHost } from '../../drivers/vfio/virqfd';
import type { Device } from './device';

/** What VFIO drivers and the VFIO core know of each other. */

/** A driver's `vfio_device_ops`, each with the driver's own structure around the `vfio_device` filled in: what container_of() finds. */
export interface VfioDeviceOps {
  readonly init?: Pointer<[], number>;
  /** `open` and `release` until 5.15. */
  readonly open_device?: Pointer<[], number>;
  readonly close_device?: Pointer<[], void>;
  readonly ioctl: Pointer<[arg: VfioDeviceIoctl], number>;
  readonly read: Pointer<[region: number, offset: number, count: number], number>;
  readonly write: Pointer<[region: number, offset: number, count: number, value: number], number>;
}

const VfioDeviceCells = struct('vfio_device', 'A device as the VFIO core has it, whatever driver is behind it.', {
  index: int(),
  group: pointer<VfioGroup>(),
  refcount: int(),
  open_count: int(),
});

export type VfioDevice = InstanceOf<typeof VfioDeviceCells> & {
  readonly dev: Device;
  readonly ops: VfioDeviceOps;
  /** The workqueues that upstream has in global variables. */
  readonly host: VirqfdHost;
};

/** Makes the device: what vfio_alloc_device() allocates, inside of its driver's structure. */
export const vfio_device = (parts: Pick<VfioDevice, 'dev' | 'ops' | 'host'>): VfioDevice =>
  Object.assign(VfioDeviceCells(parts.dev.name), parts);
