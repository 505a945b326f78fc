import { boundPointer, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { holding, MUTEX, RWSEM_READ, RWSEM_WRITE } from '../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { EINVAL, ENODEV } from '../../errno';
import { file, fput, get_file } from '../../fs/file_table';
import type { VfioDevice } from '../../include/linux/vfio';
import { VFIO_API_VERSION } from '../../include/uapi/linux/vfio';
import { iommu_group_claim_dma_owner, iommu_group_release_dma_owner } from '../iommu/iommu';
import {
  VFIO_IOMMU,
  vfio_container,
  vfio_iommu_driver,
  type ContainerIoctl,
  type Vfio,
  type VfioContainer,
  type VfioContainerFile,
  type VfioGroup,
  type VfioIommuDriver,
} from './vfio';
import type { VfioIommu, VfioIommuDriverOps } from './vfio_iommu_type1';

/** Containers: the file through which user space says what the devices of its groups can reach. */

const { fn, ops } = source('linux', 'drivers/vfio/container.c');

export const vfio_container_init = fn(
  'Makes /dev/vfio/vfio. Anybody may open it: without a group it can do nothing.',
  function* vfio_container_init(_vfio: Vfio) {
    atCall('misc_register');
    return 0;
  },
);

export const vfio_register_iommu_driver = fn(
  'A backend offers itself. Containers ask the registered ones in turn when user space chooses one.',
  function* vfio_register_iommu_driver(vfio: Vfio, driver_ops: VfioIommuDriverOps) {
    return yield* holding(vfio.iommu_drivers_lock, MUTEX, function* () {
      atCall('list_add');
      vfio.iommu_drivers_list.push(vfio_iommu_driver(driver_ops));
      behind('list_add');
      return 0;
    });
  },
);

export const vfio_device_container_register = fn(
  'Tells the backend that a device of the container is open.',
  function* vfio_device_container_register(device: VfioDevice) {
    const container = device.group?.container;
    at('iommu_driver');
    if (container?.iommu_driver === undefined) return;
    yield* through('function pointer', 'register_device', container.iommu_driver.ops.register_device)(container.iommu_data!, device);
  },
);

export const vfio_device_container_unregister = fn(
  'Tells the backend that a device of the container is closed.',
  function* vfio_device_container_unregister(device: VfioDevice) {
    const container = device.group?.container;
    at('iommu_driver');
    if (container?.iommu_driver === undefined) return;
    yield* through('function pointer', 'unregister_device', container.iommu_driver.ops.unregister_device)(container.iommu_data!, device);
  },
);

export const vfio_container_ioctl_check_extension = fn(
  'VFIO_CHECK_EXTENSION: asks the backend in use, or else each that might be used.',
  function* vfio_container_ioctl_check_extension(container: VfioContainer, extension: number) {
    return yield* holding(container.group_lock, RWSEM_READ, function* () {
      at('iommu_driver');
      const drivers = container.iommu_driver === undefined ? container.vfio.iommu_drivers_list : [container.iommu_driver];
      for (const driver of drivers) {
        const ioctl = { cmd: 'VFIO_CHECK_EXTENSION', extension } as const;
        const ret = yield* through('function pointer', 'ioctl', driver.ops.ioctl)(container.iommu_data, ioctl);
        if (ret > 0) return ret;
      }
      return 0;
    });
  },
);

const __vfio_container_attach_groups = fn(
  'Gives the groups that the container has so far to its new backend. If one is refused, all are taken back.',
  function* __vfio_container_attach_groups({ group_list }: VfioContainer, { ops: driver }: VfioIommuDriver, data: VfioIommu) {
    for (const [index, group] of group_list.entries()) {
      const ret = yield* through('function pointer', 'attach_group', driver.attach_group)(data, group.iommu_group, group.type);
      if (ret === 0) continue;
      for (const attached of group_list.slice(0, index).reverse())
        yield* through('function pointer', 'detach_group', driver.detach_group)(data, attached.iommu_group);
      return ret;
    }
    return 0;
  },
);

const vfio_ioctl_set_iommu = fn(
  'VFIO_SET_IOMMU: chooses the backend, which takes the groups in. A container without a group may not: the right to use an IOMMU comes from a group.',
  function* vfio_ioctl_set_iommu(container: VfioContainer, arg: number) {
    return yield* holding(container.group_lock, RWSEM_WRITE, function* () {
      at('group_list');
      if (container.group_list.length === 0 || container.iommu_driver !== undefined) return -EINVAL;
      const ret = yield* holding(container.vfio.iommu_drivers_lock, MUTEX, () => choose_driver(container, arg));
      behind('up_write');
      return ret;
    });
  },
);

/** The first backend that knows the type and takes all groups. */
function* choose_driver(container: VfioContainer, arg: number): Run<number> {
  let ret = -ENODEV;
  for (const driver of container.vfio.iommu_drivers_list) {
    const known = { cmd: 'VFIO_CHECK_EXTENSION', extension: arg } as const;
    if ((yield* through('function pointer', 'ioctl', driver.ops.ioctl)(undefined, known)) <= 0) continue;
    const data = yield* through('function pointer', 'open', driver.ops.open)(arg);
    if (data === undefined) continue;
    ret = yield* __vfio_container_attach_groups(container, driver, data);
    if (ret !== 0) {
      yield* through('function pointer', 'release', driver.ops.release)(data);
      continue;
    }
    container.iommu_driver = driver;
    container.iommu_data = data;
    break;
  }
  return ret;
}

const vfio_fops_unl_ioctl = fn(
  'An ioctl on the container: a few it knows itself, all others are the backend’s.',
  function* vfio_fops_unl_ioctl({ container }: VfioContainerFile, arg: ContainerIoctl) {
    at('cmd');
    switch (arg.cmd) {
      case 'VFIO_GET_API_VERSION':
        return VFIO_API_VERSION;
      case 'VFIO_CHECK_EXTENSION':
        return yield* vfio_container_ioctl_check_extension(container, arg.extension);
      case 'VFIO_SET_IOMMU':
        return yield* vfio_ioctl_set_iommu(container, arg.iommu_type);
      case 'VFIO_IOMMU_GET_INFO':
      case 'VFIO_IOMMU_MAP_DMA':
      case 'VFIO_IOMMU_UNMAP_DMA': {
        const driver = container.iommu_driver;
        at('iommu_driver');
        return driver === undefined ? -EINVAL : yield* through('function pointer', 'ioctl', driver.ops.ioctl)(container.iommu_data, arg);
      }
    }
  },
);

const vfio_container_put = fn('Lets go of the container.', function* vfio_container_put(container: VfioContainer) {
  atCall('kref_put');
  container.kref -= 1;
});

const vfio_fops_release = fn(
  'The container’s file is closed. The container lives on in its groups.',
  function* vfio_fops_release({ container }: VfioContainerFile) {
    const notify = container.iommu_driver?.ops.notify;
    if (notify !== undefined) yield* through('function pointer', 'notify', notify)(container.iommu_data!);
    yield* vfio_container_put(container);
  },
);

const release = ops('vfio_fops', { release: vfio_fops_release });

const vfio_fops_open = fn('Opens /dev/vfio/vfio: makes an empty container.', function* vfio_fops_open(vfio: Vfio): Run<VfioContainerFile> {
  atCall('kzalloc');
  const container = vfio_container(vfio);
  const opened: VfioContainerFile = Object.assign(
    file(
      '/dev/vfio/vfio',
      boundPointer(release.release, () => opened),
    ),
    { f_op: 'vfio_fops' as const, container },
  );
  return opened;
});

export const vfio_fops = ops('vfio_fops', { open: vfio_fops_open, unlocked_ioctl: vfio_fops_unl_ioctl });

export const vfio_container_attach_group = fn(
  'A group joins the container. From here on its devices belong to this user alone: they are cut off from the host’s memory, before they are given any other.',
  function* vfio_container_attach_group(container: VfioContainer, group: VfioGroup) {
    return yield* holding(container.group_lock, RWSEM_WRITE, function* () {
      behind('down_write');
      at('type');
      if (group.type === VFIO_IOMMU) {
        const ret = yield* iommu_group_claim_dma_owner(group.iommu_group, group);
        if (ret !== 0) return ret;
      }
      const driver = container.iommu_driver;
      if (driver !== undefined) {
        const ret = yield* through('function pointer', 'attach_group', driver.ops.attach_group)(
          container.iommu_data!,
          group.iommu_group,
          group.type,
        );
        if (ret !== 0) {
          if (group.type === VFIO_IOMMU) yield* iommu_group_release_dma_owner(group.iommu_group);
          return ret;
        }
      }
      group.container = container;
      group.container_users = 1;
      atCall('list_add');
      container.group_list.unshift(group);
      atCall('vfio_container_get');
      container.kref += 1;
      return 0;
    });
  },
);

export const vfio_group_detach_container = fn(
  'A group leaves the container: out of its domain, and back to the host. With the last group all mappings go.',
  function* vfio_group_detach_container(group: VfioGroup) {
    const { container } = group;
    at('container');
    if (container === undefined) return;
    yield* holding(container.group_lock, RWSEM_WRITE, function* () {
      const { iommu_driver: driver, iommu_data: data } = container;
      if (driver !== undefined) yield* through('function pointer', 'detach_group', driver.ops.detach_group)(data!, group.iommu_group);
      if (group.type === VFIO_IOMMU) yield* iommu_group_release_dma_owner(group.iommu_group);
      atWrite('container', 'detach_group');
      group.container = undefined;
      atWrite('container_users', 'detach_group');
      group.container_users = 0;
      atCall('list_del');
      container.group_list.splice(container.group_list.indexOf(group), 1);
      if (driver === undefined || container.group_list.length > 0) return;
      yield* through('function pointer', 'release', driver.ops.release)(data!);
      container.iommu_driver = undefined;
      container.iommu_data = undefined;
    });
    yield* vfio_container_put(container);
  },
);

/** What an open device takes: a place in the container, and the group's file, so that the group outlives its devices. */
function use_container(group: VfioGroup): number {
  at('iommu_driver');
  if (group.container?.iommu_driver === undefined) return -EINVAL;
  get_file(group.opened_file!);
  atWrite('container_users', 'get_file');
  group.container_users += 1;
  return 0;
}

function unuse_container(group: VfioGroup): void {
  atWrite('container_users', 'WARN_ON');
  group.container_users -= 1;
  fput(group.opened_file!);
}

export const vfio_device_assign_container = fn(
  'A device of the group is opened: only with a container that has a backend, since otherwise nothing would confine it.',
  function* vfio_device_assign_container(device: VfioDevice) {
    return use_container(device.group!);
  },
);

export const vfio_device_unassign_container = fn(
  'A device of the group is closed.',
  function* vfio_device_unassign_container(device: VfioDevice) {
    yield* holding(device.group!.group_lock, MUTEX, function* () {
      unuse_container(device.group!);
    });
  },
);

export const vfio_group_use_container = fn(
  'A device of the group is opened: only with a container that has a backend, since otherwise nothing would confine it.',
  function* vfio_group_use_container(group: VfioGroup) {
    return use_container(group);
  },
);

export const vfio_group_unuse_container = fn('A device of the group is closed.', function* vfio_group_unuse_container(group: VfioGroup) {
  unuse_container(group);
});

/** vfio_container_from_file(): the container, if the file is one. */
export function vfio_container_from_file(from: { readonly f_op: string }): VfioContainer | undefined {
  atCall('vfio_container_from_file');
  return from.f_op === 'vfio_fops' ? (from as VfioContainerFile).container : undefined;
}
