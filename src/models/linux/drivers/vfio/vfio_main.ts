import { bool, struct, type Instance, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source, through, via } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { acquire, holding, Mutex, MUTEX, release } from '../../../../engine/mutex';
import { running } from '../../../../engine/running';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { EINVAL, ENOTTY } from '../../errno';
import { file, type File } from '../../fs/file_table';
import { device as linux_device, type Device } from '../../include/linux/device';
import type { VmAreaStruct } from '../../include/linux/mm_types';
import { vfio_device, type MmapRequest, type VfioDevice, type VfioDeviceOps } from '../../include/linux/vfio';
import { VFIO_DMA_CC_IOMMU, VFIO_IRQ_SET_ACTION_TYPE_MASK } from '../../include/uapi/linux/vfio';
import { device_add } from '../base/core';
import { device_iommu_capable, iommu_group_get } from '../iommu/iommu';
import type { IommufdCtx, IommufdFile } from '../iommu/iommufd/main';
import {
  vfio_container_init,
  vfio_container_ioctl_check_extension,
  vfio_device_assign_container,
  vfio_device_container_register,
  vfio_device_container_unregister,
  vfio_device_unassign_container,
} from './container';
import {
  vfio_device_fops_cdev_open,
  vfio_df_ioctl_attach_pt,
  vfio_df_ioctl_bind_iommufd,
  vfio_df_ioctl_detach_pt,
  vfio_df_unbind_iommufd,
} from './device_cdev';
import {
  group_of,
  unlist,
  vfio_create_group,
  vfio_device_group_register,
  vfio_device_group_unregister,
  vfio_device_group_unuse_iommu,
  vfio_device_group_use_iommu,
  vfio_device_remove_group,
  vfio_device_set_group,
  vfio_df_group_close,
  vfio_group_enforced_coherent,
  vfio_group_find_or_alloc,
  vfio_group_init,
  vfio_group_set_kvm,
  vfio_noiommu_group_alloc,
} from './group';
import { vfio_df_iommufd_bind, vfio_df_iommufd_unbind } from './iommufd';
import type { VfioIrqSet } from './pci/vfio_pci_intrs';
import { vfio_virqfd_init } from './virqfd';
import { VFIO_EMULATED_IOMMU, VFIO_IOMMU, type Vfio, type VfioGroup, type VfioGroupFile, type VfioGroupType } from './vfio';

/** Where what opened a device in vain is undone: a label, which a jump names before. */
const UNDONE = 'err_undo_count err_undo_count';

const { fn, ops } = source('linux', 'drivers/vfio/vfio_main.c');

const VfioDeviceFileCells = struct(
  'vfio_device_file',
  'A device that user space has open. access_granted: only then may it be used; a file of the device’s own node is not before it is bound.',
  { access_granted: bool() },
);

/** The file that VFIO gives user space for a device. Until 6.5 the file has no structure of its own, only the device. */
export type VfioDeviceFile = InstanceOf<typeof VfioDeviceFileCells> & {
  readonly f_op: 'vfio_device_fops';
  readonly device: VfioDevice;
  readonly file: File;
  /** How it was opened: by this group, or else by the device’s own node. */
  group: VfioGroup | undefined;
  iommufd: IommufdCtx | undefined;
  kvm: Instance | undefined;
};

/** Makes a file of a device. `access_granted`: it was opened before the run begins. */
export function vfio_device_file(device: VfioDevice, access_granted = true): VfioDeviceFile {
  const df: VfioDeviceFile = Object.assign(VfioDeviceFileCells(device.dev.name, { access_granted }), {
    f_op: 'vfio_device_fops' as const,
    device,
    file: file(
      `[vfio-device] ${device.dev.name}`,
      boundPointer(release_of.release, () => df),
    ),
    group: undefined,
    iommufd: undefined,
    kvm: undefined,
  });
  return df;
}

