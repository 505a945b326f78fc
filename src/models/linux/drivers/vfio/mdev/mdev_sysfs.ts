import { architecturally, boundPointer, source, through, type Fn } from '../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import type { SysfsFile } from '../../../fs/sysfs/file';
import type { MdevDevice, MdevParent, MdevType } from '../../../include/linux/mdev';
import { mdev_device_create } from './mdev_core';

/** What mdev shows in sysfs: the types that a parent can make, and the file `create` that makes one. */

const { fn, ops } = source('linux', 'drivers/vfio/mdev/mdev_sysfs.c');

const create_store = fn(
  'Somebody has written a UUID to `create`: makes the device that will have this name.',
  function* create_store(mtype: MdevType, uuid: string) {
    atCall('guid_parse');
    const ret = yield* mdev_device_create(mtype, uuid);
    return ret === 0 ? uuid.length : ret;
  },
);

const mdev_type_attr_store = fn(
  'A file of a type is written to: finds the attribute’s function.',
  function* mdev_type_attr_store(mtype: MdevType, buf: string) {
    at('store');
    return yield* architecturally('function pointer', create_store)(mtype, buf);
  },
);

const mdev_type_sysfs_ops = ops('mdev_type_sysfs_ops', { store: mdev_type_attr_store });

/** The file mdev_supported_types/TYPE/create. */
export const create_file = (mtype: MdevType): SysfsFile => ({ store: boundPointer(mdev_type_sysfs_ops.store, () => mtype) });

const name_show = fn('What people call the type.', function* name_show(_mtype: MdevType) {
  at('pretty_name');
  return 0;
});

const device_api_show = fn('Which interface of VFIO the type’s devices speak: vfio-pci.', function* device_api_show(_mtype: MdevType) {
  at('device_api');
  return 0;
});

const available_instances_show = fn(
  'How many more devices of this type can be made: the driver knows, or the core counts.',
  function* available_instances_show(mtype: MdevType) {
    const { parent } = mtype;
    const get_available = parent?.mdev_driver?.get_available;
    at('get_available');
    if (get_available !== undefined) {
      behind('get_available');
      return yield* through('function pointer', 'get_available', get_available)(mtype);
    }
    return parent?.available_instances ?? 0;
  },
);

export const mdev_type_attr_show = fn(
  'A file of a type is read: finds the attribute’s function.',
  function* mdev_type_attr_show(mtype: MdevType, attr: Fn<[mtype: MdevType], number>) {
    at('show');
    return yield* architecturally('function pointer', attr)(mtype);
  },
);

/** The files of a type that can be read. */
export const TYPE_FILES = { name: name_show, device_api: device_api_show, available_instances: available_instances_show } as const;

const mdev_type_add = fn(
  'Makes the folder of a type, with the file `create` in it.',
  function* mdev_type_add(parent: MdevParent, type: MdevType) {
    at('parent');
    type.parent = parent;
    atCall('kobject_init_and_add');
  },
);

const add_mdev_supported_type = fn(
  'Makes the folder of a type, with the file `create` in it.',
  function* add_mdev_supported_type(parent: MdevParent, group: MdevType) {
    at('parent');
    group.parent = parent;
    atCall('kobject_init_and_add');
  },
);

const add_mdev_supported_type_groups = fn(
  'A type for each group of attributes that the driver gives.',
  function* add_mdev_supported_type_groups(parent: MdevParent, types: readonly MdevType[]) {
    for (const group of types) yield* add_mdev_supported_type(parent, group);
  },
);

export const parent_create_sysfs_files = fn(
  'Makes mdev_supported_types in the parent’s folder, with a folder for each type.',
  function* parent_create_sysfs_files(parent: MdevParent, types: readonly MdevType[]) {
    atCall('kset_create_and_add');
    if (since('linux', '6.1')) for (const type of types) yield* mdev_type_add(parent, type);
    else yield* add_mdev_supported_type_groups(parent, types);
    return 0;
  },
);

export const mdev_create_sysfs_files = fn(
  'Links the device with its type, both ways.',
  function* mdev_create_sysfs_files(_mdev: MdevDevice) {
    atCall('sysfs_create_link');
    return 0;
  },
);
