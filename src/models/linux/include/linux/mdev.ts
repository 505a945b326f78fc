import { bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import { Mutex } from '../../../../engine/mutex';
import type { Vfio } from '../../drivers/vfio/vfio';
import type { VfioDeviceIoctl } from '../../drivers/vfio/vfio_main';
import { bus_type, type BusType, type Device, type DeviceDriver } from './device';

/** Mediated devices: several devices that a driver makes of one. */

/** A kind of device that a parent can make: a folder below mdev_supported_types. */
export interface MdevType {
  readonly sysfs_name: string;
  readonly pretty_name: string;
  parent: MdevParent | undefined;
}

const MdevDeviceCells = struct('mdev_device', 'A mediated device. active: it is complete and may be removed.', { active: bool() });

export type MdevDevice = InstanceOf<typeof MdevDeviceCells> & {
  readonly uuid: string;
  readonly type: MdevType;
  readonly dev: Device;
};

export const mdev_device = (parts: Pick<MdevDevice, 'uuid' | 'type' | 'dev'>): MdevDevice =>
  Object.assign(MdevDeviceCells(parts.uuid), parts);

/** A driver of mediated devices; since 5.19 it is also the one that makes them. */
export interface MdevDriver {
  readonly driver: DeviceDriver;
  readonly device_api: string;
  readonly probe: Pointer<[mdev: MdevDevice], number>;
  readonly get_available?: Pointer<[mtype: MdevType], number>;
}

/** `mdev_parent_ops`: what the driver of a parent offered until 5.18, when vfio_mdev was the driver of every mediated device. */
export interface MdevParentOps {
  readonly supported_type_groups: readonly MdevType[];
  readonly create: Pointer<[kobj: MdevType, mdev: MdevDevice], number>;
  readonly open: Pointer<[mdev: MdevDevice], number>;
  readonly release: Pointer<[mdev: MdevDevice], void>;
  readonly ioctl: Pointer<[mdev: MdevDevice, arg: VfioDeviceIoctl], number>;
  readonly read: Pointer<[mdev: MdevDevice, region: number, offset: number, count: number], number>;
  readonly write: Pointer<[mdev: MdevDevice, region: number, offset: number, count: number, value: number], number>;
}

const MdevParentCells = struct('mdev_parent', 'A device that mediated devices are made of.', {
  nr_types: int(),
  available_instances: int(),
});

export type MdevParent = InstanceOf<typeof MdevParentCells> & {
  readonly dev: Device;
  readonly mdev: MdevCore;
  /** Since 5.19. */
  readonly mdev_driver?: MdevDriver;
  /** Until 5.18. */
  readonly ops?: MdevParentOps;
};

export const mdev_parent = (parts: Pick<MdevParent, 'dev' | 'mdev' | 'mdev_driver' | 'ops'>): MdevParent =>
  Object.assign(MdevParentCells(parts.dev.name), parts);

/** What mdev.ko keeps in static variables, and the VFIO core that it works for. */
export interface MdevCore {
  readonly vfio: Vfio;
  readonly mdev_bus_type: BusType;
  readonly mdev_list_lock: Mutex;
  readonly mdev_list: MdevDevice[];
  /** The drivers that have registered: container_of(dev->driver). */
  readonly drivers: MdevDriver[];
}

export const mdev_core = (vfio: Vfio): MdevCore => ({
  vfio,
  mdev_bus_type: bus_type('mdev'),
  mdev_list_lock: Mutex('mdev_list_lock'),
  mdev_list: [],
  drivers: [],
});