/** The ioctls of a device that the models speak. */
export type VfioDeviceIoctl =
  | { readonly cmd: 'VFIO_DEVICE_GET_INFO'; readonly info?: VfioDeviceInfo }
  | { readonly cmd: 'VFIO_DEVICE_GET_REGION_INFO'; readonly info: VfioRegionInfo }
  | { readonly cmd: 'VFIO_DEVICE_GET_IRQ_INFO'; readonly info: VfioIrqInfo }
  | { readonly cmd: 'VFIO_DEVICE_SET_IRQS'; readonly set: VfioIrqSet };

/** What a file of a device answers besides: since 6.6, where user space opens the device’s own node. */
export type VfioDeviceCdevIoctl =
  | { readonly cmd: 'VFIO_DEVICE_BIND_IOMMUFD'; readonly iommufd: IommufdFile }
  | { readonly cmd: 'VFIO_DEVICE_ATTACH_IOMMUFD_PT'; readonly pt_id: number }
  | { readonly cmd: 'VFIO_DEVICE_DETACH_IOMMUFD_PT' };

/** `vfio_device_info`: the driver fills in what kind of device it is, and how many regions and kinds of interrupts it has. */
export interface VfioDeviceInfo {
  flags: number;
  num_regions: number;
  num_irqs: number;
}

/** `vfio_region_info`: the driver fills in the size, in bytes, and what can be done with it. */
export interface VfioRegionInfo {
  readonly index: number;
  size: number;
  flags?: number;
}

/** `vfio_irq_info`: the driver fills in how many interrupts the index has, and what they can do. */
export interface VfioIrqInfo {
  readonly index: number;
  flags: number;
  count: number;
}

export const vfio_set_irqs_validate_and_prepare = fn(
  'Checks what every driver would have to check of a VFIO_DEVICE_SET_IRQS: one action, one kind of data, interrupts that exist.',
  function* vfio_set_irqs_validate_and_prepare({ flags, index, start = 0, count }: VfioIrqSet, num_irqs: number, max_irq_type: number) {
    at('flags');
    const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
    const one = action !== 0 && (action & (action - 1)) === 0;
    return one && index < max_irq_type && start < num_irqs && start + count <= num_irqs ? 0 : -EINVAL;
  },
);

/** Whether a file may be used: since 6.6 it has to be bound first, and the check pairs with the store that says so. */
function granted(df: VfioDeviceFile): boolean {
  if (!since('linux', '6.6')) return true;
  atCall('smp_load_acquire');
  return df.access_granted;
}

const isOfCdev = (arg: VfioDeviceIoctl | VfioDeviceCdevIoctl): arg is VfioDeviceCdevIoctl =>
  arg.cmd === 'VFIO_DEVICE_BIND_IOMMUFD' || arg.cmd === 'VFIO_DEVICE_ATTACH_IOMMUFD_PT' || arg.cmd === 'VFIO_DEVICE_DETACH_IOMMUFD_PT';

const vfio_device_fops_unl_ioctl = fn(
  'An ioctl on a VFIO device’s file: keeps the device awake and asks its driver. Before all others comes the one that binds a file to an iommufd.',
  function* vfio_device_fops_unl_ioctl(df: VfioDeviceFile, arg: VfioDeviceIoctl | VfioDeviceCdevIoctl) {
    if (arg.cmd === 'VFIO_DEVICE_BIND_IOMMUFD') {
      return since('linux', '6.6') ? yield* vfio_df_ioctl_bind_iommufd(df, arg.iommufd) : -ENOTTY;
    }
    if (!granted(df)) return -EINVAL;
    if (isOfCdev(arg)) {
      if (!since('linux', '6.6') || df.group !== undefined) return -ENOTTY;
      if (arg.cmd === 'VFIO_DEVICE_ATTACH_IOMMUFD_PT') return yield* vfio_df_ioctl_attach_pt(df, arg.pt_id);
      return yield* vfio_df_ioctl_detach_pt(df);
    }
    return yield* through('function pointer', 'ioctl', df.device.ops.ioctl)(arg);
  },
);

