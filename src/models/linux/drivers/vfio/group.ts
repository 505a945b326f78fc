import type { Instance } from '../../../../engine/cell';
import { boundPointer, source, through, via } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { acquire, holding, MUTEX, release } from '../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { device as linux_device, type Device } from '../../include/linux/device';
import { EBUSY, EINVAL, ENODEV, ENOTTY } from '../../errno';
import { file } from '../../fs/file_table';
import type { VfioDevice } from '../../include/linux/vfio';
import { VFIO_GROUP_FLAGS_CONTAINER_SET, VFIO_GROUP_FLAGS_VIABLE } from '../../include/uapi/linux/vfio';
import { device_add } from '../base/core';
import {
  device_iommu_capable,
  iommu_group_add_device,
  iommu_group_alloc,
  iommu_group_dma_owner_claimed,
  iommu_group_get,
  iommu_group_id,
  iommu_group_put,
  iommu_group_remove_device,
  iommu_group_ref_get,
  iommu_group_set_name,
  type IommuGroup,
} from '../iommu/iommu';
import {
  vfio_container_from_file,
  vfio_container_init,
  vfio_container_attach_group,
  vfio_device_container_register,
  vfio_device_container_unregister,
  vfio_group_detach_container,
  vfio_group_unuse_container,
  vfio_group_use_container,
} from './container';
import {
  vfio_group,
  VFIO_EMULATED_IOMMU,
  VFIO_IOMMU,
  VFIO_NO_IOMMU,
  type Vfio,
  type VfioContainerFile,
  type VfioGroup,
  type VfioGroupFile,
  type VfioGroupType,
} from './vfio';
import {
  vfio_allocate_device_file,
  vfio_df_close,
  vfio_df_open,
  vfio_device_file,
  vfio_device_get_kvm_safe,
  vfio_device_open,
  vfio_device_put_kvm,
  vfio_device_put_registration,
  vfio_device_try_get_registration,
  type VfioDeviceFile,
} from './vfio_main';

/** Groups: what user space opens first, and gets its devices from. */

const { fn, ops } = source('linux', 'drivers/vfio/group.c');

const vfio_group_alloc = fn(
  'Makes the group’s structure, with one driver that uses it, and keeps the IOMMU group alive.',
  function* vfio_group_alloc(iommu_group: IommuGroup, type: VfioGroupType) {
    const group = vfio_group(iommu_group);
    atCall('refcount_set');
    group.drivers = 1;
    yield* iommu_group_ref_get(iommu_group);
    group.type = type;
    return group;
  },
);

export const vfio_create_group = fn(
  'Makes the group that belongs to an IOMMU group: from here on there is /dev/vfio/ID.',
  function* vfio_create_group(vfio: Vfio, iommu_group: IommuGroup, type: VfioGroupType) {
    if (!since('linux', '5.16')) {
      const group = vfio_group(iommu_group);
      atCall('device_create');
      atCall('list_add');
      vfio.group_list.push(group);
      return group;
    }
    const group = yield* vfio_group_alloc(iommu_group, type);
    yield* iommu_group_id(iommu_group);
    if (!since('linux', '6.2')) yield* acquire(vfio.group_lock, 'mutex_lock');
    yield* via('cdev_device_add', device_add)(linux_device(`/dev/vfio/${iommu_group.id}`));
    atCall('list_add');
    vfio.group_list.push(group);
    if (!since('linux', '6.2')) release(vfio.group_lock, 'mutex_unlock');
    return group;
  },
);

/** The group of an IOMMU group, where it has one. */
const find_group = ({ group_list }: Vfio, iommu_group: IommuGroup): VfioGroup | undefined =>
  group_list.find((group) => group.iommu_group === iommu_group);

const vfio_group_get_from_iommu = fn(
  'Looks for the group that another device of the IOMMU group has brought along, and joins it.',
  function* vfio_group_get_from_iommu(vfio: Vfio, iommu_group: IommuGroup) {
    return yield* holding(vfio.group_lock, MUTEX, function* () {
      atCall('__vfio_group_get_from_iommu');
      const group = find_group(vfio, iommu_group);
      if (group !== undefined) group.drivers += 1;
      return group;
    });
  },
);

