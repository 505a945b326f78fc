import { source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind, preempt } from '../../../../engine/steps';
import { since } from '../../../version';
import { vfio_fops } from '../../../linux/drivers/vfio/container';
import { vfio_group_fops, type GroupIoctl } from '../../../linux/drivers/vfio/group';
import type { VfioIrqSet } from '../../../linux/drivers/vfio/pci/vfio_pci_intrs';
import type { ContainerIoctl } from '../../../linux/drivers/vfio/vfio';
import { vfio_device_fops, type VfioDeviceFile, type VfioDeviceIoctl, type VfioRegionInfo } from '../../../linux/drivers/vfio/vfio_main';
import { EINVAL, ENOENT } from '../../../linux/errno';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import { close, type File } from '../../../linux/fs/file_table';
import { pread64, pwrite64 } from '../../../linux/fs/read_write';
import {
  VFIO_API_VERSION,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GROUP_FLAGS_VIABLE,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
} from '../../../linux/include/uapi/linux/vfio';
import type { KvmDeviceFile } from '../../../linux/virt/kvm/kvm_device';
import { kvm_device_fops } from '../../../linux/virt/kvm/kvm_main';
import { kvm_vm_ioctl } from '../../accel/kvm/kvm-all';
import { io_region, type AddressSpace, type MemoryRegion } from '../../include/exec/memory';
import {
  vfio_container,
  vfio_group,
  type VFIOAddressSpace,
  type VFIOContainer,
  type VFIODevice,
  type VFIOGroup,
  type VFIOHost,
  type VFIORegion,
} from '../../include/hw/vfio/vfio-common';
import type { Globals } from '../../machine';
import { withOpaque } from '../../opaque';
import {
  memory_listener_register,
  memory_listener_unregister,
  memory_region_init_io,
  memory_region_init_ram_device_ptr,
  memory_region_set_enabled,
} from '../../softmmu/memory';

/** What QEMU does with VFIO devices of every kind: interrupt ioctls, regions. */

const { fn, ops } = source('qemu', 'hw/vfio/common.c');

/** ioctl(VFIO_DEVICE_SET_IRQS), in the function that is executing. */
export function* vfio_set_irqs(vbasedev: VFIODevice, set: VfioIrqSet) {
  const ret = yield* through('ioctl', 'ioctl', vfio_device_fops.unlocked_ioctl)(vbasedev.fd, { cmd: 'VFIO_DEVICE_SET_IRQS', set });
  yield* preempt();
  return ret;
}

export const vfio_disable_irqindex = fn(
  'Takes down all interrupts of an index.',
  function* vfio_disable_irqindex(vbasedev: VFIODevice, index: number) {
    yield* vfio_set_irqs(vbasedev, { index, flags: VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, count: 0 });
  },
);

export const vfio_unmask_single_irqindex = fn(
  'Unmasks the interrupt of an index now. If the device still asserts, the ioctl itself signals the trigger eventfd again.',
  function* vfio_unmask_single_irqindex(vbasedev: VFIODevice, index: number) {
    yield* vfio_set_irqs(vbasedev, { index, flags: VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, count: 1 });
  },
);

export const vfio_mask_single_irqindex = fn(
  'Masks the interrupt of an index now.',
  function* vfio_mask_single_irqindex(vbasedev: VFIODevice, index: number) {
    yield* vfio_set_irqs(vbasedev, { index, flags: VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, count: 1 });
  },
);

export const vfio_set_irq_signaling = fn(
  'Connects an eventfd to an interrupt: one that the interrupt signals, or one that unmasks it. Returns a negative error number if the kernel refuses.',
  function* vfio_set_irq_signaling(vbasedev: VFIODevice, index: number, action: number, data: EventfdCtx, subindex?: number) {
    return yield* vfio_set_irqs(vbasedev, { index, flags: VFIO_IRQ_SET_DATA_EVENTFD | action, start: subindex ?? 0, count: 1, data });
  },
);

const vfio_region_write = fn(
  'A trapped store: done by the kernel on the device first, then taken for the end of the interrupt, whatever it was.',
  function* vfio_region_write({ vbasedev, nr }: VFIORegion, addr: number, data: number, size: number) {
    yield* through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(vbasedev.fd, nr, addr, size, data);
    yield* preempt();
    yield* through('function pointer', 'vfio_eoi', vbasedev.ops.vfio_eoi)(vbasedev);
  },
);

