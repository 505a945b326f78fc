import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, preempt } from '../../../../engine/steps';
import { since } from '../../../version';
import { vfio_fops } from '../../../linux/drivers/vfio/container';
import { vfio_group_fops } from '../../../linux/drivers/vfio/group';
import type { VfioContainerFile, VfioGroupFile } from '../../../linux/drivers/vfio/vfio';
import { vfio_device_fops, type VfioDeviceFile } from '../../../linux/drivers/vfio/vfio_main';
import { EINVAL } from '../../../linux/errno';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import { pread64, pwrite64 } from '../../../linux/fs/read_write';
import type { VfioIrqSet } from '../../../linux/drivers/vfio/pci/vfio_pci_intrs';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_TYPE1v2_IOMMU,
} from '../../../linux/include/uapi/linux/vfio';
import type { HostDevice, VFIODevice, VFIOGroup, VFIORegion } from '../../include/hw/vfio/vfio-common';
import { memory_region_set_enabled } from '../../softmmu/memory';

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

const vfio_get_iommu_type = fn(
  'Which kind of container the host offers: the better of the two for a PC.',
  function* vfio_get_iommu_type(container: VfioContainerFile) {
    const extension = VFIO_TYPE1v2_IOMMU;
    const has = yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, { cmd: 'VFIO_CHECK_EXTENSION', extension });
    return has > 0 ? extension : -EINVAL;
  },
);

const vfio_init_container = fn(
  'Puts the group into the container and chooses the container’s backend. From the first on the devices are QEMU’s, from the second on they can reach memory.',
  function* vfio_init_container(container: VfioContainerFile, group: VfioGroupFile) {
    const iommu_type = yield* vfio_get_iommu_type(container);
    if (iommu_type < 0) return iommu_type;
    yield* through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(group, { cmd: 'VFIO_GROUP_SET_CONTAINER', fd: container });
    return yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, { cmd: 'VFIO_SET_IOMMU', iommu_type });
  },
);

const vfio_get_iommu_info = fn(
  'Asks the container what it can do; again with more room if the answer is longer.',
  function* vfio_get_iommu_info(container: VfioContainerFile) {
    const argsz = 24;
    const info = { argsz, flags: 0 };
    yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, { cmd: 'VFIO_IOMMU_GET_INFO', info });
    at('argsz');
    if (info.argsz > argsz) yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, { cmd: 'VFIO_IOMMU_GET_INFO', info });
  },
);

const vfio_connect_container = fn(
  'Gives the group a container: the set of mappings through which its devices see the guest’s memory. mtty never looks at any.',
  function* vfio_connect_container({ vfio }: HostDevice, group: VfioGroupFile) {
    const fd = yield* through('syscall', 'qemu_open_old', vfio_fops.open)(vfio);
    yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(fd, { cmd: 'VFIO_GET_API_VERSION' });
    const ret = yield* vfio_init_container(fd, group);
    if (ret !== 0) return ret;
    yield* vfio_get_iommu_info(fd);
    atCall('vfio_kvm_device_add_group');
    atCall('memory_listener_register');
    return 0;
  },
);

export const vfio_get_group = fn(
  'Opens the group of the device, /dev/vfio/ID, and puts it into a container. Whoever holds the group can open its devices.',
  function* vfio_get_group(host: HostDevice): Run<VFIOGroup> {
    const found = host.vfio.group_list.find(({ device_list }) => device_list.some(({ dev }) => dev.name === host.name));
    if (found === undefined) throw new Error(`no group of the host has ${host.name}`);
    const fd = yield* through('syscall', 'qemu_open_old', vfio_group_fops.open)(found);
    if (typeof fd === 'number') throw new Error(`the group of ${host.name} is open already`);
    // Containers as 5.10 had them are not modelled: there the group has one already.
    if (since('linux', '6.1')) {
      yield* through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(fd, { cmd: 'VFIO_GROUP_GET_STATUS', status: { flags: 0 } });
      yield* vfio_connect_container(host, fd);
    }
    return { fd };
  },
);

export const vfio_get_device = fn(
  'Gets the device’s file from its group, and asks what the device is.',
  function* vfio_get_device(group: VFIOGroup, name: string, vbasedev: VFIODevice) {
    const got: { fd: VfioDeviceFile | undefined } = { fd: undefined };
    const ret = yield* through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(group.fd, { cmd: 'VFIO_GROUP_GET_DEVICE_FD', name, got });
    if (ret !== 0 || got.fd === undefined) throw new Error(`${name} cannot be opened: ${ret}`);
    yield* through('ioctl', 'ioctl', vfio_device_fops.unlocked_ioctl)(got.fd, { cmd: 'VFIO_DEVICE_GET_INFO' });
    at('fd');
    vbasedev.opened = got.fd;
  },
);

export const vfio_get_region_info = fn('Asks for the size of a region.', function* vfio_get_region_info({ fd }: VFIODevice, index: number) {
  const info = { index, size: 0 };
  yield* through('ioctl', 'ioctl', vfio_device_fops.unlocked_ioctl)(fd, { cmd: 'VFIO_DEVICE_GET_REGION_INFO', info });
  return info;
});

export const vfio_region_setup = fn(
  'Learns a region’s size. What cannot be mapped will be trapped at every access.',
  function* vfio_region_setup(vbasedev: VFIODevice, index: number) {
    return yield* vfio_get_region_info(vbasedev, index);
  },
);
