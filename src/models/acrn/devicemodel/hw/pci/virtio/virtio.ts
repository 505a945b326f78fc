import { addressOf, bound, source, through } from '../../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../../engine/steps';
import { eventfd_ctx, eventfd_fops, type EventfdCtx } from '../../../../../linux/fs/eventfd';
import { VIRTIO_CONFIG_S_DRIVER_OK } from '../../../../../linux/include/linux/virtio_config';
import {
  VIRTIO_PCI_COMMON_STATUS,
  VIRTIO_PCI_ISR,
  VIRTIO_PCI_QUEUE_NOTIFY,
  VIRTIO_PCI_STATUS,
} from '../../../../../linux/include/uapi/linux/virtio_pci';
import { u16, vring_need_event, VRING_AVAIL_F_NO_INTERRUPT } from '../../../../../linux/include/uapi/linux/virtio_ring';
import { iothread_add } from '../../../core/iothread';
import { vm_ioeventfd } from '../../../core/vmmapi';
import type { PciVdev } from '../../../include/pci_core';
import {
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTIO_RING_F_EVENT_IDX,
  virtio_base,
  vq_interrupt,
  type VirtioBase,
  type VirtioOps,
  type VirtioVqInfo,
} from '../../../include/virtio';
import { pthread_mutex_lock, pthread_mutex_unlock } from '../../../pthread';
import {
  pci_emul_add_msixcap,
  pci_emul_alloc_bar,
  pci_emul_msix_tread,
  pci_emul_msix_twrite,
  pci_lintr_deassert,
  pci_lintr_request,
} from '../core';

/** What every virtio device has: registers in the old layout and in that of virtio 1.0, queues, interrupts. */

const LEGACY_BAR_SIZE = 64;
const VIRTIO_MODERN_MMIO_BAR_IDX = 4;
const VIRTIO_CAP_ISR_OFFSET = 0x1000;
const VIRTIO_CAP_DEVICE_OFFSET = 0x2000;
export const VIRTIO_CAP_NOTIFY_OFFSET = 0x3000;
const VIRTIO_CAP_NOTIFY_SIZE = 0x1000;
export const VIRTIO_MODERN_NOTIFY_OFF_MULT = 4;

/** The virtio part of a PCI device. */
export const baseOf = (dev: PciVdev): VirtioBase => dev.arg as VirtioBase;

const { fn } = source('acrn', 'devicemodel/hw/pci/virtio/virtio.c');

const iothread_handler = fn(
  'An I/O thread has seen a kick: takes the count, without which epoll would report it for ever, and serves the queue.',
  function* iothread_handler(vq: VirtioVqInfo) {
    const { kick_fd, iothread_run } = vq.viothrd;
    yield* through('syscall', 'eventfd_read', eventfd_fops.read_iter)(kick_fd!);
    if (iothread_run === undefined) return;
    yield* pthread_mutex_lock(vq.mtx);
    behind('pthread_mutex_lock');
    yield* through('function pointer', 'iothread_run', iothread_run)(vq.base, vq);
    pthread_mutex_unlock(vq.mtx);
  },
);

const virtio_set_iothread = fn(
  'From now on kicks go to an I/O thread: an eventfd per queue, which the kernel signals when the guest writes to the notification register.',
  function* virtio_set_iothread(base: VirtioBase) {
    for (const vq of base.queues) {
      const { viothrd, notify } = vq;
      if (vq['viothrd.ioevent_started'] || viothrd.ioctx === undefined) return;
      atCall('eventfd');
      const kick_fd = eventfd_ctx(`${base.dev.name} kick_fd ${vq.num}`);
      viothrd.kick_fd = kick_fd;
      viothrd.iothread_run = notify;
      viothrd.iomvt = { run: addressOf(bound(iothread_handler, () => vq)) };
      yield* iothread_add(base.dev.vmctx, viothrd.ioctx, `kick_fd ${vq.num}`, kick_fd, viothrd.iomvt);
      if ((yield* virtio_register_ioeventfd(base, vq.num, kick_fd)) === 0) vq['viothrd.ioevent_started'] = true;
    }
  },
);