const vfio_region_read = fn(
  'A trapped load: done by the kernel on the device first, then taken for the end of the interrupt, though it may not have served it.',
  function* vfio_region_read({ vbasedev, nr }: VFIORegion, addr: number, size: number) {
    const data = yield* through('syscall', 'pread', pread64.ksys_pread64)(vbasedev.fd, nr, addr, size);
    yield* preempt();
    yield* through('function pointer', 'vfio_eoi', vbasedev.ops.vfio_eoi)(vbasedev);
    return data;
  },
);

export const vfio_region_ops = ops('vfio_region_ops', { read: vfio_region_read, write: vfio_region_write });

export const vfio_region_mmaps_set_enabled = fn(
  'Shows or hides the mappings of a region. QEMU keeps them itself; hidden, the guest’s accesses reach the slow region beneath.',
  function* vfio_region_mmaps_set_enabled({ vbasedev, mmaps }: VFIORegion, enabled: boolean) {
    for (const mem of mmaps) yield* memory_region_set_enabled(vbasedev.vdev().qemu.memory, mem, enabled);
  },
);

// Mapping the guest's memory

const container_ioctl = (container: VFIOContainer, arg: ContainerIoctl) => ioctl(vfio_fops.unlocked_ioctl, container.fd!, arg);
const group_ioctl = (group: VFIOGroup, arg: GroupIoctl) => ioctl(vfio_group_fops.unlocked_ioctl, group.fd, arg);
const device_ioctl = (vbasedev: VFIODevice, arg: VfioDeviceIoctl) => ioctl(vfio_device_fops.unlocked_ioctl, vbasedev.fd, arg);

/** ioctl(2), in the function that is executing. */
function* ioctl<F, A>(to: Pointer<[file: F, arg: A], number>, file: F, arg: A): Run<number> {
  const ret = yield* through('ioctl', 'ioctl', to)(file, arg);
  yield* preempt();
  return ret;
}

/** qemu_open_old(), in the function that is executing. */
function opened<F extends File>({ process }: VFIOHost, file: F): F {
  process.files.push(file);
  return file;
}

const vfio_dma_map = fn(
  'Maps memory of the guest for the devices, at the address where the guest sees it.',
  function* vfio_dma_map(container: VFIOContainer, iova: number, size: number, vaddr: number, readonly: boolean) {
    const flags = VFIO_DMA_MAP_FLAG_READ | (readonly ? 0 : VFIO_DMA_MAP_FLAG_WRITE);
    return yield* container_ioctl(container, { cmd: 'VFIO_IOMMU_MAP_DMA', map: { iova, vaddr, size, flags, mm: container.host.mm } });
  },
);

const vfio_dma_unmap = fn('Removes mappings in a range.', function* vfio_dma_unmap(container: VFIOContainer, iova: number, size: number) {
  return yield* container_ioctl(container, { cmd: 'VFIO_IOMMU_UNMAP_DMA', iova, size });
});

const vfio_listener_skipped_section = fn(
  'Devices can only reach what is memory.',
  function* vfio_listener_skipped_section({ ram }: MemoryRegion) {
    atCall('memory_region_is_ram');
    return !ram;
  },
);

const vfio_listener_region_add = fn(
  'Something has appeared in the guest’s memory: memory is mapped for the devices too. While the container is being set up a failure is kept for later; afterwards it would be fatal.',
  function* vfio_listener_region_add(container: VFIOContainer, section: MemoryRegion) {
    if (yield* vfio_listener_skipped_section(section)) return;
    at('hostwin_list');
    const end = section.addr + section.size - 1;
    const found = container.hostwin_list.some(({ min_iova, max_iova }) => min_iova <= section.addr && end <= max_iova);
    atCall('memory_region_get_ram_ptr');
    if (!found || section.ram_block === undefined) return;
    const { host, readonly } = section.ram_block;
    const ret = yield* vfio_dma_map(container, section.addr, section.size, host, readonly);
    at('initialized');
    if (ret === 0 || container.error !== 0) return;
    at('error');
    container.error = ret;
  },
);

const vfio_listener_region_del = fn(
  'Memory has disappeared from the guest.',
  function* vfio_listener_region_del(container: VFIOContainer, section: MemoryRegion) {
    if (yield* vfio_listener_skipped_section(section)) return;
    atCall('memory_region_is_ram_device');
    if (section.ram_block !== undefined) yield* vfio_dma_unmap(container, section.addr, section.size);
  },
);

