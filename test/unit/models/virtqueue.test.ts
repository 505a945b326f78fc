import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addressOf, source } from '../../../src/engine/fn';
import type { Run } from '../../../src/engine/machine';
import {
  virtqueue,
  virtqueue_add_sgs,
  virtqueue_disable_cb,
  virtqueue_enable_cb,
  virtqueue_get_buf,
  virtqueue_kick_prepare,
  vring_interrupt,
  type Virtqueue,
} from '../../../src/models/linux/drivers/virtio/virtio_ring';
import type { VringBuffer } from '../../../src/models/linux/include/uapi/linux/virtio_ring';
import {
  virtio_add_queue,
  virtio_device,
  virtio_notify,
  virtio_queue_empty,
  virtio_queue_set_notification,
  virtqueue_pop,
  virtqueue_push,
  type VirtQueue,
  type VirtQueueElement,
} from '../../../src/models/qemu/hw/virtio/virtio';
import { onMachine } from './support';

/** The two ends of a virtqueue, Linux’s driver and QEMU’s device, in any order of what each may do. */

const NUM = 4;

const { fn } = source('guest', 'test');

/** A queue with both its ends, and no transport: `interrupted` is called instead of a bus. */
function queue(event_idx: boolean, interrupted: () => void): { readonly driver: Virtqueue; readonly device: VirtQueue } {
  const notify = fn('Nobody is told.', function* notify(_vq: Virtqueue) {
    return true;
  });
  const callback = fn('Nobody is called.', function* callback(_vq: Virtqueue): Run {});
  const interrupt = fn('The bus interrupts the driver.', function* interrupt(_vector: number): Run {
    interrupted();
  });
  const handle_output = fn('Nobody is called.', function* handle_output(_vq: VirtQueue): Run {});
  const driver = virtqueue(
    { name: 'q', index: 0, notify: addressOf(notify), callback: addressOf(callback), priv: undefined as never },
    NUM,
    event_idx,
  );
  const bus = { klass: { notify: addressOf(interrupt) } } as never;
  const vdev = virtio_device({ name: 'device', q: undefined as never, bus, klass: {} as never, event_idx });
  return { driver, device: virtio_add_queue(vdev, driver.vring, 0, addressOf(handle_output)) };
}

const pieces = (count: number, of: string): readonly VringBuffer[] =>
  Array.from({ length: count }, (_, n) => ({ size: 8, content: `${of} ${n}` }));

test('every buffer comes back once and in order, with its pieces; descriptors are neither lost nor invented', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('offer' as const), out: fc.integer({ min: 0, max: 2 }), in_: fc.integer({ min: 1, max: 2 }) }),
    fc.record({ kind: fc.constantFrom('pop' as const, 'push' as const, 'get' as const) }),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(operation, { maxLength: 100, size: 'max' }), (event_idx, todo) => {
      onMachine(function* () {
        const { driver, device } = queue(event_idx, () => {});
        const offered: VringBuffer[][] = [];
        const popped: VirtQueueElement[] = [];
        let [pops, pushes, gets] = [0, 0, 0];
        for (const next of todo) {
          const free = driver['vq.num_free'];
          switch (next.kind) {
            case 'offer': {
              const [out_sgs, in_sgs] = [pieces(next.out, 'out'), pieces(next.in_, 'in')];
              const whole = [...out_sgs, ...in_sgs];
              const ret = yield* virtqueue_add_sgs(driver, { out_sgs, in_sgs, data: whole[0]! });
              assert.equal(ret === 0, whole.length <= free);
              if (ret === 0) offered.push(whole);
              break;
            }
            case 'pop': {
              const elem = yield* virtqueue_pop(device);
              assert.deepEqual(elem && [...elem.out_sg, ...elem.in_sg], offered[pops]);
              if (elem === undefined) break;
              popped.push(elem);
              pops++;
              break;
            }
            case 'push':
              if (popped[pushes] !== undefined) yield* virtqueue_push(device, popped[pushes++]!, 8);
              break;
            case 'get': {
              const used = yield* virtqueue_get_buf(driver);
              assert.equal(used?.data, gets < pushes ? offered[gets]![0] : undefined);
              if (used !== undefined) assert.equal(driver['vq.num_free'], free + offered[gets++]!.length);
              break;
            }
          }
          assert.equal(driver['vq.num_free'], NUM - offered.slice(gets).flat().length);
        }
        assert.equal(driver.broken, false);
      });
    }),
    { numRuns: 100 },
  );
});

test('who sleeps after having looked once more is woken: no notification and no interrupt is lost', () => {
  const operation = fc.constantFrom(
    ...(['offer', 'kick', 'take back', 'driver is busy', 'driver sleeps', 'serve', 'notify', 'device is busy', 'device sleeps'] as const),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(operation, { maxLength: 150, size: 'max' }), (event_idx, todo) => {
      onMachine(function* () {
        let interrupts = 0;
        const { driver, device } = queue(event_idx, () => interrupts++);
        const { avail, used } = driver.vring;
        /** What the sleeper has seen last; undefined while he is awake. */
        let [driverSaw, deviceSaw] = [undefined as number | undefined, undefined as number | undefined];
        let listens = true;
        for (const next of todo) {
          switch (next) {
            case 'offer': {
              const data = { size: 8, content: '' };
              yield* virtqueue_add_sgs(driver, { out_sgs: [data], in_sgs: [], data });
              break;
            }
            case 'kick': {
              const needed = yield* virtqueue_kick_prepare(driver);
              if (deviceSaw !== undefined && deviceSaw !== avail.idx) assert.equal(needed, true);
              if (needed) deviceSaw = undefined;
              break;
            }
            case 'take back': {
              const nothing = (yield* virtqueue_get_buf(driver)) === undefined;
              driverSaw = nothing && listens ? driver.last_used_idx : undefined;
              break;
            }
            case 'driver is busy':
              [listens, driverSaw] = [false, undefined];
              yield* virtqueue_disable_cb(driver);
              break;
            case 'driver sleeps':
              listens = true;
              driverSaw = (yield* virtqueue_enable_cb(driver)) ? driver.last_used_idx : undefined;
              break;
            case 'serve': {
              deviceSaw = undefined;
              const elem = yield* virtqueue_pop(device);
              if (elem !== undefined) yield* virtqueue_push(device, elem, 0);
              break;
            }
            case 'notify': {
              const before = interrupts;
              yield* virtio_notify(device.vdev, device);
              if (driverSaw !== undefined && driverSaw !== used.idx) assert.equal(interrupts, before + 1);
              if (interrupts === before) break;
              driverSaw = undefined;
              yield* vring_interrupt(driver);
              break;
            }
            case 'device is busy':
              deviceSaw = undefined;
              yield* virtio_queue_set_notification(device, false);
              break;
            case 'device sleeps':
              yield* virtio_queue_set_notification(device, true);
              deviceSaw = (yield* virtio_queue_empty(device)) ? avail.idx : undefined;
              break;
          }
        }
      });
    }),
    { numRuns: 500 },
  );
});
