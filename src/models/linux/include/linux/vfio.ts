import type { Pointer } from '../../../../engine/fn';
import type { VfioDeviceIoctl } from '../../drivers/vfio/vfio_main';
import type { VirqfdHost } from '../../drivers/vfio/virqfd';

/** What VFIO drivers and the VFIO core know of each other. */

/** A driver's `vfio_device_ops`, each with the driver's own structure around the `vfio_device` filled in: what container_of() finds. */
export interface VfioDeviceOps {
  readonly ioctl: Pointer<[arg: VfioDeviceIoctl], number>;
  readonly read: Pointer<[region: number, offset: number], number>;
  readonly write: Pointer<[region: number, offset: number, value: number], number>;
}

/** A device as the VFIO core has it, whatever driver is behind it. */
export interface VfioDevice {
  readonly ops: VfioDeviceOps;
  /** The workqueues that upstream has in global variables. */
  readonly host: VirqfdHost;
}