const vfio_memory_listener = ops('vfio_memory_listener', { region_add: vfio_listener_region_add, region_del: vfio_listener_region_del });

const vfio_listener_release = fn(
  'The container no longer follows the guest’s memory.',
  function* vfio_listener_release(container: VFIOContainer) {
    yield* memory_listener_unregister(container.listener, container.space.as);
  },
);

const vfio_host_win_add = fn(
  'Notes which addresses the devices can be given.',
  function* vfio_host_win_add({ hostwin_list }: VFIOContainer, min_iova: number, max_iova: number) {
    at('hostwin_list');
    hostwin_list.push({ min_iova, max_iova });
  },
);

// Groups and containers

const vfio_kvm_device_add_group = fn(
  'Tells KVM that the group belongs to its virtual machine, by a device that is made for the first group.',
  function* vfio_kvm_device_add_group(qemu: Globals, host: VFIOHost, group: VFIOGroup) {
    at('vfio_kvm_device_fd');
    if (host.vfio_kvm_device_fd === undefined) {
      const cd: { fd: KvmDeviceFile | undefined } = { fd: undefined };
      if ((yield* kvm_vm_ioctl(qemu.kvm_state, { cmd: 'KVM_CREATE_DEVICE', cd })) !== 0 || cd.fd === undefined) return;
      host.vfio_kvm_device_fd = opened(host, cd.fd);
    }
    yield* ioctl(kvm_device_fops.unlocked_ioctl, host.vfio_kvm_device_fd, { attr: 'KVM_DEV_VFIO_GROUP_ADD', file: group.fd });
  },
);

const vfio_kvm_device_del_group = fn(
  'Tells KVM that the group no longer belongs to its virtual machine.',
  function* vfio_kvm_device_del_group(host: VFIOHost, group: VFIOGroup) {
    at('vfio_kvm_device_fd');
    if (host.vfio_kvm_device_fd === undefined) return;
    yield* ioctl(kvm_device_fops.unlocked_ioctl, host.vfio_kvm_device_fd, { attr: 'KVM_DEV_VFIO_GROUP_DEL', file: group.fd });
  },
);

const vfio_get_address_space = fn(
  'The containers of an address space: devices that see the same memory can share one.',
  function* vfio_get_address_space({ vfio_address_spaces }: VFIOHost, as: AddressSpace) {
    at('vfio_address_spaces');
    const known = vfio_address_spaces.find((space) => space.as === as);
    if (known !== undefined) return known;
    const space: VFIOAddressSpace = { as, containers: [] };
    vfio_address_spaces.push(space);
    return space;
  },
);

const vfio_get_iommu_type = fn('Chooses the newest backend that the kernel has.', function* vfio_get_iommu_type(container: VFIOContainer) {
  for (const extension of [VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU])
    if ((yield* container_ioctl(container, { cmd: 'VFIO_CHECK_EXTENSION', extension })) > 0) return extension;
  return -EINVAL;
});

const vfio_init_container = fn(
  'Puts the first group into the container, and then says what the container is made of.',
  function* vfio_init_container(container: VFIOContainer, group: VFIOGroup) {
    const iommu_type = yield* vfio_get_iommu_type(container);
    if (iommu_type < 0) return iommu_type;
    let ret = yield* group_ioctl(group, { cmd: 'VFIO_GROUP_SET_CONTAINER', fd: container.fd! });
    if (ret === 0) {
      behind('ioctl');
      ret = yield* container_ioctl(container, { cmd: 'VFIO_SET_IOMMU', iommu_type });
    }
    if (ret === 0) container.iommu_type = iommu_type;
    return ret;
  },
);

const vfio_get_iommu_info = fn(
  'Asks what the backend can do. The first answer says how much room it needs, the second one fits.',
  function* vfio_get_iommu_info(container: VFIOContainer) {
    const info = { argsz: VFIO_IOMMU_TYPE1_INFO_SIZE, flags: 0 };
    for (;;) {
      const { argsz } = info;
      const ret = yield* container_ioctl(container, { cmd: 'VFIO_IOMMU_GET_INFO', info });
      behind('ioctl');
      at('argsz');
      if (ret !== 0 || info.argsz <= argsz) return ret;
    }
  },
);

