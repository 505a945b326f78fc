import { addressOf, bound, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { holding } from '../../../../engine/mutex';
import { at, atCall, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { EBUSY } from '../../errno';
import type { Device, DeviceDriver } from '../../include/linux/device';
import {
  BUS_NOTIFY_BIND_DRIVER,
  BUS_NOTIFY_BOUND_DRIVER,
  BUS_NOTIFY_DRIVER_NOT_BOUND,
  BUS_NOTIFY_UNBIND_DRIVER,
  BUS_NOTIFY_UNBOUND_DRIVER,
  blocking_notifier_call_chain,
} from '../../kernel/notifier';
import { driver_match_device } from './base';
import { bus_for_each_dev, bus_for_each_drv, bus_notify } from './bus';
import { pm_runtime_barrier, pm_runtime_get, pm_runtime_put_sync } from './power/runtime';

/** Binding drivers to devices, and taking them away. */

const { fn } = source('linux', 'drivers/base/dd.c');

/** Tells the listeners of a device's bus. */
function* notify(dev: Device, action: number): Run {
  if (dev.bus === undefined) return;
  if (since('linux', '6.3')) yield* bus_notify(dev, action);
  else yield* blocking_notifier_call_chain(dev.bus.type.bus_notifier, action, dev);
}

const driver_sysfs_add = fn(
  'Links driver and device in sysfs, and says that the one is about to get the other.',
  function* driver_sysfs_add(dev: Device) {
    yield* notify(dev, BUS_NOTIFY_BIND_DRIVER);
    atCall('sysfs_create_link');
    return 0;
  },
);

const driver_bound = fn('The device has its driver now.', function* driver_bound(dev: Device) {
  yield* notify(dev, BUS_NOTIFY_BOUND_DRIVER);
});

const call_driver_probe = fn(
  'Calls the bus’s probe, which calls the driver’s.',
  function* call_driver_probe(dev: Device, _drv: DeviceDriver) {
    return yield* probe(dev);
  },
);

/** dev->bus->probe(dev), in the function that is executing. */
function* probe({ name, bus }: Device) {
  if (bus === undefined) throw new Error(`${name} is probed but on no bus`);
  return yield* through('function pointer', 'probe', bus.probe)();
}

const really_probe = fn(
  'Binds: sets the device’s driver, lets the bus arrange for DMA, then asks the driver whether it takes the device. If not, all is undone.',
  function* really_probe(dev: Device, drv: DeviceDriver) {
    at('re_probe');
    dev.driver = drv;
    const configure = dev.bus?.dma_configure;
    let ret = configure === undefined ? 0 : yield* through('function pointer', 'dma_configure', configure)();
    if (ret === 0) {
      yield* driver_sysfs_add(dev);
      ret = since('linux', '5.15') ? yield* call_driver_probe(dev, drv) : yield* probe(dev);
      if (ret === 0) {
        yield* driver_bound(dev);
        return 0;
      }
      yield* notify(dev, BUS_NOTIFY_DRIVER_NOT_BOUND);
      if (dev.bus?.dma_cleanup !== undefined) yield* through('function pointer', 'dma_cleanup', dev.bus.dma_cleanup)();
    }
    at('probe_failed');
    dev.driver = undefined;
    return ret;
  },
);

const __driver_probe_device = fn(
  'Tries one driver on one device, unless the device has a driver already.',
  function* __driver_probe_device(drv: DeviceDriver, dev: Device) {
    at('driver');
    if (dev.driver !== undefined) return -EBUSY;
    if (dev.power !== undefined) yield* pm_runtime_barrier(dev);
    return yield* really_probe(dev, drv);
  },
);

const driver_probe_device = fn(
  'Tries a driver that matches. What it answers other than yes is no error: the next driver may try.',
  function* driver_probe_device(drv: DeviceDriver, dev: Device) {
    const ret = since('linux', '5.15') ? yield* __driver_probe_device(drv, dev) : yield* really_probe(dev, drv);
    return ret === 0 ? 1 : 0;
  },
);

export const device_driver_attach = fn(
  'Binds this driver to this device, whether or not they match: somebody has decided it.',
  function* device_driver_attach(drv: DeviceDriver, dev: Device) {
    return yield* __driver_probe_device(drv, dev);
  },
);

const __device_attach_driver = fn(
  'One driver of the bus: may it try the device?',
  function* __device_attach_driver(dev: Device, drv: DeviceDriver) {
    return (yield* driver_match_device(drv, dev)) > 0 ? yield* driver_probe_device(drv, dev) : 0;
  },
);

const __device_attach = fn('Offers a device to the drivers of its bus, one after the other.', function* __device_attach(dev: Device) {
  const { bus } = dev;
  if (bus === undefined) return 0;
  const attach = addressOf(bound(__device_attach_driver, () => dev));
  return yield* holding(dev.mutex, ['device_lock', 'device_unlock'], function* () {
    return dev.driver === undefined ? yield* bus_for_each_drv(bus.type, attach) : 1;
  });
});

export const device_initial_probe = fn('Looks for a driver for a new device.', function* device_initial_probe(dev: Device) {
  yield* __device_attach(dev);
});

export const device_attach = fn('Looks for a driver for a device that has none.', function* device_attach(dev: Device) {
  return yield* __device_attach(dev);
});

const __driver_attach = fn('Tries a driver on one device of its bus.', function* __driver_attach(drv: DeviceDriver, dev: Device) {
  if ((yield* driver_match_device(drv, dev)) <= 0) return 0;
  return yield* holding(dev.mutex, ['__device_driver_lock', '__device_driver_unlock'], function* () {
    yield* driver_probe_device(drv, dev);
    return 0;
  });
});

export const driver_attach = fn('Tries a driver on every device of its bus.', function* driver_attach(drv: DeviceDriver) {
  if (drv.bus === undefined) return 0;
  return yield* bus_for_each_dev(drv.bus, addressOf(bound(__driver_attach, () => drv)));
});

export const __device_set_driver_override = fn(
  'Remembers the name of the only driver that may have the device.',
  function* __device_set_driver_override(dev: Device, name: string | undefined) {
    at('driver_override');
    dev.driver_override = name;
    return 0;
  },
);

const device_remove = fn('Takes the device away from its driver, by way of the bus.', function* device_remove(dev: Device) {
  if (dev.bus?.remove !== undefined) yield* through('function pointer', 'remove', dev.bus.remove)();
});

const __device_release_driver = fn(
  'Parts device and driver, with the device awake. This waits for the driver; and a driver of VFIO’s waits for its user.',
  function* __device_release_driver(dev: Device) {
    at('drv');
    if (dev.driver === undefined) return;
    if (dev.power !== undefined) yield* pm_runtime_get('pm_runtime_get_sync', dev);
    yield* notify(dev, BUS_NOTIFY_UNBIND_DRIVER);
    if (dev.power !== undefined) yield* pm_runtime_put_sync(dev);
    yield* device_remove(dev);
    if (dev.bus?.dma_cleanup !== undefined) yield* through('function pointer', 'dma_cleanup', dev.bus.dma_cleanup)();
    atCall('device_unbind_cleanup');
    dev.driver = undefined;
    behind('BUS_NOTIFY_UNBIND_DRIVER');
    yield* notify(dev, BUS_NOTIFY_UNBOUND_DRIVER);
  },
);

const device_release_driver_internal = fn(
  'Parts device and driver under the device’s lock: nobody can bind it again before this is over.',
  function* device_release_driver_internal(dev: Device) {
    yield* holding(dev.mutex, ['__device_driver_lock', '__device_driver_unlock'], () => __device_release_driver(dev));
  },
);

export const device_release_driver = fn('Takes a device that goes away from its driver.', function* device_release_driver(dev: Device) {
  yield* device_release_driver_internal(dev);
});

export const device_driver_detach = fn('Takes a device away from its driver.', function* device_driver_detach(dev: Device) {
  yield* device_release_driver_internal(dev);
});