export const virtio_linkup = fn(
  'Ties a virtio device to its PCI function.',
  function* virtio_linkup(vops: VirtioOps, dev: PciVdev, qsize: number) {
    at('queues');
    const base = virtio_base(dev, vops, qsize);
    dev.arg = base;
    return base;
  },
);

export const virtio_set_io_bar = fn(
  'The registers as they were before virtio 1.0: a few ports.',
  function* virtio_set_io_bar(base: VirtioBase, barnum: number) {
    yield* pci_emul_alloc_bar(base.dev, barnum, 'PCIBAR_IO', LEGACY_BAR_SIZE);
    base.legacy_pio_bar_idx = barnum;
  },
);

const virtio_intr_init = fn(
  'MSI-X with an entry per queue and one more, if wanted; the interrupt line in any case.',
  function* virtio_intr_init(base: VirtioBase, barnum: number, use_msix: boolean) {
    if (use_msix) yield* pci_emul_add_msixcap(base.dev, base.vops.nvq + 1, barnum);
    yield* pci_lintr_request(base.dev);
    return 0;
  },
);

export const virtio_interrupt_init = fn(
  'Prepares the device’s interrupts.',
  function* virtio_interrupt_init(base: VirtioBase, use_msix: boolean) {
    return yield* virtio_intr_init(base, 1, use_msix);
  },
);

const virtio_set_modern_mmio_bar = fn(
  'The registers of virtio 1.0: structures in memory.',
  function* virtio_set_modern_mmio_bar(base: VirtioBase, barnum: number) {
    yield* pci_emul_alloc_bar(base.dev, barnum, 'PCIBAR_MEM64', VIRTIO_CAP_NOTIFY_OFFSET + VIRTIO_CAP_NOTIFY_SIZE);
    base.modern_mmio_bar_idx = barnum;
    return 0;
  },
);

export const virtio_set_modern_bar = fn(
  'Makes the registers of virtio 1.0, for a device that offers VIRTIO_F_VERSION_1.',
  function* virtio_set_modern_bar(base: VirtioBase) {
    at('VIRTIO_F_VERSION_1');
    return base['device_caps.VIRTIO_F_VERSION_1'] ? yield* virtio_set_modern_mmio_bar(base, VIRTIO_MODERN_MMIO_BAR_IDX) : -1;
  },
);

export const vq_getchain = fn('Takes the next buffer that the guest has offered.', function* vq_getchain(vq: VirtioVqInfo) {
  const { avail, desc } = vq.ring!;
  at('avail');
  if (avail.idx === vq.last_avail) return undefined;
  const idx = avail[`ring[${vq.last_avail & (vq.qsize - 1)}]`] ?? 0;
  vq.last_avail = u16(vq.last_avail + 1);
  const iov = desc[idx]?.addr;
  return iov && { idx, iov };
});

export const vq_relchain = fn(
  'Gives a buffer back: the entry first, then the index that the guest looks at.',
  function* vq_relchain(vq: VirtioVqInfo, idx: number, iolen: number) {
    const { used } = vq.ring!;
    const slot = used.idx & (vq.qsize - 1);
    used[`ring[${slot}].id`] = idx;
    used[`ring[${slot}].len`] = iolen;
    used.idx = u16(used.idx + 1);
  },
);

export const vq_endchains = fn(
  'Decides whether the guest wants to hear of the buffers that were given back since the last time: by the index it asked for, or unless it asked for none.',
  function* vq_endchains(vq: VirtioVqInfo, used_all_avail: boolean) {
    if (vq.ring === undefined) return;
    const { base } = vq;
    const { used, avail } = vq.ring;
    const old_idx = vq.save_used;
    vq.save_used = used.idx;
    at('negotiated_caps');
    const negotiated = (bit: number): boolean => ((base.negotiated_caps >>> bit) & 1) === 1;
    const intr =
      (used_all_avail && negotiated(VIRTIO_F_NOTIFY_ON_EMPTY)) ||
      (negotiated(VIRTIO_RING_F_EVENT_IDX)
        ? vring_need_event(avail.vring_used_event, used.idx, old_idx)
        : used.idx !== old_idx && (avail.flags & VRING_AVAIL_F_NO_INTERRUPT) === 0);
    if (intr) yield* vq_interrupt(base, vq);
  },
);

