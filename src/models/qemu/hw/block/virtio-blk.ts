import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind } from '../../../../engine/steps';
import { VIRTIO_CONFIG_S_DRIVER_OK } from '../../../linux/include/linux/virtio_config';
import { VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP, type VirtioBlkOuthdr } from '../../../linux/include/uapi/linux/virtio_blk';
import type { Vring, VringBuffer } from '../../../linux/include/uapi/linux/virtio_ring';
import type { IOThread } from '../../iothread';
import { withOpaque } from '../../opaque';
import {
  virtio_add_queue,
  virtio_device_start_ioeventfd,
  virtio_notify,
  virtio_queue_empty,
  virtio_queue_set_notification,
  virtqueue_pop,
  virtqueue_push,
  type VirtIODevice,
  type VirtQueue,
  type VirtQueueElement,
} from '../virtio/virtio';
import {
  virtio_blk_data_plane_create,
  virtio_blk_data_plane_notify,
  virtio_blk_data_plane_start,
  type VirtIOBlockDataPlane,
} from './dataplane/virtio-blk';

/** The virtio disk. Only its serial number can be read: the media are no business of interrupts. */

const VirtIOBlockCells = struct('VirtIOBlock', 'A virtio disk: whether an I/O thread has its queue now.', {
  dataplane_started: bool(),
  dataplane_disabled: bool(),
});

export type VirtIOBlock = InstanceOf<typeof VirtIOBlockCells> & {
  readonly vdev: VirtIODevice;
  readonly vq: VirtQueue;
  readonly serial: string;
  /** Undefined where notifications cannot go through eventfds: then there can be no I/O thread. */
  readonly dataplane: VirtIOBlockDataPlane | undefined;
};

/** A request of the driver’s, taken from the queue. */
interface VirtIOBlockReq {
  readonly dev: VirtIOBlock;
  readonly vq: VirtQueue;
  readonly elem: VirtQueueElement;
}

const { fn, ops } = source('qemu', 'hw/block/virtio-blk.c');

const virtio_blk_req_complete = fn(
  'Gives a request back with its status, and interrupts the driver: by an eventfd from an I/O thread, else directly.',
  function* virtio_blk_req_complete({ dev, vq, elem }: VirtIOBlockReq, status: number) {
    atCall('stb_p');
    const in_hdr = elem.in_sg.at(-1);
    if (in_hdr !== undefined) in_hdr.content = status;
    yield* virtqueue_push(vq, elem, sizeOf(elem.in_sg));
    at('dataplane_started');
    if (dev.dataplane !== undefined && dev.dataplane_started && !dev.dataplane_disabled)
      yield* virtio_blk_data_plane_notify(dev.dataplane, vq);
    else yield* virtio_notify(dev.vdev, vq);
  },
);

const sizeOf = (sgs: readonly VringBuffer[]): number => sgs.reduce((sum, { size }) => sum + size, 0);

const virtio_blk_get_request = fn('Takes the next request.', function* virtio_blk_get_request(dev: VirtIOBlock, vq: VirtQueue): Run<
  VirtIOBlockReq | undefined
> {
  const elem = yield* virtqueue_pop(vq);
  return elem === undefined ? undefined : { dev, vq, elem };
});

const virtio_blk_handle_request = fn(
  'Looks what is wanted. Reads and writes would go to the block layer and come back later; the serial number is here at once.',
  function* virtio_blk_handle_request(req: VirtIOBlockReq) {
    const [out, data] = [req.elem.out_sg[0], req.elem.in_sg[0]];
    at('type');
    if ((out?.content as VirtioBlkOuthdr | undefined)?.type !== 'VIRTIO_BLK_T_GET_ID' || data === undefined) {
      yield* virtio_blk_req_complete(req, VIRTIO_BLK_S_UNSUPP);
      return;
    }
    at('VIRTIO_BLK_T_GET_ID');
    data.content = req.dev.serial;
    behind('VIRTIO_BLK_T_GET_ID');
    yield* virtio_blk_req_complete(req, VIRTIO_BLK_S_OK);
  },
);

const virtio_blk_handle_vq = fn(
  'Serves the queue until it is empty. While it is at it the driver need not notify; after that it looks once more, for what came before the driver saw that it must again.',
  function* virtio_blk_handle_vq(s: VirtIOBlock, vq: VirtQueue) {
    atCall('aio_context_acquire');
    do {
      yield* virtio_queue_set_notification(vq, false);
      for (let req = yield* virtio_blk_get_request(s, vq); req !== undefined; req = yield* virtio_blk_get_request(s, vq))
        yield* virtio_blk_handle_request(req);
      behind('virtio_queue_set_notification');
      yield* virtio_queue_set_notification(vq, true);
    } while (!(yield* virtio_queue_empty(vq)));
    atCall('aio_context_release');
  },
);

const virtio_blk_handle_output = fn(
  'The driver has offered requests. One that comes before DRIVER_OK starts the I/O thread, which then finds it.',
  function* virtio_blk_handle_output(s: VirtIOBlock, vq: VirtQueue) {
    at('dataplane_started');
    if (s.dataplane !== undefined && !s.dataplane_started) {
      yield* virtio_device_start_ioeventfd(s.vdev);
      if (!s.dataplane_disabled) return;
    }
    yield* virtio_blk_handle_vq(s, vq);
  },
);

const virtio_blk_set_status = fn(
  'The driver’s status changes: with DRIVER_OK it is known whether it can flush a write cache.',
  function* virtio_blk_set_status(_s: VirtIOBlock, _vdev: VirtIODevice, status: number) {
    at('VIRTIO_CONFIG_S_DRIVER_OK');
    if (status & VIRTIO_CONFIG_S_DRIVER_OK) atCall('virtio_vdev_has_feature');
  },
);

const virtio_blk_class_init = ops('virtio_blk_class_init', {
  set_status: virtio_blk_set_status,
  start_ioeventfd: virtio_blk_data_plane_start,
});

const virtio_blk_device_realize = ops('virtio_blk_device_realize', { virtio_blk_handle_output });

/** What the device does in its own way. */
export const virtio_blk_class = (s: () => VirtIOBlock): VirtIODevice['klass'] => ({
  set_status: withOpaque(virtio_blk_class_init.set_status, s),
  start_ioeventfd: withOpaque(virtio_blk_class_init.start_ioeventfd, s),
});

/** Makes the device on top of its virtio part, with one queue. */
export function virtio_blk(
  vdev: VirtIODevice,
  { ring, vector, iothread }: { readonly ring: Vring | undefined; readonly vector: number; readonly iothread: IOThread | undefined },
): VirtIOBlock {
  const own = (): VirtIOBlock => s;
  const vq = virtio_add_queue(vdev, ring, vector, withOpaque(virtio_blk_device_realize.virtio_blk_handle_output, own));
  const dataplane = iothread === undefined ? undefined : virtio_blk_data_plane_create(vdev, iothread);
  const s: VirtIOBlock = Object.assign(VirtIOBlockCells(vdev.name), { vdev, vq, serial: 'virtflow', dataplane });
  return s;
}
