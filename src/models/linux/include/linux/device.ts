import { int, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { IommuGroup } from '../../drivers/iommu/iommu';

/** The driver model's structures: buses, drivers, devices. */

const BusTypeCells = struct('bus_type', 'A bus: the drivers that have registered for its devices.', { 'p.klist_drivers': int() });

export type BusType = InstanceOf<typeof BusTypeCells> & { readonly name: string; readonly drivers: DeviceDriver[] };

export const bus_type = (name: string): BusType => Object.assign(BusTypeCells(name), { name, drivers: [] });

const DeviceDriverCells = struct('device_driver', 'A driver as the driver core knows it.', { bus: pointer<BusType>() });

export type DeviceDriver = InstanceOf<typeof DeviceDriverCells> & { readonly name: string };

export const device_driver = (name: string): DeviceDriver => Object.assign(DeviceDriverCells(name), { name });

/** A device's bus, with the bus's operations on this device: the structure around the `device`, container_of(), is filled in. */
export interface DeviceBus {
  readonly type: BusType;
  readonly probe: Pointer<[], number>;
  /** A bus without one lets every driver try every device. */
  readonly match: Pointer<[drv: DeviceDriver], number> | undefined;
}

const DeviceCells = struct('device', 'A device in the driver model: the driver that is bound to it, and its IOMMU group.', {
  driver: pointer<DeviceDriver>(),
  iommu_group: pointer<IommuGroup>(),
});

export type Device = InstanceOf<typeof DeviceCells> & { readonly name: string; readonly bus: DeviceBus | undefined };

export const device = (name: string, bus?: DeviceBus): Device => Object.assign(DeviceCells(name), { name, bus });
