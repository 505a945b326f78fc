import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind } from '../../../../engine/steps';
import { spin_lock_irqsave, spin_unlock_irqrestore, type GuestCpu } from '../../../guest/cpu';
import { since } from '../../../version';
import {
  blk_mq_complete_request,
  blk_mq_end_request,
  blk_mq_start_request,
  BLK_STS_DEV_RESOURCE,
  BLK_STS_NOTSUPP,
  BLK_STS_OK,
  request,
  type BlkStatus,
  type HardwareQueue,
  type Request,
} from '../../block/blk-mq';
import { virtio_device_ready, type VirtioDevice } from '../../include/linux/virtio_config';
import { OUTHDR_SIZE, VIRTIO_BLK_ID_BYTES, VIRTIO_BLK_S_OK, type VirtioBlkOuthdr } from '../../include/uapi/linux/virtio_blk';
import type { VringBuffer } from '../../include/uapi/linux/virtio_ring';
import {
  virtqueue_add_sgs,
  virtqueue_disable_cb,
  virtqueue_enable_cb,
  virtqueue_get_buf,
  virtqueue_kick,
  virtqueue_kick_prepare,
  virtqueue_notify,
  type Virtqueue,
} from '../virtio/virtio_ring';

/** The driver of virtio disks, with one queue. */

const VirtblkReqCells = struct('virtblk_req', 'What the driver keeps with a request: the status that the device will write.', {
  status: hex(8, 0xff),
});

/** The header, which is also what the driver knows the buffer by; the data; and the status. */
type VirtblkReq = InstanceOf<typeof VirtblkReqCells> &
  VringBuffer & { readonly data: VringBuffer; readonly in_hdr: VringBuffer; readonly rq: () => Request<VirtblkReq> };

/** The driver’s side of a disk. */
export interface VirtioBlk {
  readonly vdev: VirtioDevice;
  readonly cpu: GuestCpu;
  readonly vq: Virtqueue;
  readonly hctx: HardwareQueue;
}

const { fn, ops } = source('linux', 'drivers/block/virtio_blk.c');

const GET_ID: VirtioBlkOuthdr = { type: 'VIRTIO_BLK_T_GET_ID' };

const virtblk_setup_cmd = fn(
  'Fills the header from what the block layer wants.',
  function* virtblk_setup_cmd(vbr: VirtblkReq): Run<BlkStatus> {
    at('REQ_OP_DRV_IN');
    // Since zoned disks came, who makes such a request fills the header himself.
    if (!since('linux', '6.3')) vbr.content = GET_ID;
    return BLK_STS_OK;
  },
);

const virtblk_prep_rq = fn('Makes a request ready for the queue.', function* virtblk_prep_rq(req: Request<VirtblkReq>): Run<BlkStatus> {
  const status = yield* virtblk_setup_cmd(req.pdu);
  if (status !== BLK_STS_OK) return status;
  atCall('virtblk_map_data');
  yield* blk_mq_start_request(req);
  return BLK_STS_OK;
});

const virtblk_add_req = fn(
  'Puts a request into the queue: the header to read, then room for the data and for the status.',
  function* virtblk_add_req(vq: Virtqueue, vbr: VirtblkReq) {
    return yield* virtqueue_add_sgs(vq, { out_sgs: [vbr], in_sgs: [vbr.data, vbr.in_hdr], data: vbr });
  },
);

const virtio_queue_rq = fn(
  'The block layer hands a request down. The lock is given back before the device is told: under a hypervisor that may take a while.',
  function* virtio_queue_rq(vblk: VirtioBlk, _hctx: HardwareQueue, rq: Request, last: boolean): Run<BlkStatus> {
    const { cpu, vq } = vblk;
    const req = rq as Request<VirtblkReq>;
    const status = yield* virtblk_prep_rq(req);
    if (status !== BLK_STS_OK) return status;
    const flags = yield* spin_lock_irqsave(cpu);
    const err = yield* virtblk_add_req(vq, req.pdu);
    if (err !== 0) {
      yield* virtqueue_kick(vq);
      atCall('blk_mq_stop_hw_queue');
      yield* spin_unlock_irqrestore(cpu, flags);
      return BLK_STS_DEV_RESOURCE;
    }
    const notify = last && (yield* virtqueue_kick_prepare(vq));
    behind('virtqueue_kick_prepare');
    yield* spin_unlock_irqrestore(cpu, flags);
    if (notify) yield* virtqueue_notify(vq);
    return BLK_STS_OK;
  },
);

const virtblk_result = fn('What the device’s status means to the block layer.', function* virtblk_result({ status }: VirtblkReq) {
  at('VIRTIO_BLK_S_OK');
  return status === VIRTIO_BLK_S_OK ? BLK_STS_OK : BLK_STS_NOTSUPP;
});

const virtblk_request_done = fn('Finishes a request.', function* virtblk_request_done(rq: Request) {
  const { pdu } = rq as Request<VirtblkReq>;
  const error = yield* virtblk_result(pdu);
  atCall('virtblk_unmap_data');
  yield* blk_mq_end_request(rq, error);
});

const virtblk_done = fn(
  'The device has interrupted: finishes every request that came back. Meanwhile no more interrupts are asked for; after that it looks once more.',
  function* virtblk_done({ cpu, vq, hctx }: VirtioBlk, _vq: Virtqueue) {
    const flags = yield* spin_lock_irqsave(cpu);
    let req_done = false;
    do {
      yield* virtqueue_disable_cb(vq);
      for (let used = yield* virtqueue_get_buf(vq); used !== undefined; used = yield* virtqueue_get_buf(vq)) {
        yield* blk_mq_complete_request((used.data as VirtblkReq).rq());
        req_done = true;
      }
      if (vq.broken) break;
    } while (!(yield* virtqueue_enable_cb(vq)));
    if (req_done) atCall('blk_mq_start_stopped_hw_queues', hctx.dispatch.length > 0 ? 'There is room again for what waited.' : undefined);
    yield* spin_unlock_irqrestore(cpu, flags);
  },
);

export const init_vq = ops('init_vq', { virtblk_done });

const virtio_mq_ops = ops('virtio_mq_ops', { queue_rq: virtio_queue_rq, complete: virtblk_request_done });

/** The hardware queue of a disk. */
export const virtblk_hctx = (vblk: () => VirtioBlk): HardwareQueue => ({
  queue: { mq_ops: { queue_rq: boundPointer(virtio_mq_ops.queue_rq, vblk), complete: virtio_mq_ops.complete } },
  dispatch: [],
});

/** Makes a request for the disk’s serial number, as virtblk_get_id() does. */
export function get_id_request(name: string, { hctx }: VirtioBlk): Request {
  const cells = VirtblkReqCells(name);
  const vbr: VirtblkReq = Object.assign(cells, {
    size: OUTHDR_SIZE,
    content: since('linux', '6.3') ? GET_ID : undefined,
    data: { size: VIRTIO_BLK_ID_BYTES, content: '' },
    in_hdr: {
      size: 1,
      get content() {
        return cells.status;
      },
      set content(status: unknown) {
        cells.status = Number(status);
      },
    },
    rq: () => rq,
  });
  const rq = request(name, hctx.queue, vbr);
  return rq;
}

export const virtblk_probe = fn(
  'The driver binds to the disk: queues, then DRIVER_OK, then the disk, because adding that reads its partition table already.',
  function* virtblk_probe({ vdev }: VirtioBlk) {
    atCall('init_vq');
    yield* virtio_device_ready(vdev);
    atCall('device_add_disk');
  },
);
