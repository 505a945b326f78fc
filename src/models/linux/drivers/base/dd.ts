import { addressOf, bound, source, through } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import { EBUSY } from '../../errno';
import type { Device, DeviceDriver } from '../../include/linux/device';
import { driver_match_device } from './base';
import { bus_for_each_drv } from './bus';

/** Binding drivers to devices. */

const { fn } = source('linux', 'drivers/base/dd.c');

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
  'Binds: sets the device’s driver, then asks the driver whether it takes the device. If not, all is undone.',
  function* really_probe(dev: Device, drv: DeviceDriver) {
    at('re_probe');
    dev.driver = drv;
    const ret = since('linux', '5.15') ? yield* call_driver_probe(dev, drv) : yield* probe(dev);
    if (ret !== 0) {
      at('probe_failed');
      dev.driver = undefined;
      return ret;
    }
    atCall('driver_bound');
    return 0;
  },
);

const __driver_probe_device = fn(
  'Tries one driver on one device, unless the device has a driver already.',
  function* __driver_probe_device(drv: DeviceDriver, dev: Device) {
    at('driver');
    return dev.driver === undefined ? yield* really_probe(dev, drv) : -EBUSY;
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
  if (dev.bus === undefined) return 0;
  return yield* bus_for_each_drv(dev.bus.type, addressOf(bound(__device_attach_driver, () => dev)));
});

export const device_initial_probe = fn('Looks for a driver for a new device.', function* device_initial_probe(dev: Device) {
  yield* __device_attach(dev);
});
