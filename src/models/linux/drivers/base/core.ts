import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { Device } from '../../include/linux/device';
import { bus_probe_device } from './bus';

const { fn } = source('linux', 'drivers/base/core.c');

export const device_add = fn(
  'Adds a device to the driver model: its folder in sysfs, its bus or class, a uevent, and then a driver if one can be found.',
  function* device_add(dev: Device) {
    atCall('bus_add_device');
    atCall('kobject_uevent');
    yield* bus_probe_device(dev);
    return 0;
  },
);

export const device_register = fn('Initializes a device and adds it.', function* device_register(dev: Device) {
  atCall('device_initialize');
  return yield* device_add(dev);
});
