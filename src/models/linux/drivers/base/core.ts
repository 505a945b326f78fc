import { architecturally, boundPointer, source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import type { Attribute, SysfsFile } from '../../fs/sysfs/file';
import type { Device } from '../../include/linux/device';
import { bus_probe_device } from './bus';

const { fn, ops } = source('linux', 'drivers/base/core.c');

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

const dev_attr_store = fn('Somebody writes to a file in a device’s folder: calls the function behind it.', function* dev_attr_store<
  T,
>({ of, store }: Attribute<T>, buf: string) {
  at('store');
  return yield* architecturally('function pointer', store)(of, buf);
});

const dev_sysfs_ops = ops('dev_sysfs_ops', { store: dev_attr_store });

/** A file in a device's folder. */
export const device_file = <T>(attribute: Attribute<T>): SysfsFile => ({
  store: boundPointer(dev_sysfs_ops.store, () => attribute as Attribute<unknown>),
});