/** The same since 6.2, where the search and what follows from it happen under one lock. */
function* find_or_create(vfio: Vfio, iommu_group: IommuGroup): Run<VfioGroup> {
  return yield* holding(vfio.group_lock, MUTEX, function* () {
    atCall('vfio_group_find_from_iommu');
    const group = find_group(vfio, iommu_group);
    if (group === undefined) return yield* vfio_create_group(vfio, iommu_group, VFIO_IOMMU);
    atCall('refcount_inc');
    group.drivers += 1;
    return group;
  });
}

export const vfio_group_find_or_alloc = fn(
  'The VFIO group of a device. Without an IOMMU there is none, and the device cannot be used. Its DMA also has to be coherent with the CPUs’ caches: user space could not flush them.',
  function* vfio_group_find_or_alloc(vfio: Vfio, dev: Device) {
    const iommu_group = yield* iommu_group_get(dev);
    if (iommu_group === undefined) return undefined;
    let group: VfioGroup | undefined;
    if (since('linux', '6.2')) {
      group = yield* find_or_create(vfio, iommu_group);
    } else if (yield* device_iommu_capable(dev, 'IOMMU_CAP_CACHE_COHERENCY')) {
      group = (yield* vfio_group_get_from_iommu(vfio, iommu_group)) ?? (yield* vfio_create_group(vfio, iommu_group, VFIO_IOMMU));
    }
    if (group !== undefined) behind('vfio_create_group');
    yield* iommu_group_put(iommu_group);
    return group;
  },
);

export const vfio_noiommu_group_alloc = fn(
  'Makes up an IOMMU group for a device that no IOMMU sees: user space wants a group for everything.',
  function* vfio_noiommu_group_alloc(vfio: Vfio, dev: Device, type: VfioGroupType) {
    const iommu_group = yield* iommu_group_alloc(vfio.iommu_group_ida);
    yield* iommu_group_set_name(iommu_group, 'vfio-noiommu');
    yield* iommu_group_add_device(iommu_group, dev);
    if (since('linux', '6.2')) yield* acquire(vfio.group_lock, 'mutex_lock');
    const group = yield* vfio_create_group(vfio, iommu_group, type);
    if (since('linux', '6.2')) release(vfio.group_lock, 'mutex_unlock');
    yield* iommu_group_put(iommu_group);
    return group;
  },
);

export const vfio_device_set_group = fn(
  'Gives a device its group: the one that its IOMMU group has, or one that is made up.',
  function* vfio_device_set_group(vfio: Vfio, device: VfioDevice, type: VfioGroupType) {
    const group =
      type === VFIO_IOMMU ? yield* vfio_group_find_or_alloc(vfio, device.dev) : yield* vfio_noiommu_group_alloc(vfio, device.dev, type);
    if (group === undefined) return -EINVAL;
    atWrite('group', 'PTR_ERR');
    device.group = group;
    return 0;
  },
);

export const vfio_device_group_register = fn(
  'Puts a device on its group’s list, where user space finds it by name.',
  function* vfio_device_group_register(device: VfioDevice, group: VfioGroup) {
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
  },
);

export const vfio_device_group_unregister = fn(
  'Takes a device off its group’s list: it can no longer be opened by its name.',
  function* vfio_device_group_unregister(device: VfioDevice) {
    yield* unlist(device);
  },
);

/** Off the list, in the function that is executing. */
export function* unlist(device: VfioDevice): Run {
  const { device_lock, device_list } = device.group!;
  yield* holding(device_lock, MUTEX, function* () {
    atCall('list_del');
    device_list.splice(device_list.indexOf(device), 1);
  });
}

export const vfio_device_remove_group = fn(
  'A device leaves its group. With the last one /dev/vfio/ID goes, and whoever still holds it open has an empty shell.',
  function* vfio_device_remove_group(vfio: Vfio, device: VfioDevice) {
    const { group } = device;
    at('group');
    if (group === undefined) return;
    if (group.type === VFIO_NO_IOMMU || group.type === VFIO_EMULATED_IOMMU) yield* iommu_group_remove_device(device.dev);
    atCall('refcount_dec_and_mutex_lock');
    group.drivers -= 1;
    if (group.drivers > 0) return;
    yield* holding(vfio.group_lock, ['refcount_dec_and_mutex_lock', 'mutex_unlock'], function* () {
      atCall('list_del');
      vfio.group_list.splice(vfio.group_list.indexOf(group), 1);
      atCall('cdev_device_del');
      yield* holding(group.group_lock, MUTEX, function* () {
        at('container');
        if (group.container !== undefined) yield* vfio_group_detach_container(group);
      });
      behind('mutex_unlock');
    });
    yield* iommu_group_put(group.iommu_group);
  },
);