const vfio_device_fops_read = fn(
  'read(2) on a VFIO device’s file: the offset chooses the region. The result is what was read; of more than four bytes, the last piece.',
  function* vfio_device_fops_read(df: VfioDeviceFile, region: number, offset: number, count: number) {
    if (!granted(df)) return -EINVAL;
    return yield* through('function pointer', 'read', df.device.ops.read)(region, offset, count);
  },
);

const vfio_device_fops_write = fn(
  'write(2) on a VFIO device’s file.',
  function* vfio_device_fops_write(df: VfioDeviceFile, region: number, offset: number, count: number, value: number) {
    if (!granted(df)) return -EINVAL;
    return yield* through('function pointer', 'write', df.device.ops.write)(region, offset, count, value);
  },
);

const vfio_device_fops_mmap = fn(
  'mmap(2) on a VFIO device’s file: user space gets at a BAR without any system call.',
  function* vfio_device_fops_mmap(df: VfioDeviceFile, vma: MmapRequest): Run<VmAreaStruct | number> {
    if (!granted(df)) return -EINVAL;
    const { mmap } = df.device.ops;
    return mmap === undefined ? -EINVAL : yield* through('function pointer', 'mmap', mmap)(vma);
  },
);

const vfio_device_fops_release = fn(
  'The device’s file is closed: if it was the last one, the device is taken out of use. Whoever waits to take it away may go on.',
  function* vfio_device_fops_release(df: VfioDeviceFile) {
    const { device } = df;
    if (!since('linux', '5.16')) {
      yield* release_device(device);
      return;
    }
    if (!since('linux', '6.2')) yield* close_by_container(device);
    else if (df.group !== undefined) yield* vfio_df_group_close(df);
    else yield* vfio_df_unbind_iommufd(df);
    yield* vfio_device_put_registration(device);
  },
);

/** Until 5.15 every open and close reached the driver. */
function* release_device(device: VfioDevice): Run {
  const { close_device } = device.ops;
  if (close_device !== undefined) yield* through('function pointer', 'release', close_device)();
  atCall('vfio_group_try_dissolve_container');
  atCall('vfio_device_put');
  device.refcount -= 1;
}

const release_of = ops('vfio_device_fops', { release: vfio_device_fops_release });

export const vfio_device_fops = ops('vfio_device_fops', {
  unlocked_ioctl: vfio_device_fops_unl_ioctl,
  read: vfio_device_fops_read,
  write: vfio_device_fops_write,
  mmap: vfio_device_fops_mmap,
});

const node = ops('vfio_device_fops', { open: vfio_device_fops_cdev_open });

/** What opening the node of a device calls, /dev/vfio/devices/vfioN; `undefined` where devices have none, before 6.6. */
export const vfio_device_node = () => (since('linux', '6.6') ? node.open : undefined);

const vfio_init_device = fn(
  'Fills in what the core knows of a device, and lets its driver do the same for its own part.',
  function* vfio_init_device(vfio: Vfio, device: VfioDevice) {
    device.index = vfio.device_ida;
    vfio.device_ida += 1;
    const { init } = device.ops;
    at('init');
    behind('init');
    return init === undefined ? 0 : yield* through('function pointer', 'init', init)();
  },
);

export const _vfio_alloc_device = fn(
  'Allocates a device with its driver’s structure around it.',
  function* _vfio_alloc_device(vfio: Vfio, device: VfioDevice) {
    atCall('kvzalloc');
    return yield* vfio_init_device(vfio, device);
  },
);

export const vfio_assign_device_set = fn(
  'Devices that can only be reset together share a set, and its lock; a device that says nothing has one for itself.',
  function* vfio_assign_device_set(vfio: Vfio, device: VfioDevice, set_id: unknown) {
    atCall('xa_load');
    let dev_set = vfio.device_set_xa.get(set_id);
    if (dev_set === undefined) {
      dev_set = { set_id, lock: Mutex('vfio_device_set.lock'), device_list: [] };
      vfio.device_set_xa.set(set_id, dev_set);
    }
    const joined = dev_set;
    yield* holding(joined.lock, MUTEX, function* () {
      behind('mutex_lock dev_set');
      at('dev_set');
      device.dev_set = joined;
      joined.device_list.push(device);
    });
    return 0;
  },
);

