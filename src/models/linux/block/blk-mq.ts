import { bool, oneOf, struct, type InstanceOf } from '../../../engine/cell';
import { source, through, type Pointer } from '../../../engine/fn';
import type { Run } from '../../../engine/machine';
import { at, atCall } from '../../../engine/steps';

/** The multi-queue block layer, as far as a driver sees it: requests go down to it, and come up again when they are done. */

export const BLK_STS_OK = 0;
export const BLK_STS_NOTSUPP = 1;
export const BLK_STS_DEV_RESOURCE = 13;

/** blk_status_t. */
export type BlkStatus = number;

const RequestCells = struct('request', 'A request to a block device.', {
  state: oneOf({ MQ_RQ_IDLE: 0, MQ_RQ_IN_FLIGHT: 1, MQ_RQ_COMPLETE: 2 }, 0),
  /** The completion that blk_execute_rq() sleeps on. */
  'wait.done': bool(),
});

/** A request. `pdu` is what its driver keeps with it. */
export type Request<Pdu = unknown> = InstanceOf<typeof RequestCells> & {
  readonly q: RequestQueue;
  readonly pdu: Pdu;
  readonly end_io: Pointer<[rq: Request, ret: BlkStatus], void>;
};

/** What a driver does in its own way. */
export interface BlkMqOps {
  readonly queue_rq: Pointer<[hctx: HardwareQueue, rq: Request, last: boolean], BlkStatus>;
  readonly complete: Pointer<[rq: Request], void>;
}

export interface RequestQueue {
  readonly mq_ops: BlkMqOps;
}

/** struct blk_mq_hw_ctx: the one hardware queue, and what waits for it. */
export interface HardwareQueue {
  readonly queue: RequestQueue;
  /** Requests that the driver had no room for. */
  readonly dispatch: Request[];
}

const { fn, ops } = source('linux', 'block/blk-mq.c');

const blk_end_sync_rq = fn('The request is done: wakes who waits for it.', function* blk_end_sync_rq(rq: Request, _ret: BlkStatus) {
  atCall('complete');
  rq['wait.done'] = true;
});

const blk_execute_rq = ops('blk_execute_rq', { end_io: blk_end_sync_rq });

/** Makes a request that somebody waits for. */
export const request = <Pdu>(name: string, q: RequestQueue, pdu: Pdu): Request<Pdu> =>
  Object.assign(RequestCells(name), { q, pdu, end_io: blk_execute_rq.end_io });

export const blk_mq_start_request = fn('The driver begins with a request.', function* blk_mq_start_request(rq: Request) {
  at('MQ_RQ_IN_FLIGHT');
  rq.state = 1;
});

const __blk_mq_end_request = fn('Calls who is to be told.', function* __blk_mq_end_request(rq: Request, error: BlkStatus) {
  yield* through('function pointer', 'end_io', rq.end_io)(rq, error);
});

export const blk_mq_end_request = fn('The driver is done with a request.', function* blk_mq_end_request(rq: Request, error: BlkStatus) {
  atCall('blk_update_request');
  yield* __blk_mq_end_request(rq, error);
});

const blk_mq_complete_request_remote = fn(
  'Whether the completion belongs on another CPU, or into the block softirq. With a single CPU it is done right here.',
  function* blk_mq_complete_request_remote(rq: Request) {
    at('MQ_RQ_COMPLETE');
    rq.state = 2;
    return false;
  },
);

export const blk_mq_complete_request = fn(
  'The device is done with a request: has the driver finish it.',
  function* blk_mq_complete_request(rq: Request) {
    if (!(yield* blk_mq_complete_request_remote(rq))) yield* through('function pointer', 'complete', rq.q.mq_ops.complete)(rq);
  },
);

export const blk_mq_dispatch_rq_list = fn(
  'Hands requests to the driver, one by one; with the last it is told so, because only then it need notify the device. What the driver has no room for waits.',
  function* blk_mq_dispatch_rq_list(hctx: HardwareQueue, list: Request[]): Run<boolean> {
    while (list.length > 0) {
      const rq = list.shift()!;
      const ret = yield* through('function pointer', 'queue_rq', hctx.queue.mq_ops.queue_rq)(hctx, rq, list.length === 0);
      if (ret !== BLK_STS_DEV_RESOURCE) continue;
      atCall('list_splice_tail_init');
      hctx.dispatch.push(rq, ...list.splice(0));
      return false;
    }
    return true;
  },
);