// The group's file

/** The ioctls of a group. */
export type GroupIoctl =
  | { readonly cmd: 'VFIO_GROUP_GET_STATUS'; readonly status: { flags: number } }
  | { readonly cmd: 'VFIO_GROUP_SET_CONTAINER'; readonly fd: VfioContainerFile }
  | { readonly cmd: 'VFIO_GROUP_UNSET_CONTAINER' }
  | { readonly cmd: 'VFIO_GROUP_GET_DEVICE_FD'; readonly name: string; readonly got: { fd: VfioDeviceFile | undefined } };

/** A reference on a device, unless it is going away: vfio_device_try_get() until 6.0. */
function* try_get(device: VfioDevice): Run<boolean> {
  if (since('linux', '6.1')) return yield* vfio_device_try_get_registration(device);
  atCall('vfio_device_try_get');
  if (device.refcount === 0) return false;
  device.refcount += 1;
  return true;
}

const vfio_device_get_from_name = fn(
  'Finds a device of the group by what user space calls it. The driver may want more than the name, a VF token for one.',
  function* vfio_device_get_from_name(group: VfioGroup, buf: string): Run<VfioDevice | number> {
    return yield* holding(group.device_lock, MUTEX, function* () {
      for (const device of group.device_list) {
        const { match } = device.ops;
        at('match');
        let ret = Number(device.dev.name === buf);
        if (match !== undefined) {
          behind('match');
          ret = yield* through('function pointer', 'match', match)(buf);
        }
        if (ret < 0) return ret;
        if (ret > 0 && (yield* try_get(device))) return device;
      }
      return -ENODEV;
    });
  },
);

/** vfio_group_has_iommu(): whether something decides what the group's devices reach. */
const has_iommu = (group: VfioGroup): boolean => group.container !== undefined || group.iommufd !== undefined;

const vfio_group_ioctl_unset_container = fn(
  'VFIO_GROUP_UNSET_CONTAINER: the group leaves, unless a device of it is open.',
  function* vfio_group_ioctl_unset_container(group: VfioGroup) {
    return yield* holding(group.group_lock, MUTEX, function* () {
      at('container');
      if (group.container === undefined) return -EINVAL;
      if (group.container_users !== 1) return -EBUSY;
      yield* vfio_group_detach_container(group);
      return 0;
    });
  },
);

const vfio_group_ioctl_set_container = fn(
  'VFIO_GROUP_SET_CONTAINER: puts the group into a container.',
  function* vfio_group_ioctl_set_container(group: VfioGroup, fd: VfioContainerFile) {
    return yield* holding(group.group_lock, MUTEX, function* () {
      at('container');
      if (has_iommu(group)) return -EINVAL;
      const container = vfio_container_from_file(fd);
      return container === undefined ? -EINVAL : yield* vfio_container_attach_group(container, group);
    });
  },
);

const vfio_group_ioctl_get_status = fn(
  'VFIO_GROUP_GET_STATUS: a group is viable if no driver of the host relies on its devices’ DMA.',
  function* vfio_group_ioctl_get_status(group: VfioGroup, status: { flags: number }) {
    return yield* holding(group.group_lock, MUTEX, function* () {
      at(since('linux', '6.2') ? 'vfio_group_has_iommu' : 'container');
      let flags = 0;
      if (has_iommu(group)) flags = VFIO_GROUP_FLAGS_CONTAINER_SET | VFIO_GROUP_FLAGS_VIABLE;
      else if (!(yield* iommu_group_dma_owner_claimed(group.iommu_group))) flags = VFIO_GROUP_FLAGS_VIABLE;
      behind('iommu_group_dma_owner_claimed');
      at('flags');
      status.flags = flags;
      behind('iommu_group_dma_owner_claimed');
      return 0;
    });
  },
);

const vfio_device_group_get_kvm_safe = fn(
  'The device gets a reference on the virtual machine that the group belongs to, if that still lives.',
  function* vfio_device_group_get_kvm_safe(device: VfioDevice) {
    yield* vfio_device_get_kvm_safe(device, device.group!.kvm);
  },
);

