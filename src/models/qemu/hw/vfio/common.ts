import { source, through } from '../../../../engine/fn';
import { preempt } from '../../../../engine/steps';
import { vfio_device_fops } from '../../../linux/drivers/vfio/vfio_main';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import { pread64, pwrite64 } from '../../../linux/fs/read_write';
import type { VfioIrqSet } from '../../../linux/drivers/vfio/pci/vfio_pci_intrs';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
} from '../../../linux/include/uapi/linux/vfio';
import type { VFIODevice, VFIORegion } from '../../include/hw/vfio/vfio-common';
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