const vfio_release_device_set = fn('The device leaves its set.', function* vfio_release_device_set(vfio: Vfio, device: VfioDevice) {
  const { dev_set } = device;
  at('dev_set');
  if (dev_set === undefined) return;
  yield* holding(dev_set.lock, MUTEX, function* () {
    atCall('list_del');
    dev_set.device_list.splice(dev_set.device_list.indexOf(device), 1);
  });
  at('device_count');
  if (dev_set.device_list.length === 0) vfio.device_set_xa.delete(dev_set.set_id);
});

export const vfio_device_put_registration = fn(
  'One user of the device less. The last one lets whoever unregisters the device go on.',
  function* vfio_device_put_registration(device: VfioDevice) {
    atCall('refcount_dec_and_test');
    device.refcount -= 1;
    if (device.refcount > 0) return;
    atCall('complete');
    device['comp.done'] += 1;
  },
);

export const vfio_device_try_get_registration = fn(
  'One user of the device more, unless it is being unregistered already.',
  function* vfio_device_try_get_registration(device: VfioDevice) {
    atCall('refcount_inc_not_zero');
    if (device.refcount === 0) return false;
    device.refcount += 1;
    return true;
  },
);

const vfio_device_release = fn(
  'Nobody has a reference any more: the device is freed, first by the core, then by its driver.',
  function* vfio_device_release(vfio: Vfio, device: VfioDevice) {
    yield* vfio_release_device_set(vfio, device);
    const { release } = device.ops;
    at('release');
    if (release !== undefined) {
      behind('release');
      yield* through('function pointer', 'release', release)();
    }
  },
);

/** vfio_put_device(): the driver gives up its reference, which was the last one. */
export const vfio_put_device = via('vfio_put_device', vfio_device_release);

export const vfio_free_device = fn('Frees the memory of a device.', function* vfio_free_device(_device: VfioDevice) {
  atCall('kvfree');
});

const __vfio_register_dev = fn(
  'Makes a device known: in a group, in the driver model, and on the group’s list.',
  function* __vfio_register_dev(vfio: Vfio, device: VfioDevice, given: VfioGroup | VfioGroupType | undefined) {
    at('dev_set');
    if (device.dev_set === undefined) yield* vfio_assign_device_set(vfio, device, device);
    // Until 6.2 the caller brought the group along.
    if (typeof given === 'number') {
      const ret = yield* vfio_device_set_group(vfio, device, given);
      if (ret !== 0) return ret;
    } else device.group = given;
    const { group } = device;
    if (group === undefined) return -EINVAL;
    if (since('linux', '6.2') && given === VFIO_IOMMU && !(yield* device_iommu_capable(device.dev, 'IOMMU_CAP_CACHE_COHERENCY'))) {
      yield* vfio_device_remove_group(vfio, device);
      return -EINVAL;
    }
    if (since('linux', '6.6')) yield* via('vfio_device_add', device_add)(linux_device(`vfio${device.index}`));
    else yield* device_add(linux_device(`vfio${device.index}`));
    atCall('refcount_set');
    device.refcount = 1;
    if (since('linux', '6.2')) {
      yield* vfio_device_group_register(device, group);
      return 0;
    }
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
    return 0;
  },
);

export const vfio_register_emulated_iommu_dev = fn(
  'Registers a device whose driver translates addresses itself: no IOMMU stands behind it, so it gets a group of its own.',
  function* vfio_register_emulated_iommu_dev(vfio: Vfio, device: VfioDevice) {
    if (since('linux', '6.2')) return yield* __vfio_register_dev(vfio, device, VFIO_EMULATED_IOMMU);
    return yield* __vfio_register_dev(vfio, device, yield* vfio_noiommu_group_alloc(vfio, device.dev, VFIO_EMULATED_IOMMU));
  },
);

const vfio_init_group_dev = fn('Fills in what the core knows of a device.', function* vfio_init_group_dev(_device: VfioDevice) {
  at('ops');
});