const vfio_df_group_open = fn(
  'Opens a device by its group: only with a container, and under the lock of all devices that would be reset with it. Only when all is done may the file be used.',
  function* vfio_df_group_open(df: VfioDeviceFile) {
    const { device } = df;
    const group = device.group!;
    return yield* holding(group.group_lock, MUTEX, function* () {
      atCall('vfio_group_has_iommu');
      if (!has_iommu(group)) return -EINVAL;
      behind('vfio_group_has_iommu');
      return yield* holding(device.dev_set!.lock, MUTEX, function* () {
        at('open_count');
        if (device.open_count === 0) yield* vfio_device_group_get_kvm_safe(device);
        const ret = yield* vfio_df_open(df);
        if (ret !== 0) {
          if (device.open_count === 0) yield* vfio_device_put_kvm(device);
          return ret;
        }
        atCall('smp_store_release');
        df.access_granted = true;
        return 0;
      });
    });
  },
);

export const vfio_df_group_close = fn('Closes a device that was opened by its group.', function* vfio_df_group_close(df: VfioDeviceFile) {
  const { device } = df;
  yield* holding(device.group!.group_lock, MUTEX, function* () {
    behind('mutex_lock');
    yield* holding(device.dev_set!.lock, MUTEX, function* () {
      yield* vfio_df_close(df);
      at('open_count');
      if (device.open_count === 0) yield* vfio_device_put_kvm(device);
    });
    behind('mutex_unlock');
  });
});

const vfio_device_open_file = fn('Opens a device and makes a file for it.', function* vfio_device_open_file(device: VfioDevice): Run<
  VfioDeviceFile | number
> {
  const df = yield* vfio_allocate_device_file(device);
  df.group = device.group;
  const ret = yield* vfio_df_group_open(df);
  if (ret !== 0) return ret;
  atCall('anon_inode_getfile');
  return df;
});

const vfio_group_ioctl_get_device_fd = fn(
  'VFIO_GROUP_GET_DEVICE_FD: opens a device of the group. Whoever holds the group has all of its devices.',
  function* vfio_group_ioctl_get_device_fd(group: VfioGroup, name: string, got: { fd: VfioDeviceFile | undefined }) {
    const device = yield* vfio_device_get_from_name(group, name);
    if (typeof device === 'number') return device;
    const filep = since('linux', '6.2') ? yield* vfio_device_open_file(device) : yield* vfio_device_open(device);
    if (typeof filep === 'number') {
      yield* vfio_device_put_registration(device);
      return filep;
    }
    atCall('fd_install');
    got.fd = filep;
    return 0;
  },
);

const vfio_group_get_device_fd = fn(
  'VFIO_GROUP_GET_DEVICE_FD as it was: finds the device, has its driver open it, and makes a file for it.',
  function* vfio_group_get_device_fd(group: VfioGroup, name: string, got: { fd: VfioDeviceFile | undefined }) {
    atCall('vfio_group_viable');
    const device = yield* vfio_device_get_from_name(group, name);
    if (typeof device === 'number') return device;
    const { open_device } = device.ops;
    if (open_device !== undefined) yield* through('function pointer', 'open', open_device)();
    atCall('anon_inode_getfile');
    got.fd = vfio_device_file(device);
    return 0;
  },
);

const vfio_group_fops_unl_ioctl = fn(
  'An ioctl on a group.',
  function* vfio_group_fops_unl_ioctl({ group }: VfioGroupFile, arg: GroupIoctl) {
    at('cmd');
    switch (arg.cmd) {
      case 'VFIO_GROUP_GET_DEVICE_FD':
        return since('linux', '6.1')
          ? yield* vfio_group_ioctl_get_device_fd(group, arg.name, arg.got)
          : yield* vfio_group_get_device_fd(group, arg.name, arg.got);
      case 'VFIO_GROUP_GET_STATUS':
        return yield* vfio_group_ioctl_get_status(group, arg.status);
      case 'VFIO_GROUP_SET_CONTAINER':
        return yield* vfio_group_ioctl_set_container(group, arg.fd);
      case 'VFIO_GROUP_UNSET_CONTAINER':
        return yield* vfio_group_ioctl_unset_container(group);
      default:
        return -ENOTTY;
    }
  },
);

const vfio_group_fops_release = fn(
  'The group is closed. No device of it is open any more: each holds the group’s file.',
  function* vfio_group_fops_release({ group }: VfioGroupFile) {
    yield* holding(group.group_lock, MUTEX, function* () {
      at('container');
      if (group.container !== undefined) yield* vfio_group_detach_container(group);
      group.opened_file = undefined;
    });
  },
);

