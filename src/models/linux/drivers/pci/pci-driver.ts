import { boundPointer, source, through, via, type Pointer } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { EEXIST, ENODEV } from '../../errno';
import { bus_type, device, device_driver, type BusType, type Device, type DeviceBus, type DeviceDriver } from '../../include/linux/device';
import type { WorkqueueStruct } from '../../kernel/workqueue';
import { driver_attach } from '../base/dd';
import { driver_register } from '../base/driver';
import { dev_pm_info, pm_runtime_barrier, pm_runtime_get, pm_runtime_put_noidle, pm_runtime_put_sync } from '../base/power/runtime';
import { iommu_device_unuse_default_domain, iommu_device_use_default_domain, type DevIommu, type IommuGroup } from '../iommu/iommu';
import { pci_finish_runtime_suspend, pci_power_up, pci_save_state, type PciDev } from './pci';

/** PCI drivers, and how they get their devices. */

/** A device as a table of ids names it. */
export interface PciDeviceId {
  readonly vendor: number;
  readonly device: number;
}

/** A PCI driver, with the operations that it has; the driver's own globals are filled in. */
export interface PciDriver {
  readonly driver: DeviceDriver;
  /** Devices that the driver knows, or any that an administrator says is for it. */
  readonly id_table: readonly PciDeviceId[] | 'only by override';
  /** Devices that an administrator has added. */
  readonly dynids: PciDeviceId[];
  /** It does not use the kernel’s DMA API, and so does not rely on the domain that its device is in. */
  readonly driver_managed_dma: boolean;
  readonly probe?: Pointer<[pdev: PciDev], number>;
  readonly remove?: Pointer<[pdev: PciDev], void>;
  readonly sriov_configure?: Pointer<[pdev: PciDev, nr_virtfn: number], number>;
}

/** Makes a driver that is not registered yet. */
export const pci_driver = (name: string, parts: Omit<PciDriver, 'driver' | 'dynids'>): PciDriver => ({
  ...parts,
  driver: device_driver(name),
  dynids: [],
});

/** Makes a driver of the host's, which is there when the run begins. */
export function builtin_driver(bus: PciBus, name: string, id_table: readonly PciDeviceId[]): PciDriver {
  const driver: PciDriver = { id_table, driver_managed_dma: false, driver: device_driver(name, bus.type), dynids: [] };
  bus.drivers.push(driver);
  return driver;
}

/** The PCI bus: the bus of the driver model, and its drivers as PCI knows them. */
export interface PciBus {
  readonly type: BusType;
  readonly drivers: PciDriver[];
}

export const pci_bus = (): PciBus => ({ type: bus_type('pci'), drivers: [] });

/** to_pci_driver(). */
const to_pci_driver = ({ drivers }: PciBus, drv: DeviceDriver | undefined): PciDriver | undefined =>
  drivers.find(({ driver }) => driver === drv);

/** A PCI device as the bus's operations get it: to_pci_dev(). */
interface OnBus {
  readonly bus: PciBus;
  readonly pdev: PciDev;
  readonly id: PciDeviceId;
}

const { fn, ops } = source('linux', 'drivers/pci/pci-driver.c');

const pci_match_device = fn(
  'Whether a driver is for a device. An override rules out every other driver, and lets its own have the device whatever the tables say; else the ids that were added come before those that the driver was built with.',
  function* pci_match_device({ driver, dynids, id_table }: PciDriver, { pdev: { dev }, id }: OnBus) {
    if (since('linux', '6.12')) atCall('device_match_driver_override');
    else at('driver_override');
    if (dev.driver_override !== undefined && dev.driver_override !== driver.name) return false;
    const matches = (one: PciDeviceId): boolean => one.vendor === id.vendor && one.device === id.device;
    at('dynids');
    if (dynids.some(matches)) return true;
    atCall('do_pci_match_id');
    if (id_table !== 'only by override' && id_table.some(matches)) return true;
    return dev.driver_override !== undefined;
  },
);

