import { source, through } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import { at, atCall, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EEXIST } from '../../../errno';
import { device, type Device } from '../../../include/linux/device';
import {
  mdev_device,
  mdev_parent,
  type MdevCore,
  type MdevDevice,
  type MdevDriver,
  type MdevParent,
  type MdevParentOps,
  type MdevType,
} from '../../../include/linux/mdev';
import { bus_register } from '../../base/bus';
import { device_add } from '../../base/core';
import { device_driver_attach } from '../../base/dd';
import { mdev_bus, mdev_bus_register } from './mdev_driver';
import { mdev_create_sysfs_files, parent_create_sysfs_files } from './mdev_sysfs';

/** The mdev core: parents, and the devices that are made of them. */

const { fn } = source('linux', 'drivers/vfio/mdev/mdev_core.c');

export const mdev_init = fn('mdev.ko is loaded: registers the bus of mediated devices.', function* mdev_init(core: MdevCore) {
  return since('linux', '6.1') ? yield* bus_register(core.mdev_bus_type) : yield* mdev_bus_register(core);
});

export const mdev_register_parent = fn(
  'Lets a device become a parent: its driver says which types of devices can be made of it.',
  function* mdev_register_parent(core: MdevCore, dev: Device, mdev_driver: MdevDriver, types: readonly MdevType[]) {
    const parent = mdev_parent({ dev, mdev: core, mdev_driver });
    parent.nr_types = types.length;
    yield* parent_create_sysfs_files(parent, types);
    atCall('kobject_uevent_env');
    return 0;
  },
);

export const mdev_register_device = fn(
  'Lets a device become a parent: its `mdev_parent_ops` say which types of devices can be made of it, and do what is asked of those.',
  function* mdev_register_device(core: MdevCore, dev: Device, ops: MdevParentOps) {
    at('ops');
    const parent = mdev_parent({ dev, mdev: core, ops });
    yield* parent_create_sysfs_files(parent, ops.supported_type_groups);
    atCall('kobject_uevent_env');
    return 0;
  },
);

export const mdev_device_create = fn(
  'Makes a mediated device and binds it to the driver. No other driver could take it: nothing on this bus matches by itself.',
  function* mdev_device_create(type: MdevType, uuid: string) {
    const { parent } = type;
    if (parent === undefined) throw new Error(`type ${type.sysfs_name} was never added to a parent`);
    const core = parent.mdev;

    yield* acquire(core.mdev_list_lock, 'mutex_lock');
    atCall('guid_equal');
    if (core.mdev_list.some((other) => other.uuid === uuid)) {
      release(core.mdev_list_lock, 'mutex_unlock');
      return -EEXIST;
    }
    const bus = mdev_bus(core, () => mdev);
    const mdev: MdevDevice = mdev_device({ uuid, type, dev: device(uuid, bus) });
    atCall('list_add');
    core.mdev_list.push(mdev);
    behind('list_add');
    release(core.mdev_list_lock, 'mutex_unlock');

    const ret = yield* bind(parent, mdev);
    if (ret !== 0) {
      atCall('put_device', 'The last reference: mdev_device_release() takes the device off the list.');
      core.mdev_list.splice(core.mdev_list.indexOf(mdev), 1);
      return ret;
    }
    yield* mdev_create_sysfs_files(mdev);
    mdev.active = true;
    return 0;
  },
);

/** Until 5.18 the parent’s driver made its part first, and vfio_mdev took the device when it was added. */
function* bind({ ops, mdev_driver }: MdevParent, mdev: MdevDevice) {
  if (ops !== undefined) {
    const ret = yield* through('function pointer', 'create', ops.create)(mdev.type, mdev);
    return ret === 0 ? yield* device_add(mdev.dev) : ret;
  }
  yield* device_add(mdev.dev);
  return mdev_driver === undefined ? 0 : yield* device_driver_attach(mdev_driver.driver, mdev.dev);
}
