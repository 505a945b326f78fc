import { architecturally, boundPointer, source, through, via, type Pointer } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import type { Attribute, SysfsFile } from '../../fs/sysfs/file';
import { since } from '../../../version';
import type { BusType, Device, DeviceDriver } from '../../include/linux/device';
import { EINVAL, ENODEV } from '../../errno';
import { blocking_notifier_call_chain } from '../../kernel/notifier';
import { __device_set_driver_override, device_attach, device_driver_detach, device_initial_probe, driver_attach } from './dd';

/** Buses: who is on them, and bringing drivers and devices together. */

const { fn, ops } = source('linux', 'drivers/base/bus.c');

export const bus_register = fn('Makes a bus known to the driver core.', function* bus_register(_bus: BusType) {
  atCall('kset_create_and_add');
  return 0;
});

export const bus_add_driver = fn(
  'Puts a driver on its bus, and tries it on the devices that are there already.',
  function* bus_add_driver(drv: DeviceDriver) {
    const { bus } = drv;
    at('klist_drivers');
    if (bus === undefined) throw new Error(`driver ${drv.name} registers without a bus`);
    bus['p.klist_drivers'] += 1;
    bus.drivers.push(drv);
    return bus.devices.length === 0 ? 0 : yield* driver_attach(drv);
  },
);

export const bus_for_each_drv = fn(
  'Calls a function for each driver of a bus until one returns something else than 0.',
  function* bus_for_each_drv(bus: BusType, visit: Pointer<[drv: DeviceDriver], number>) {
    for (const drv of bus.drivers) {
      const error = yield* through('function pointer', 'fn', visit)(drv);
      if (error !== 0) return error;
    }
    return 0;
  },
);

export const bus_probe_device = fn(
  'A new device: looks for a driver, unless its bus has that turned off. A device of a class is on no bus.',
  function* bus_probe_device(dev: Device) {
    if (dev.bus === undefined) return;
    // Stable trees of 6.12 have put a function between.
    yield* since('linux', '6.12') ? via('__bus_probe_device', device_initial_probe)(dev) : device_initial_probe(dev);
  },
);

export const bus_for_each_dev = fn(
  'Calls a function for each device of a bus until one returns something else than 0.',
  function* bus_for_each_dev(bus: BusType, visit: Pointer<[dev: Device], number>) {
    for (const dev of bus.devices) {
      const error = yield* through('function pointer', 'fn', visit)(dev);
      if (error !== 0) return error;
    }
    return 0;
  },
);

export const bus_notify = fn('Tells everybody who listens to the bus.', function* bus_notify(dev: Device, value: number) {
  if (dev.bus !== undefined) yield* blocking_notifier_call_chain(dev.bus.type.bus_notifier, value, dev);
});

const bus_rescan_devices_helper = fn('Looks for a driver, for a device that has none.', function* bus_rescan_devices_helper(dev: Device) {
  at('driver');
  if (dev.driver !== undefined) return 0;
  const ret = yield* device_attach(dev);
  return ret < 0 ? ret : 0;
});

export const drivers_probe_store = fn(
  'A write to `drivers_probe`: asks the bus to find a driver for one device. This is how a driver override takes effect.',
  function* drivers_probe_store(bus: BusType, buf: string) {
    atCall('bus_find_device_by_name');
    const dev = bus.devices.find(({ name }) => name === buf);
    if (dev === undefined) return -ENODEV;
    return (yield* bus_rescan_devices_helper(dev)) === 0 ? buf.length : -EINVAL;
  },
);

export const unbind_store = fn(
  'A write to `unbind`: takes a device away from this driver.',
  function* unbind_store(drv: DeviceDriver, buf: string) {
    atCall('bus_find_device_by_name');
    const dev = drv.bus?.devices.find(({ name }) => name === buf);
    if (dev?.driver !== drv) return -ENODEV;
    yield* device_driver_detach(dev);
    return buf.length;
  },
);

const drv_attr_store = fn('Somebody writes to a file in a driver’s folder: calls the function behind it.', function* drv_attr_store<
  T,
>({ of, store }: Attribute<T>, buf: string) {
  at('store');
  return yield* architecturally('function pointer', store)(of, buf);
});

const bus_attr_store = fn('Somebody writes to a file in a bus’s folder: calls the function behind it.', function* bus_attr_store<
  T,
>({ of, store }: Attribute<T>, buf: string) {
  at('store');
  return yield* architecturally('function pointer', store)(of, buf);
});

const driver_sysfs_ops = ops('driver_sysfs_ops', { store: drv_attr_store });
const bus_sysfs_ops = ops('bus_sysfs_ops', { store: bus_attr_store });

/** A file in a driver's folder. */
export const driver_file = <T>(attribute: Attribute<T>): SysfsFile => ({
  store: boundPointer(driver_sysfs_ops.store, () => attribute as Attribute<unknown>),
});

/** A file in a bus's folder. */
export const bus_file = <T>(attribute: Attribute<T>): SysfsFile => ({
  store: boundPointer(bus_sysfs_ops.store, () => attribute as Attribute<unknown>),
});

/** What an administrator writes to `driver_override` so that the tables of ids decide again. */
export const NONE = '\n';

/** PCI had an attribute of its own before every bus got it. */
const { fn: override } = source('linux', 'drivers/base/bus.c');

export const driver_override_store = override(
  'A write to `driver_override`: only the driver of this name may have the device, and it may whatever its table of ids says.',
  function* driver_override_store(dev: Device, buf: string) {
    if (since('linux', '6.12')) {
      yield* __device_set_driver_override(dev, buf === NONE ? undefined : buf);
      return buf.length;
    }
    at('driver_override');
    dev.driver_override = buf === NONE ? undefined : buf;
    return buf.length;
  },
);