export const vfio_register_group_dev = fn(
  'Registers a device in the VFIO group of its IOMMU group, which is made if this is its first device.',
  function* vfio_register_group_dev(vfio: Vfio, device: VfioDevice) {
    if (since('linux', '6.2')) return yield* __vfio_register_dev(vfio, device, VFIO_IOMMU);
    if (since('linux', '5.16')) return yield* __vfio_register_dev(vfio, device, yield* vfio_group_find_or_alloc(vfio, device.dev));
    const iommu_group = yield* iommu_group_get(device.dev);
    if (iommu_group === undefined) return -EINVAL;
    atCall('vfio_group_get_from_iommu');
    const known = vfio.group_list.find((group) => group.iommu_group === iommu_group);
    const group = known ?? (yield* vfio_create_group(vfio, iommu_group, VFIO_IOMMU));
    atWrite('group', 'EBUSY');
    device.group = group;
    atCall('refcount_set');
    device.refcount = 1;
    yield* acquire(group.device_lock, 'mutex_lock');
    at('device_list');
    group.device_list.push(device);
    release(group.device_lock, 'mutex_unlock');
    return 0;
  },
);

export const vfio_add_group_dev = fn(
  'Makes a VFIO device of any device that is in an IOMMU group.',
  function* vfio_add_group_dev(vfio: Vfio, dev: Device, ops: VfioDeviceOps) {
    atCall('kzalloc');
    const device = vfio_device({ dev, ops, host: vfio.host });
    yield* vfio_init_group_dev(device);
    return yield* vfio_register_group_dev(vfio, device);
  },
);

// Opening and closing

/** vfio_device_get_kvm_safe(): the device’s own reference on the virtual machine. */
export const vfio_device_get_kvm_safe = fn(
  'The driver may need the virtual machine while the device is open: takes a reference, unless it is dying already. The group’s lock could not be held for that long.',
  function* vfio_device_get_kvm_safe(device: VfioDevice, kvm: Instance | undefined) {
    if (kvm === undefined) return;
    at('kvm_get_kvm_safe');
    device.kvm = kvm;
  },
);

export const vfio_device_put_kvm = fn('The device lets go of the virtual machine.', function* vfio_device_put_kvm(device: VfioDevice) {
  at('kvm');
  if (device.kvm !== undefined) device.kvm = undefined;
});

export const vfio_allocate_device_file = fn(
  'Makes the structure behind a device’s file. It does not open the device.',
  function* vfio_allocate_device_file(device: VfioDevice) {
    atCall('kzalloc');
    return vfio_device_file(device, false);
  },
);

/** Calls the driver's open_device(), in the function that is executing. */
function* open_device({ ops: driver }: VfioDevice): Run<number> {
  at('open_device');
  return driver.open_device === undefined ? 0 : yield* through('function pointer', 'open_device', driver.open_device)();
}

function* close_device({ ops: driver }: VfioDevice): Run {
  at('close_device');
  if (driver.close_device !== undefined) yield* through('function pointer', 'close_device', driver.close_device)();
}

const vfio_df_device_first_open = fn(
  'The first file of the device: first the way to memory is settled, then the driver makes the device ready.',
  function* vfio_df_device_first_open(df: VfioDeviceFile) {
    const { device } = df;
    let ret = df.iommufd === undefined ? yield* vfio_device_group_use_iommu(device) : yield* vfio_df_iommufd_bind(df);
    if (ret !== 0) return ret;
    ret = yield* open_device(device);
    if (ret === 0) return 0;
    if (df.iommufd === undefined) yield* vfio_device_group_unuse_iommu(device);
    else yield* vfio_df_iommufd_unbind(df);
    return ret;
  },
);

const vfio_df_device_last_close = fn(
  'The last file of the device: the driver takes it out of use, and it loses its way to memory.',
  function* vfio_df_device_last_close(df: VfioDeviceFile) {
    yield* close_device(df.device);
    if (df.iommufd === undefined) yield* vfio_device_group_unuse_iommu(df.device);
    else yield* vfio_df_iommufd_unbind(df);
  },
);

