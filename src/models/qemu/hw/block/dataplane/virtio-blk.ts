import { bits, bool, struct, type InstanceOf } from '../../../../../engine/cell';
import { source, through } from '../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../engine/steps';
import { aio_bh_new, type QEMUBH } from '../../../include/block/aio';
import type { IOThread, IOThreadContext } from '../../../iothread';
import { withOpaque } from '../../../opaque';
import { memory_region_transaction_begin, memory_region_transaction_commit } from '../../../softmmu/memory';
import { qemu_bh_schedule } from '../../../util/async';
import { event_notifier_set } from '../../../util/event_notifier-posix';
import { virtio_notify_irqfd, virtio_queue_aio_attach_host_notifier, type VirtIODevice, type VirtQueue } from '../../virtio/virtio';
import { virtio_bus_set_host_notifier } from '../../virtio/virtio-bus';
import type { VirtIOBlock } from '../virtio-blk';

/** A virtio disk whose queue an I/O thread serves, without the BQL. */

const DataPlaneCells = struct('VirtIOBlockDataPlane', 'The part of a virtio disk that belongs to an I/O thread.', {
  starting: bool(),
  /** Without event indices interrupts are collected: one for all requests of a turn of the event loop. */
  batch_notifications: bool(),
  batch_notify_vqs: bits(8, ['queue 0']),
});

export type VirtIOBlockDataPlane = InstanceOf<typeof DataPlaneCells> & {
  readonly vdev: VirtIODevice;
  readonly ctx: IOThreadContext;
  /** What gives the collected interrupts. */
  readonly bh: QEMUBH;
};

const { fn, ops } = source('qemu', 'hw/block/dataplane/virtio-blk.c');

const notify_guest_bh = fn(
  'The event loop has come around: interrupts the driver for all that was done since.',
  function* notify_guest_bh(s: VirtIOBlockDataPlane) {
    const bitmap = s.batch_notify_vqs;
    atCall('memset');
    s.batch_notify_vqs = 0;
    for (const vq of s.vdev.vq) if (bitmap & (1 << vq.queue_index)) yield* virtio_notify_irqfd(s.vdev, vq);
  },
);

const created = ops('virtio_blk_data_plane_create', { notify_guest_bh });

/** Gives a disk to an I/O thread. */
export function virtio_blk_data_plane_create(vdev: VirtIODevice, { ctx }: IOThread): VirtIOBlockDataPlane {
  const own = (): VirtIOBlockDataPlane => s;
  const bh = aio_bh_new('notify_guest_bh', ctx, withOpaque(created.notify_guest_bh, own));
  const s: VirtIOBlockDataPlane = Object.assign(DataPlaneCells(vdev.name), { vdev, ctx, bh });
  return s;
}

export const virtio_blk_data_plane_notify = fn(
  'A request is done. With event indices the driver says itself when it wants to hear; without, interrupts are collected.',
  function* virtio_blk_data_plane_notify(s: VirtIOBlockDataPlane, vq: VirtQueue) {
    at('batch_notifications');
    if (!s.batch_notifications) {
      yield* virtio_notify_irqfd(s.vdev, vq);
      return;
    }
    atCall('set_bit');
    s.batch_notify_vqs |= 1 << vq.queue_index;
    yield* qemu_bh_schedule(s.bh);
  },
);

export const virtio_blk_data_plane_start = fn(
  'The driver is ready: interrupts will go through guest notifiers, notifications through host notifiers, and the I/O thread waits for those. The first notification is made up, for what the driver may have offered already.',
  function* virtio_blk_data_plane_start(vblk: VirtIOBlock, vdev: VirtIODevice) {
    const { dataplane: s, vq } = vblk;
    const { bus, q } = vdev;
    at('dataplane_started');
    if (s === undefined || vblk.dataplane_started || s.starting) return 0;
    s.starting = true;
    at('batch_notifications');
    s.batch_notifications = !vdev.event_idx;
    const r = yield* through('function pointer', 'set_guest_notifiers', bus.klass.set_guest_notifiers)(vdev.vq.length, true);
    if (r !== 0) {
      vblk.dataplane_disabled = true;
      s.starting = false;
      vblk.dataplane_started = true;
      return r;
    }
    yield* memory_region_transaction_begin(q.memory);
    yield* virtio_bus_set_host_notifier(bus, vq.queue_index, true);
    yield* memory_region_transaction_commit(q.memory);
    behind('set_guest_notifiers');
    s.starting = false;
    vblk.dataplane_started = true;
    yield* event_notifier_set(vq.host_notifier);
    behind('aio_context_acquire');
    atCall('aio_context_acquire');
    yield* virtio_queue_aio_attach_host_notifier(vq, s.ctx);
    return 0;
  },
);
