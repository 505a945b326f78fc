import { bool, int, oneOf, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import { Mutex } from '../../../../engine/mutex';
import type { DevIommu, IommuGroup } from '../../drivers/iommu/iommu';
import type { NotifierBlock } from '../../kernel/notifier';
import type { WorkqueueStruct, WorkStruct } from '../../kernel/workqueue';

/** The driver model's structures: buses, drivers, devices. */

const BusTypeCells = struct('bus_type', 'A bus: the drivers that have registered for its devices.', { 'p.klist_drivers': int() });

export type BusType = InstanceOf<typeof BusTypeCells> & {
  readonly name: string;
  readonly drivers: DeviceDriver[];
  readonly devices: Device[];
  readonly bus_notifier: NotifierBlock[];
};

export const bus_type = (name: string): BusType => Object.assign(BusTypeCells(name), { name, drivers: [], devices: [], bus_notifier: [] });

const DeviceDriverCells = struct('device_driver', 'A driver as the driver core knows it.', { bus: pointer<BusType>() });

export type DeviceDriver = InstanceOf<typeof DeviceDriverCells> & {
  readonly name: string;
  /** The power callbacks that a driver has besides its bus's. */
  pm: DriverPmOps | undefined;
};

/** Makes a driver; with a bus, one that has registered already. */
export const device_driver = (name: string, bus?: BusType): DeviceDriver => {
  const driver = Object.assign(DeviceDriverCells(name, { bus }), { name, pm: undefined });
  bus?.drivers.push(driver);
  return driver;
};

/** A driver's power callbacks. */
export interface DriverPmOps {
  readonly runtime_suspend: Pointer<[dev: Device], number>;
  readonly runtime_resume: Pointer<[dev: Device], number>;
}

/** A device's bus, with the bus's operations on this device: the structure around the `device`, container_of(), is filled in. */
export interface DeviceBus {
  readonly type: BusType;
  readonly probe: Pointer<[], number>;
  /** A bus without one lets every driver try every device. */
  readonly match: Pointer<[drv: DeviceDriver], number> | undefined;
  readonly remove?: Pointer<[], void>;
  readonly dma_configure?: Pointer<[], number>;
  readonly dma_cleanup?: Pointer<[], void>;
  /** A bus whose devices can sleep. */
  readonly pm?: DevicePmOps;
}

/** A bus's power callbacks for one device. */
export interface DevicePmOps {
  readonly runtime_suspend: Pointer<[], number>;
  readonly runtime_resume: Pointer<[], number>;
  readonly runtime_idle: Pointer<[], number>;
}

export const RPM_ACTIVE = 0;
export const RPM_RESUMING = 1;
export const RPM_SUSPENDED = 2;
export const RPM_SUSPENDING = 3;

export const DevPmInfoCells = struct('dev_pm_info', 'Whether anybody needs a device awake: usage_count counts who does.', {
  usage_count: int(1),
  runtime_auto: bool(),
  runtime_status: oneOf({ RPM_ACTIVE, RPM_RESUMING, RPM_SUSPENDED, RPM_SUSPENDING }, RPM_ACTIVE),
  request_pending: bool(),
});

/** What the power of a device depends on, with the work that lets it sleep and the queue that does it. */
export type DevPmInfo = InstanceOf<typeof DevPmInfoCells> & { readonly work: WorkStruct; readonly pm_wq: WorkqueueStruct };

const DeviceCells = struct('device', 'A device in the driver model: the driver that is bound to it, and its IOMMU group.', {
  driver: pointer<DeviceDriver>(),
  iommu_group: pointer<IommuGroup>(),
});

export type Device = InstanceOf<typeof DeviceCells> & {
  readonly name: string;
  readonly bus: DeviceBus | undefined;
  readonly mutex: Mutex;
  /** The name of the only driver that may have it, as an administrator wrote it. */
  driver_override: string | undefined;
  /** What the driver keeps for the device. */
  driver_data: unknown;
  readonly iommu: DevIommu | undefined;
  readonly power: DevPmInfo | undefined;
};

/** What a device has when a run begins: `power` where the kernel may put it to sleep, `iommu` where it masters a bus behind one. */
export type DeviceParts = Pick<Partial<Device>, 'power' | 'iommu' | 'driver' | 'iommu_group'>;

/** Makes a device; without a bus it is one of a class. */
export const device = (name: string, bus?: DeviceBus, parts?: DeviceParts): Device =>
  Object.assign(DeviceCells(name, { driver: parts?.driver, iommu_group: parts?.iommu_group }), {
    name,
    bus,
    mutex: Mutex(`mutex of ${name}`),
    driver_override: undefined,
    driver_data: undefined,
    iommu: parts?.iommu,
    power: parts?.power,
  });