const vfio_connect_container = fn(
  'Gives the group a container: one that others of the same memory share, or a new one, which then follows the guest’s memory.',
  function* vfio_connect_container(qemu: Globals, host: VFIOHost, group: VFIOGroup, as: AddressSpace) {
    const space = yield* vfio_get_address_space(host, as);
    for (const container of space.containers) {
      if ((yield* group_ioctl(group, { cmd: 'VFIO_GROUP_SET_CONTAINER', fd: container.fd! })) !== 0) continue;
      group.container = container;
      container.group_list.unshift(group);
      yield* vfio_kvm_device_add_group(qemu, host, group);
      return 0;
    }
    const fd = opened(host, yield* through('syscall', 'qemu_open_old', vfio_fops.open)(host.vfio));
    const made = (): VFIOContainer => container;
    const listener = {
      region_add: withOpaque(vfio_memory_listener.region_add, made),
      region_del: withOpaque(vfio_memory_listener.region_del, made),
    };
    atCall('g_malloc0');
    const container: VFIOContainer = vfio_container({ space, host, listener }, fd);
    behind('O_RDWR');
    if ((yield* container_ioctl(container, { cmd: 'VFIO_GET_API_VERSION' })) !== VFIO_API_VERSION) return -EINVAL;
    let ret = yield* vfio_init_container(container, group);
    if (ret === 0) ret = yield* vfio_get_iommu_info(container);
    if (ret !== 0) {
      yield* close(host.process, fd);
      return ret;
    }
    yield* vfio_host_win_add(container, 0, Number.MAX_SAFE_INTEGER);
    behind('vfio_kvm_device_add_group');
    yield* vfio_kvm_device_add_group(qemu, host, group);
    space.containers.unshift(container);
    behind('vfio_kvm_device_add_group vfio_kvm_device_add_group');
    group.container = container;
    container.group_list.unshift(group);
    behind('vfio_kvm_device_add_group vfio_kvm_device_add_group');
    yield* memory_listener_register(listener, as);
    behind('vfio_kvm_device_add_group vfio_kvm_device_add_group memory_listener_register');
    at('error');
    if (container.error !== 0) {
      yield* vfio_kvm_device_del_group(host, group);
      yield* vfio_listener_release(container);
      yield* close(host.process, fd);
      return container.error;
    }
    container.initialized = true;
    return 0;
  },
);

const vfio_disconnect_container = fn(
  'The group leaves its container. With the last group the container stops following the guest’s memory first, while it still has mappings to remove.',
  function* vfio_disconnect_container(host: VFIOHost, group: VFIOGroup) {
    const container = group.container!;
    container.group_list.splice(container.group_list.indexOf(group), 1);
    group.container = undefined;
    if (container.group_list.length === 0) yield* vfio_listener_release(container);
    yield* group_ioctl(group, { cmd: 'VFIO_GROUP_UNSET_CONTAINER' });
    behind('ioctl');
    at('group_list');
    if (container.group_list.length > 0) return;
    const { containers } = container.space;
    containers.splice(containers.indexOf(container), 1);
    yield* close(host.process, container.fd!);
  },
);

export const vfio_get_group = fn(
  'Opens a group and connects it, unless QEMU has it already. A group of which the host uses a device is refused here.',
  function* vfio_get_group(qemu: Globals, host: VFIOHost, groupid: number, as: AddressSpace): Run<VFIOGroup | undefined> {
    at('vfio_group_list');
    const known = host.vfio_group_list.find((group) => group.groupid === groupid);
    if (known !== undefined) return known;
    const node = host.vfio.group_list.find(({ iommu_group }) => iommu_group.id === groupid);
    const fd = node === undefined ? -ENOENT : yield* through('syscall', 'qemu_open_old', vfio_group_fops.open)(node);
    if (typeof fd === 'number') return undefined;
    const group = vfio_group(groupid, opened(host, fd));
    // Containers as 5.10 had them are not modelled: there the group has one already.
    if (!since('linux', '6.1')) return group;
    const status = { flags: 0 };
    yield* group_ioctl(group, { cmd: 'VFIO_GROUP_GET_STATUS', status });
    at('VFIO_GROUP_FLAGS_VIABLE');
    const viable = (status.flags & VFIO_GROUP_FLAGS_VIABLE) !== 0;
    if (!viable || (yield* vfio_connect_container(qemu, host, group, as)) !== 0) {
      yield* close(host.process, fd);
      return undefined;
    }
    host.vfio_group_list.unshift(group);
    return group;
  },
);