/** A register that is read to find out what an interrupt was about: reading takes it back, and lets the line go. */
function* readIsr(dev: PciVdev, base: VirtioBase) {
  const value = base.isr;
  base.isr = 0;
  if (value !== 0) yield* pci_lintr_deassert(dev);
  return value;
}

const virtio_pci_legacy_read = fn(
  'The guest reads a legacy register.',
  function* virtio_pci_legacy_read(dev: PciVdev, offset: number, size: number) {
    const base = baseOf(dev);
    yield* pthread_mutex_lock(base.mtx);
    atCall('virtio_find_legacy_cr');
    let value = size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
    if (offset === VIRTIO_PCI_STATUS) value = base.status;
    if (offset === VIRTIO_PCI_ISR) value = yield* readIsr(dev, base);
    pthread_mutex_unlock(base.mtx);
    return value;
  },
);

const virtio_pci_status_handler = fn(
  'The driver’s status changed. With DRIVER_OK the queues are set up, and a device with I/O threads hands them over.',
  function* virtio_pci_status_handler(base: VirtioBase, value: number) {
    at('VIRTIO_CONFIG_S_DRIVER_OK');
    if ((value & VIRTIO_CONFIG_S_DRIVER_OK) === 0) return;
    at('iothread');
    if (base.iothread) yield* virtio_set_iothread(base);
  },
);

const virtio_pci_legacy_write = fn(
  'The guest writes a legacy register. For a kick the value is the queue’s number, and the queue is served here and now, by the thread that serves requests.',
  function* virtio_pci_legacy_write(dev: PciVdev, offset: number, _size: number, value: number) {
    const base = baseOf(dev);
    yield* pthread_mutex_lock(base.mtx);
    switch (offset) {
      case VIRTIO_PCI_QUEUE_NOTIFY: {
        at('VIRTIO_PCI_QUEUE_NOTIFY');
        const vq = base.queues[value];
        if (vq?.notify !== undefined) yield* through('function pointer', 'notify', vq.notify)(base, vq);
        break;
      }
      case VIRTIO_PCI_STATUS:
        base.status = value;
        yield* virtio_pci_status_handler(base, value);
        break;
      default:
        atCall('virtio_find_legacy_cr', 'A register that was set up before this story begins.');
    }
    pthread_mutex_unlock(base.mtx);
  },
);

const virtio_common_cfg_read = fn(
  'The guest reads the common configuration.',
  function* virtio_common_cfg_read(dev: PciVdev, offset: number, size: number) {
    atCall('virtio_find_modern_cr');
    if (offset === VIRTIO_PCI_COMMON_STATUS) return baseOf(dev).status;
    return size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
  },
);

const virtio_common_cfg_write = fn(
  'The guest writes the common configuration.',
  function* virtio_common_cfg_write(dev: PciVdev, offset: number, _size: number, value: number) {
    const base = baseOf(dev);
    atCall('virtio_find_modern_cr');
    if (offset !== VIRTIO_PCI_COMMON_STATUS) return;
    base.status = value;
    yield* virtio_pci_status_handler(base, value);
  },
);

const virtio_isr_cfg_read = fn('The guest reads the ISR register.', function* virtio_isr_cfg_read(dev: PciVdev) {
  return yield* readIsr(dev, baseOf(dev));
});

const virtio_notify_cfg_write = fn(
  'A kick: which queue it is for follows from the address.',
  function* virtio_notify_cfg_write(dev: PciVdev, offset: number) {
    const base = baseOf(dev);
    at('idx');
    const vq = base.queues[Math.floor(offset / VIRTIO_MODERN_NOTIFY_OFF_MULT)];
    if (vq?.notify !== undefined) yield* through('function pointer', 'notify', vq.notify)(base, vq);
  },
);