export const vfio_df_open = fn(
  'Opens a device: by its group as often as one likes, by its own node once.',
  function* vfio_df_open(df: VfioDeviceFile) {
    const { device } = df;
    at('open_count');
    if (device.open_count !== 0 && df.group === undefined) return -EINVAL;
    behind('open_count');
    at('open_count');
    device.open_count += 1;
    if (device.open_count > 1) return 0;
    const ret = yield* vfio_df_device_first_open(df);
    if (ret !== 0) {
      behind('vfio_df_device_first_open');
      at('open_count');
      device.open_count -= 1;
    }
    return ret;
  },
);

export const vfio_df_close = fn('Closes a device.', function* vfio_df_close(df: VfioDeviceFile) {
  const { device } = df;
  atCall('vfio_assert_device_open');
  if (device.open_count === 0) return;
  if (device.open_count === 1) yield* vfio_df_device_last_close(df);
  behind('vfio_df_device_last_close');
  at('open_count');
  device.open_count -= 1;
});

export const vfio_device_open = fn(
  'Opens a device by its group and makes a file for it: only with a container, and under the lock of all devices that would be reset with it.',
  function* vfio_device_open(device: VfioDevice): Run<VfioDeviceFile | number> {
    const group = device.group!;
    const assigned = yield* holding(group.group_lock, MUTEX, () => vfio_device_assign_container(device));
    if (assigned !== 0) return assigned;
    behind('vfio_device_assign_container');
    const ret = yield* holding(device.dev_set!.lock, MUTEX, function* () {
      at('open_count');
      device.open_count += 1;
      const failed = device.open_count > 1 ? 0 : yield* first_open(device, group);
      behind(failed === 0 ? 'vfio_device_container_register mutex_unlock' : `${UNDONE} mutex_unlock`);
      return failed;
    });
    if (ret !== 0) {
      yield* vfio_device_unassign_container(device);
      return ret;
    }
    atCall('anon_inode_getfile');
    const filep = vfio_device_file(device);
    filep.group = group;
    return filep;
  },
);

/** What the first open does, under the group's lock too. */
function* first_open(device: VfioDevice, group: VfioGroup): Run<number> {
  behind('open_count');
  const ret = yield* holding(group.group_lock, MUTEX, function* () {
    if (group.kvm !== undefined) device.kvm = group.kvm;
    const failed = yield* open_device(device);
    if (failed === 0) yield* vfio_device_container_register(device);
    behind(failed === 0 ? 'vfio_device_container_register' : UNDONE);
    return failed;
  });
  if (ret !== 0) {
    atWrite('open_count', UNDONE);
    device.open_count -= 1;
  }
  return ret;
}

/** What closing a device's file did until 6.1. */
function* close_by_container(device: VfioDevice): Run {
  yield* holding(device.dev_set!.lock, MUTEX, function* () {
    behind('vfio_assert_device_open');
    yield* holding(device.group!.group_lock, MUTEX, function* () {
      at('open_count');
      if (device.open_count > 1) return;
      yield* close_device(device);
      yield* vfio_device_container_unregister(device);
    });
    atWrite('open_count', 'close_device close_device');
    device.open_count -= 1;
    if (device.open_count === 0 && device.kvm !== undefined) device.kvm = undefined;
    behind('close_device close_device mutex_unlock');
  });
  yield* vfio_device_unassign_container(device);
}

// Taking a device away

/** How long unregistering waits before it asks for the device again. */
const REQUEST_AGAIN_MS = 10_000;

export const vfio_unregister_group_dev = fn(
  'The driver is to lose the device. Nobody can open it any more, but who has it open cannot be made to let go: the driver asks, every ten seconds, until the last file is closed.',
  function* vfio_unregister_group_dev(vfio: Vfio, device: VfioDevice) {
    if (since('linux', '6.2')) {
      yield* vfio_device_group_unregister(device);
      if (since('linux', '6.6')) atCall('vfio_device_del');
    }
    yield* vfio_device_put_registration(device);
    atCall('try_wait_for_completion');
    for (let count = 0; device['comp.done'] === 0; count++) {
      const { request } = device.ops;
      at('request');
      if (request !== undefined) {
        behind('request');
        yield* through('function pointer', 'request', request)(count);
      }
      yield* wait_for_completion(device, REQUEST_AGAIN_MS);
    }
    if (!since('linux', '6.2')) yield* unlist(device);
    yield* vfio_device_remove_group(vfio, device);
  },
);