const release_of = ops('vfio_group_fops', { release: vfio_group_fops_release });

const vfio_group_fops_open = fn(
  'Opens /dev/vfio/ID: once at a time, and not while a device of it is open by its own node.',
  function* vfio_group_fops_open(group: VfioGroup): Run<VfioGroupFile | number> {
    if (!since('linux', '6.0')) return yield* open_once(group);
    return yield* holding(group.group_lock, MUTEX, function* () {
      at('drivers');
      if (group.drivers === 0) return -ENODEV;
      if (since('linux', '6.6') && group.cdev_device_open_cnt > 0) return -EBUSY;
      at('opened_file');
      if (group.opened_file !== undefined) return -EBUSY;
      const opened = group_file(group);
      group.opened_file = opened;
      return opened;
    });
  },
);

/** Until 5.19 a counter kept a second user out. */
function* open_once(group: VfioGroup): Run<VfioGroupFile | number> {
  atCall('atomic_cmpxchg');
  if (group.opened !== 0) return -EBUSY;
  group.opened = 1;
  return group_file(group);
}

function group_file(group: VfioGroup): VfioGroupFile {
  const opened: VfioGroupFile = Object.assign(
    file(
      `/dev/vfio/${group.iommu_group.id}`,
      boundPointer(release_of.release, () => opened),
    ),
    { f_op: 'vfio_group_fops' as const, group },
  );
  return opened;
}

export const vfio_group_fops = ops('vfio_group_fops', { open: vfio_group_fops_open, unlocked_ioctl: vfio_group_fops_unl_ioctl });

export const vfio_device_block_group = fn(
  'A device is about to be bound by its own node: from now on the group cannot be opened. Whoever has it open already keeps this out.',
  function* vfio_device_block_group(device: VfioDevice) {
    const group = device.group!;
    return yield* holding(group.group_lock, MUTEX, function* () {
      at('opened_file');
      if (group.opened_file !== undefined) return -EBUSY;
      at('cdev_device_open_cnt');
      group.cdev_device_open_cnt += 1;
      return 0;
    });
  },
);

export const vfio_device_unblock_group = fn(
  'The device is no longer bound by its own node.',
  function* vfio_device_unblock_group(device: VfioDevice) {
    const group = device.group!;
    yield* holding(group.group_lock, MUTEX, function* () {
      at('cdev_device_open_cnt');
      group.cdev_device_open_cnt -= 1;
    });
  },
);

export const vfio_device_group_use_iommu = fn(
  'The device’s way to memory is its group’s container.',
  function* vfio_device_group_use_iommu(device: VfioDevice) {
    const ret = yield* vfio_group_use_container(device.group!);
    if (ret !== 0) return ret;
    yield* vfio_device_container_register(device);
    return 0;
  },
);

export const vfio_device_group_unuse_iommu = fn(
  'The device no longer needs its group’s container.',
  function* vfio_device_group_unuse_iommu(device: VfioDevice) {
    yield* vfio_device_container_unregister(device);
    yield* vfio_group_unuse_container(device.group!);
  },
);

/** vfio_group_from_file(): the group, if the file is one. */
export const group_of = (from: { readonly f_op: string }): VfioGroup | undefined =>
  from.f_op === 'vfio_group_fops' ? (from as VfioGroupFile).group : undefined;

export const vfio_group_enforced_coherent = fn(
  'Whether the IOMMU makes all DMA of the group coherent: then the guest’s WBINVD need not be emulated.',
  function* vfio_group_enforced_coherent(group: VfioGroup) {
    return yield* holding(group.device_lock, MUTEX, function* () {
      for (const { dev } of group.device_list) if (!(yield* device_iommu_capable(dev, 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY'))) return false;
      return true;
    });
  },
);

export const vfio_group_set_kvm = fn(
  'Remembers which virtual machine the group belongs to.',
  function* vfio_group_set_kvm(group: VfioGroup, kvm: Instance | undefined) {
    group.kvm = kvm;
  },
);

export const vfio_group_init = fn('Makes /dev/vfio.', function* vfio_group_init(vfio: Vfio) {
  yield* vfio_container_init(vfio);
  atCall('alloc_chrdev_region');
  return 0;
});