export const vfio_put_group = fn('Lets go of a group that has no device left.', function* vfio_put_group(host: VFIOHost, group: VFIOGroup) {
  at('device_list');
  if (group.device_list.length > 0) return;
  yield* vfio_kvm_device_del_group(host, group);
  yield* vfio_disconnect_container(host, group);
  host.vfio_group_list.splice(host.vfio_group_list.indexOf(group), 1);
  yield* close(host.process, group.fd);
});

// A device and its regions

export const vfio_get_device = fn(
  'Opens a device of the group, and asks what it is.',
  function* vfio_get_device(host: VFIOHost, group: VFIOGroup, name: string, vbasedev: VFIODevice) {
    const got: { fd: VfioDeviceFile | undefined } = { fd: undefined };
    let ret = yield* group_ioctl(group, { cmd: 'VFIO_GROUP_GET_DEVICE_FD', name, got });
    if (ret !== 0 || got.fd === undefined) return ret;
    opened(host, got.fd.file);
    vbasedev.opened = got.fd;
    const info = { flags: 0, num_regions: 0, num_irqs: 0 };
    behind('ioctl');
    ret = yield* device_ioctl(vbasedev, { cmd: 'VFIO_DEVICE_GET_INFO', info });
    vbasedev.group = group;
    group.device_list.unshift(vbasedev);
    at('num_irqs');
    Object.assign(vbasedev, info);
    return ret;
  },
);

export const vfio_get_region_info = fn(
  'Asks how large a region is, and what can be done with it.',
  function* vfio_get_region_info(vbasedev: VFIODevice, index: number, info: { size: number; flags: number }) {
    const answer: VfioRegionInfo = { index, size: 0, flags: 0 };
    const ret = yield* device_ioctl(vbasedev, { cmd: 'VFIO_DEVICE_GET_REGION_INFO', info: answer });
    info.size = answer.size;
    info.flags = answer.flags ?? 0;
    return ret;
  },
);

/** VFIO_DEVICE_GET_IRQ_INFO, in the function that is executing: how many interrupts an index has. */
export function* vfio_irq_count(vbasedev: VFIODevice, index: number): Run<number> {
  const info = { index, flags: 0, count: 0 };
  return (yield* device_ioctl(vbasedev, { cmd: 'VFIO_DEVICE_GET_IRQ_INFO', info })) === 0 ? info.count : 0;
}

export const vfio_region_setup = fn(
  'Makes the region of the memory map that stands for a region of the device: accesses to it read and write the device’s file. A BAR that the device does not have is none. `bars` has those that a guest’s firmware has placed already.',
  function* vfio_region_setup(vbasedev: VFIODevice, index: number, bars: VFIORegion[]) {
    const info = { size: 0, flags: 0 };
    const ret = yield* vfio_get_region_info(vbasedev, index, info);
    at('size');
    if (ret !== 0 || info.size === 0) return ret;
    const range = { name: `BAR ${index}`, addr: 0, size: info.size };
    const made: VFIORegion = { vbasedev, nr: index, mem: io_region(range, vfio_region_ops, () => made), mmaps: [] };
    const region = bars.find(({ nr }) => nr === index) ?? made;
    yield* memory_region_init_io(region.mem);
    at('VFIO_REGION_INFO_FLAG_MMAP');
    region.flags = info.flags;
    if (region === made) bars.push(made);
    return 0;
  },
);

export const vfio_region_mmap = fn(
  'Maps what can be mapped of a region into QEMU, so that KVM can map it into the guest: those accesses exit no more.',
  function* vfio_region_mmap({ vbasedev, nr, mem, flags = 0 }: VFIORegion, host: VFIOHost) {
    at('nr_mmaps');
    if ((flags & VFIO_REGION_INFO_FLAG_MMAP) === 0) return 0;
    const vma = yield* through(
      'syscall',
      'mmap',
      vfio_device_fops.mmap,
    )(vbasedev.fd, { index: nr, vm_start: BAR_MAPPINGS, size: mem.size });
    if (typeof vma === 'number') return vma;
    host.mm.mmap.push(vma);
    yield* memory_region_init_ram_device_ptr(mem);
    atCall('memory_region_add_subregion');
    return 0;
  },
);

/** Where QEMU’s address space has room for a BAR. */
const BAR_MAPPINGS = 0x7e000000;
/** sizeof(struct vfio_iommu_type1_info) in the headers that QEMU was built with, without what may follow it. */
const VFIO_IOMMU_TYPE1_INFO_SIZE = 24;