const pci_bus_match = fn('Whether a driver of the bus is for this device.', function* pci_bus_match(on: OnBus, drv: DeviceDriver) {
  const pci_drv = to_pci_driver(on.bus, drv);
  return pci_drv !== undefined && (yield* pci_match_device(pci_drv, on)) ? 1 : 0;
});

const local_pci_probe = fn(
  'Calls the driver’s probe with the device awake. A driver that lets it sleep gives up the reference that is taken here.',
  function* local_pci_probe(pdev: PciDev, pci_drv: PciDriver) {
    yield* pm_runtime_get('pm_runtime_get_sync', pdev.dev);
    at('driver');
    pdev.driver = pci_drv;
    const rc = pci_drv.probe === undefined ? 0 : yield* through('function pointer', 'probe', pci_drv.probe)(pdev);
    if (rc === 0) return 0;
    at('driver');
    pdev.driver = undefined;
    yield* pm_runtime_put_sync(pdev.dev);
    return rc;
  },
);

const pci_call_probe = fn(
  'Probes on a CPU near the device, so that the driver’s memory comes from there.',
  function* pci_call_probe(drv: PciDriver, pdev: PciDev) {
    return yield* local_pci_probe(pdev, drv);
  },
);

const __pci_device_probe = fn(
  'Makes sure that the driver still matches, and probes.',
  function* __pci_device_probe(drv: PciDriver, on: OnBus) {
    if (!(yield* pci_match_device(drv, on))) return -ENODEV;
    return yield* pci_call_probe(drv, on.pdev);
  },
);

const pci_device_probe = fn('Gives the device an interrupt, and lets its driver probe.', function* pci_device_probe(on: OnBus) {
  const drv = to_pci_driver(on.bus, on.pdev.dev.driver);
  atCall('pci_assign_irq');
  return drv === undefined ? -ENODEV : yield* __pci_device_probe(drv, on);
});

const pci_device_remove = fn(
  'Lets the driver give up the device, with the device awake and nothing going on with its power.',
  function* pci_device_remove({ pdev }: OnBus) {
    const { dev, driver } = pdev;
    if (driver?.remove !== undefined) {
      yield* pm_runtime_get('pm_runtime_get_sync', dev);
      yield* pm_runtime_barrier(dev);
      behind('remove');
      yield* through('function pointer', 'remove', driver.remove)(pdev);
      pm_runtime_put_noidle(dev);
    }
    atWrite('driver', 'pm_runtime_put_noidle');
    pdev.driver = undefined;
    yield* pm_runtime_put_sync(dev);
  },
);

const pci_dma_configure = fn(
  'Prepares DMA for a driver that leaves that to the kernel: the device’s group must be in the kernel’s own domain, and has to stay there.',
  function* pci_dma_configure({ bus, pdev: { dev } }: OnBus) {
    const driver = to_pci_driver(bus, dev.driver);
    at('driver_managed_dma');
    return driver?.driver_managed_dma === false ? yield* iommu_device_use_default_domain(dev) : 0;
  },
);

const pci_dma_cleanup = fn(
  'The driver is gone: the group need no longer stay in the kernel’s domain.',
  function* pci_dma_cleanup({ bus, pdev: { dev } }: OnBus) {
    const driver = to_pci_driver(bus, dev.driver);
    at('driver_managed_dma');
    if (driver?.driver_managed_dma === false) yield* iommu_device_unuse_default_domain(dev);
  },
);

const pci_pm_runtime_suspend = fn(
  'Lets the driver prepare, saves the configuration space, and puts the device into the deepest state from which it can come back.',
  function* pci_pm_runtime_suspend({ pdev }: OnBus) {
    const pm = pdev.dev.driver?.pm;
    if (pm !== undefined) {
      const error = yield* through('function pointer', 'runtime_suspend', pm.runtime_suspend)(pdev.dev);
      if (error !== 0) return error;
    }
    behind('runtime_suspend');
    yield* pci_save_state(pdev);
    if (pdev.driver !== undefined) yield* pci_finish_runtime_suspend(pdev);
    return 0;
  },
);