const virtio_pci_modern_mmio_read = fn(
  'The guest reads one of the structures of virtio 1.0.',
  function* virtio_pci_modern_mmio_read(dev: PciVdev, offset: number, size: number) {
    const base = baseOf(dev);
    atCall('virtio_get_cap_id');
    yield* pthread_mutex_lock(base.mtx);
    const value =
      offset < VIRTIO_CAP_ISR_OFFSET
        ? yield* virtio_common_cfg_read(dev, offset, size)
        : offset < VIRTIO_CAP_DEVICE_OFFSET
          ? yield* virtio_isr_cfg_read(dev)
          : 0;
    pthread_mutex_unlock(base.mtx);
    return value;
  },
);

const virtio_pci_modern_mmio_write = fn(
  'The guest writes one of the structures of virtio 1.0.',
  function* virtio_pci_modern_mmio_write(dev: PciVdev, offset: number, size: number, value: number) {
    const base = baseOf(dev);
    atCall('virtio_get_cap_id');
    yield* pthread_mutex_lock(base.mtx);
    if (offset < VIRTIO_CAP_ISR_OFFSET) yield* virtio_common_cfg_write(dev, offset, size, value);
    else if (offset >= VIRTIO_CAP_NOTIFY_OFFSET) yield* virtio_notify_cfg_write(dev, offset - VIRTIO_CAP_NOTIFY_OFFSET);
    pthread_mutex_unlock(base.mtx);
  },
);

export const virtio_pci_read = fn(
  'A read of a BAR: which BAR it is says which layout, or that it is the MSI-X table.',
  function* virtio_pci_read(dev: PciVdev, baridx: number, offset: number, size: number) {
    const base = baseOf(dev);
    at('baridx');
    switch (baridx) {
      case dev.msix_table_bar:
        return yield* pci_emul_msix_tread(dev, offset, size);
      case base.legacy_pio_bar_idx:
        return yield* virtio_pci_legacy_read(dev, offset, size);
      case base.modern_mmio_bar_idx:
        return yield* virtio_pci_modern_mmio_read(dev, offset, size);
      default:
        return 0;
    }
  },
);

export const virtio_pci_write = fn(
  'A write to a BAR: which BAR it is says which layout, or that it is the MSI-X table.',
  function* virtio_pci_write(dev: PciVdev, baridx: number, offset: number, size: number, value: number) {
    const base = baseOf(dev);
    at('baridx');
    switch (baridx) {
      case dev.msix_table_bar:
        yield* pci_emul_msix_twrite(dev, offset, size, value);
        return;
      case base.legacy_pio_bar_idx:
        yield* virtio_pci_legacy_write(dev, offset, size, value);
        return;
      case base.modern_mmio_bar_idx:
        yield* virtio_pci_modern_mmio_write(dev, offset, size, value);
        return;
    }
  },
);

const virtio_register_ioeventfd = fn(
  'Tells the kernel which write is a kick of this queue: the value at the one legacy port, or any value at the queue’s own address.',
  function* virtio_register_ioeventfd(base: VirtioBase, idx: number, fd: EventfdCtx) {
    const { vmctx, bar } = base.dev;
    const modern = bar[base.modern_mmio_bar_idx];
    at('ioeventfd');
    if (base['device_caps.VIRTIO_F_VERSION_1'] && modern !== undefined) {
      const addr = modern.addr + VIRTIO_CAP_NOTIFY_OFFSET + idx * VIRTIO_MODERN_NOTIFY_OFF_MULT;
      return yield* vm_ioeventfd(vmctx, { fd, addr, len: 2, pio: false, data: undefined });
    }
    const legacy = bar[base.legacy_pio_bar_idx]!;
    return yield* vm_ioeventfd(vmctx, { fd, addr: legacy.addr + VIRTIO_PCI_QUEUE_NOTIFY, len: 2, pio: true, data: idx });
  },
);