/** wait_for_completion_interruptible_timeout(): until `comp` is complete, but not longer than `timeout`, in milliseconds. */
function* wait_for_completion(device: VfioDevice, timeout: number): Run {
  atCall('wait_for_completion_interruptible_timeout');
  const { now } = running();
  const expires = now + timeout;
  if (device['comp.done'] > 0) return;
  yield {
    kind: 'sleep',
    get deadline() {
      return device['comp.done'] > 0 ? now : expires;
    },
  };
}

// What KVM asks of a file

/** A file of VFIO's: a group or a device. */
export type VfioFile = VfioGroupFile | VfioDeviceFile;

export const vfio_file_is_valid = fn('Whether the file is one of VFIO’s.', function* vfio_file_is_valid(from: VfioFile) {
  atCall('vfio_group_from_file');
  return group_of(from) !== undefined || from.f_op === 'vfio_device_fops';
});

export const vfio_file_is_group = fn('Whether the file is a group.', function* vfio_file_is_group(from: VfioFile) {
  at('f_op');
  return group_of(from) !== undefined;
});

export const vfio_file_enforced_coherent = fn(
  'Whether all DMA of what the file stands for is coherent with the CPUs’ caches.',
  function* vfio_file_enforced_coherent(from: VfioFile) {
    const group = group_of(from);
    if (!since('linux', '6.2')) {
      const container = group?.container;
      at('container');
      return container === undefined ? true : (yield* vfio_container_ioctl_check_extension(container, VFIO_DMA_CC_IOMMU)) > 0;
    }
    if (group !== undefined) return yield* vfio_group_enforced_coherent(group);
    return from.f_op === 'vfio_device_fops' ? yield* device_iommu_capable(from.device.dev, 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY') : true;
  },
);

export const vfio_file_set_kvm = fn(
  'Tells VFIO which virtual machine has the file, for drivers that need to know.',
  function* vfio_file_set_kvm(from: VfioFile, kvm: Instance | undefined) {
    const group = group_of(from);
    if (group !== undefined && since('linux', '6.2')) yield* vfio_group_set_kvm(group, kvm);
    else if (group !== undefined) group.kvm = kvm;
    else if (from.f_op === 'vfio_device_fops') {
      atCall('vfio_device_file_set_kvm');
      from.kvm = kvm;
    }
  },
);

// Answers that grow

/** The capabilities behind an answer, in bytes. */
export interface VfioInfoCap {
  size: number;
}

export const vfio_info_cap_add = fn(
  'Makes room for one more capability behind an answer.',
  function* vfio_info_cap_add(caps: VfioInfoCap, size: number) {
    at('size');
    caps.size += (size + 7) & ~7;
  },
);

export const vfio_info_cap_shift = fn(
  'Makes the capabilities’ links count from the start of the answer.',
  function* vfio_info_cap_shift(_caps: VfioInfoCap, _offset: number) {
    at('next');
  },
);

export const vfio_info_add_capability = fn(
  'Copies a capability behind an answer.',
  function* vfio_info_add_capability(caps: VfioInfoCap, size: number) {
    yield* vfio_info_cap_add(caps, size);
    return 0;
  },
);

export const vfio_init = fn('vfio.ko is loaded: /dev/vfio appears, with nothing in it but the container.', function* vfio_init(vfio: Vfio) {
  if (since('linux', '6.2')) {
    yield* vfio_group_init(vfio);
    yield* vfio_virqfd_init();
    atCall('vfio_cdev_init');
  } else {
    yield* vfio_container_init(vfio);
    atCall('alloc_chrdev_region');
  }
  return 0;
});