const pci_pm_runtime_resume = fn('Wakes the device, restores it, and tells the driver.', function* pci_pm_runtime_resume({ pdev }: OnBus) {
  if (since('linux', '6.0')) yield* via('pci_pm_default_resume_early', pci_power_up)(pdev);
  const pm = pdev.dev.driver?.pm;
  return pm === undefined ? 0 : yield* through('function pointer', 'runtime_resume', pm.runtime_resume)(pdev.dev);
});

const pci_pm_runtime_idle = fn('A driver without an opinion lets its device sleep.', function* pci_pm_runtime_idle(_on: OnBus) {
  at('pm');
  return 0;
});

const bus_ops = ops('pci_bus_type', {
  match: pci_bus_match,
  probe: pci_device_probe,
  remove: pci_device_remove,
  dma_configure: pci_dma_configure,
  dma_cleanup: pci_dma_cleanup,
});
const pm_ops = ops('pci_dev_pm_ops', {
  runtime_suspend: pci_pm_runtime_suspend,
  runtime_resume: pci_pm_runtime_resume,
  runtime_idle: pci_pm_runtime_idle,
});

/** What enumeration finds out about a device. */
export interface Enumerated {
  readonly id: PciDeviceId;
  readonly iommu: DevIommu;
  readonly iommu_group: IommuGroup;
  readonly pm_wq: WorkqueueStruct;
  /** The driver that it has when the run begins. */
  readonly driver: PciDriver | undefined;
}

/** Puts a PCI device on the bus, behind an IOMMU: what enumeration has found. Call it with the `pci_dev` that it will be part of. */
export function pci_device(bus: PciBus, name: string, pdev: () => PciDev, { id, iommu, pm_wq, driver, iommu_group }: Enumerated): Device {
  const on = (): OnBus => ({ bus, pdev: pdev(), id });
  const of_bus: DeviceBus = {
    type: bus.type,
    match: boundPointer(bus_ops.match, on),
    probe: boundPointer(bus_ops.probe, on),
    remove: boundPointer(bus_ops.remove, on),
    dma_configure: boundPointer(bus_ops.dma_configure, on),
    dma_cleanup: boundPointer(bus_ops.dma_cleanup, on),
    pm: {
      runtime_suspend: boundPointer(pm_ops.runtime_suspend, on),
      runtime_resume: boundPointer(pm_ops.runtime_resume, on),
      runtime_idle: boundPointer(pm_ops.runtime_idle, on),
    },
  };
  // User space may not let it sleep yet, and a driver that knows nothing of this keeps the reference of its probe.
  const power = dev_pm_info(name, () => dev, pm_wq, driver === undefined ? 1 : 2);
  const dev = device(name, of_bus, { iommu, power, iommu_group, ...(driver === undefined ? {} : { driver: driver.driver }) });
  iommu_group.devices.push(dev);
  bus.type.devices.push(dev);
  return dev;
}

export const __pci_register_driver = fn(
  'Registers a PCI driver, which is tried on every device that has none.',
  function* __pci_register_driver(bus: PciBus, drv: PciDriver) {
    at('bus');
    drv.driver.bus = bus.type;
    bus.drivers.push(drv);
    return yield* driver_register(drv.driver);
  },
);

/** pci_register_driver(). */
export const pci_register_driver = via('pci_register_driver', __pci_register_driver);

const do_pci_add_dynid = fn(
  'Adds an id to a driver, and tries it at once on every device that has no driver: all that match, wanted or not.',
  function* do_pci_add_dynid(drv: PciDriver, id: PciDeviceId) {
    atCall('list_add_tail');
    drv.dynids.push(id);
    return yield* driver_attach(drv.driver);
  },
);

export const new_id_store = fn(
  'A write to `new_id`: the driver takes devices with this vendor and device id from now on.',
  function* new_id_store(pdrv: PciDriver, buf: string) {
    atCall('sscanf');
    const [vendor = 0, device_id = 0] = buf.split(' ').map((number) => parseInt(number, 16));
    const id = { vendor, device: device_id };
    if (pdrv.dynids.some((known) => known.vendor === id.vendor && known.device === id.device)) return -EEXIST;
    const ret = yield* do_pci_add_dynid(pdrv, id);
    return ret === 0 ? buf.length : ret;
  },
);
