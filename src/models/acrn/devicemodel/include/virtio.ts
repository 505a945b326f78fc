import { bits, bool, hex, int, means, struct, type InstanceOf } from '../../../../engine/cell';
import { source, type Pointer } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import { VIRTIO_MSI_NO_VECTOR, VIRTIO_PCI_ISR_QUEUES } from '../../../linux/include/uapi/linux/virtio_pci';
import type { Vring } from '../../../linux/include/uapi/linux/virtio_ring';
import type { IothreadCtx, IothreadMevent } from '../core/iothread';
import { pci_generate_msi, pci_generate_msix, pci_lintr_assert, pci_msix_enabled } from '../hw/pci/core';
import { pthread_mutex, pthread_mutex_lock, pthread_mutex_unlock, type PthreadMutex } from '../pthread';
import type { PciVdev } from './pci_core';
import * as virtio_registers from '../../../hardware/registers/virtio';

/** virtio devices, whatever they do: their queues, seen from the device. */

export const VQ_ALLOC = 1;
export const VIRTIO_F_VERSION_1 = 32;
export const VIRTIO_RING_F_EVENT_IDX = 29;
export const VIRTIO_F_NOTIFY_ON_EMPTY = 24;

const BaseCells = struct('virtio_base', 'A virtio device: what was negotiated, and what its registers say.', {
  status: virtio_registers.status(),
  isr: virtio_registers.isr(),
  device_caps: hex(32),
  negotiated_caps: hex(32),
  /** VIRTIO_F_VERSION_1 is bit 32 of device_caps. */
  'device_caps.VIRTIO_F_VERSION_1': bool(),
  legacy_pio_bar_idx: int(-1),
  modern_mmio_bar_idx: int(-1),
  iothread: bool(),
});

/** What a kind of virtio device does: `virtio_ops`. */
export interface VirtioOps {
  readonly name: string;
  readonly nvq: number;
}

/** Serves a queue that was kicked. */
export type VqNotify = Pointer<[base: VirtioBase, vq: VirtioVqInfo], void>;

export type VirtioBase = InstanceOf<typeof BaseCells> & {
  readonly vops: VirtioOps;
  readonly dev: PciVdev;
  readonly queues: VirtioVqInfo[];
  readonly mtx: PthreadMutex;
  /** DEV_STRUCT(): the device that this is the first member of. */
  vdev: unknown;
};

const VqCells = struct('virtio_vq_info', 'A queue, as the device sees it: how far it has come.', {
  flags: bits(8, ['VQ_ALLOC']),
  last_avail: means(virtio_registers.LAST_AVAIL, int()),
  save_used: means('The used index when the queue was last begun with: whether to interrupt is decided against it.', int()),
  msix_idx: hex(16, VIRTIO_MSI_NO_VECTOR),
  'viothrd.ioevent_started': bool(),
});

export type VirtioVqInfo = InstanceOf<typeof VqCells> & {
  readonly base: VirtioBase;
  readonly num: number;
  readonly qsize: number;
  readonly mtx: PthreadMutex;
  notify: VqNotify | undefined;
  /** `desc`, `avail` and `used`: where the guest has put the ring. */
  ring: Vring | undefined;
  readonly viothrd: {
    ioctx: IothreadCtx | undefined;
    kick_fd: EventfdCtx | undefined;
    iothread_run: VqNotify | undefined;
    iomvt: IothreadMevent | undefined;
  };
};

/** Allocates a device's virtio part with `nvq` queues. */
export function virtio_base(dev: PciVdev, vops: VirtioOps, qsize: number): VirtioBase {
  const base: VirtioBase = Object.assign(BaseCells(dev.name), {
    vops,
    dev,
    queues: [],
    mtx: pthread_mutex(`${dev.name} mtx`),
    vdev: undefined,
  });
  for (let num = 0; num < vops.nvq; num++) {
    const name = `${dev.name} queue ${num}`;
    const viothrd = { ioctx: undefined, kick_fd: undefined, iothread_run: undefined, iomvt: undefined };
    const more = { base, num, qsize, mtx: pthread_mutex(`${name} mtx`), notify: undefined, ring: undefined, viothrd };
    base.queues.push(Object.assign(VqCells(name), more));
  }
  return base;
}

const { fn } = source('acrn', 'devicemodel/include/virtio.h');

/** vq_ring_ready(). */
export const vq_ring_ready = (vq: VirtioVqInfo): boolean => (vq.flags & VQ_ALLOC) !== 0 && vq.ring !== undefined;

export const vq_has_descs = fn('Whether the guest has offered buffers that were not taken yet.', function* vq_has_descs(vq: VirtioVqInfo) {
  atCall('vq_ring_ready');
  return vq_ring_ready(vq) && vq.last_avail !== vq.ring!.avail.idx;
});

export const vq_interrupt = fn(
  'Interrupts on behalf of a queue: by the queue’s own message, or, for all queues alike, by the ISR register and the line.',
  function* vq_interrupt(vb: VirtioBase, vq: VirtioVqInfo) {
    if (pci_msix_enabled(vb.dev)) {
      yield* pci_generate_msix(vb.dev, vq.msix_idx);
      return;
    }
    yield* pthread_mutex_lock(vb.mtx, 'VIRTIO_BASE_LOCK');
    vb.isr |= VIRTIO_PCI_ISR_QUEUES;
    yield* pci_generate_msi(vb.dev, 0);
    yield* pci_lintr_assert(vb.dev);
    pthread_mutex_unlock(vb.mtx, 'VIRTIO_BASE_UNLOCK');
  },
);
