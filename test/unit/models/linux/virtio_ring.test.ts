import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { source } from '../../../../src/engine/fn';
import type { Run } from '../../../../src/engine/machine';
import type { GuestCpu } from '../../../../src/models/guest/cpu';
import {
  virtqueue,
  virtqueue_add_inbuf,
  virtqueue_add_outbuf,
  virtqueue_get_buf,
  virtqueue_kick,
  vring_interrupt,
  type Virtqueue,
} from '../../../../src/models/linux/drivers/virtio/virtio_ring';
import {
  u16,
  vring_need_event,
  VRING_USED_F_NO_NOTIFY,
  type VringBuffer,
} from '../../../../src/models/linux/include/uapi/linux/virtio_ring';
import { onMachine } from '../support';

/** The split virtqueue: what a driver offers comes back exactly once, whatever the device does. */

const { fn, ops } = source('guest', 'virtio_ring_test');
const NUM = 4;
const nobody: GuestCpu = {
  out: () => assert.fail(),
  in: () => assert.fail(),
  store: () => assert.fail(),
  load: () => assert.fail(),
  interrupts_on: () => true,
  set_interrupts: () => assert.fail(),
  spin: () => assert.fail(),
};

/** Runs `body` on a queue whose notifications and callbacks are counted. */
function onQueue<T>(event: boolean, body: (vq: Virtqueue, heard: { kicks: number; calls: number }) => Run<T>): T {
  return onMachine(function* () {
    const heard = { kicks: 0, calls: 0 };
    const kicked = fn('counts', function* kicked(_vq: Virtqueue) {
      heard.kicks++;
      return true;
    });
    const called = fn('counts', function* called(_vq: Virtqueue) {
      heard.calls++;
    });
    const table = ops('test', { kicked, called });
    const priv = { cpu: nobody, space: 'port', address: 0 } as const;
    return yield* body(virtqueue({ name: 'q', index: 0, notify: table.kicked, callback: table.called, priv }, NUM, event), heard);
  });
}

/** The device takes the next offered buffer: the number of its descriptor. */
function take(vq: Virtqueue, seen: number): number {
  return vq.vring.avail[`ring[${seen & (NUM - 1)}]`]!;
}

/** The device gives a descriptor back. */
function giveBack({ vring: { used } }: Virtqueue, id: number, len: number): void {
  used[`ring[${used.idx & (NUM - 1)}].id`] = id;
  used[`ring[${used.idx & (NUM - 1)}].len`] = len;
  used.idx = u16(used.idx + 1);
}

type Op = 'add out' | 'add in' | 'take' | 'give back oldest' | 'give back newest' | 'get';
const operations = fc.array(fc.constantFrom<Op>('add out', 'add in', 'take', 'give back oldest', 'give back newest', 'get'), {
  maxLength: 60,
});

test('law: every buffer comes back once, in the order in which the device gave it back, and none is lost or made up', () => {
  fc.assert(
    fc.property(fc.boolean(), operations, (event, sequence) => {
      onQueue(event, function* (vq) {
        const offered: VringBuffer[] = [];
        const taken: { readonly id: number; readonly buffer: VringBuffer }[] = [];
        const back: VringBuffer[] = [];
        let seen = 0;
        for (const op of sequence) {
          switch (op) {
            case 'add out':
            case 'add in': {
              const buffer: VringBuffer = { size: 8, content: undefined };
              const free = vq['vq.num_free'];
              const ret = yield* (op === 'add out' ? virtqueue_add_outbuf : virtqueue_add_inbuf)(vq, buffer);
              assert.equal(ret === 0, free > 0, 'a full queue refuses');
              if (ret === 0) offered.push(buffer);
              break;
            }
            case 'take': {
              if (vq.vring.avail.idx === u16(seen)) break;
              const id = take(vq, seen++);
              const buffer = vq.vring.desc[id]!.addr!;
              assert.equal(buffer, offered.shift(), 'in the order of offering');
              taken.push({ id, buffer });
              break;
            }
            case 'give back oldest':
            case 'give back newest': {
              const one = op === 'give back oldest' ? taken.shift() : taken.pop();
              if (one === undefined) break;
              giveBack(vq, one.id, 3);
              back.push(one.buffer);
              break;
            }
            case 'get': {
              const got = yield* virtqueue_get_buf(vq);
              assert.equal(got?.data, back.shift());
              if (got !== undefined) assert.equal(got.len, 3);
              break;
            }
          }
          assert.equal(vq['vq.num_free'], NUM - offered.length - taken.length - back.length);
          assert.equal(vq.broken, false);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('a kick tells the device unless it asked not to be told', () => {
  onQueue(false, function* (vq, heard) {
    yield* virtqueue_add_outbuf(vq, { size: 1, content: undefined });
    yield* virtqueue_kick(vq);
    assert.equal(heard.kicks, 1);
    vq.vring.used.flags = VRING_USED_F_NO_NOTIFY;
    yield* virtqueue_add_outbuf(vq, { size: 1, content: undefined });
    yield* virtqueue_kick(vq);
    assert.equal(heard.kicks, 1);
  });
});

test('with event indices a kick tells the device when the index it waits for is passed, and only then', () => {
  onQueue(true, function* (vq, heard) {
    vq.vring.used.vring_avail_event = 1;
    const kicks: number[] = [];
    for (let i = 0; i < 3; i++) {
      yield* virtqueue_add_outbuf(vq, { size: 1, content: undefined });
      yield* virtqueue_kick(vq);
      kicks.push(heard.kicks);
    }
    assert.deepEqual(kicks, [0, 1, 1]);
  });
});

test('law: of the indices that a move passes, exactly those need the event; wrapping changes nothing', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xff), fc.nat(0xffff), (old, moved, event) => {
      const passed = Array.from({ length: moved }, (_, i) => u16(old + i));
      assert.equal(vring_need_event(event, u16(old + moved), old), passed.includes(event));
    }),
  );
});

test('an interrupt without anything used is not ours; with something used the callback is called', () => {
  onQueue(false, function* (vq, heard) {
    assert.equal(yield* vring_interrupt(vq), 0);
    yield* virtqueue_add_inbuf(vq, { size: 1, content: undefined });
    giveBack(vq, take(vq, 0), 1);
    assert.equal(yield* vring_interrupt(vq), 1);
    assert.equal(heard.calls, 1);
    yield* virtqueue_get_buf(vq);
    assert.equal(yield* vring_interrupt(vq), 0, 'somebody was faster');
  });
});

test('a device that gives back what it was not given breaks the queue; nothing throws, and nothing is handed out any more', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.array(fc.constantFrom('add', 'kick', 'get', 'interrupt'), { maxLength: 10 }), (id, sequence) => {
      onQueue(false, function* (vq, heard) {
        giveBack(vq, id, 1);
        assert.equal(yield* virtqueue_get_buf(vq), undefined);
        assert.equal(vq.broken, true);
        for (const op of sequence) {
          if (op === 'add') assert.ok((yield* virtqueue_add_outbuf(vq, { size: 1, content: undefined })) < 0);
          if (op === 'kick') assert.equal(yield* virtqueue_kick(vq), false);
          if (op === 'get') assert.equal(yield* virtqueue_get_buf(vq), undefined);
          if (op === 'interrupt') yield* vring_interrupt(vq);
        }
        assert.deepEqual(heard, { kicks: 0, calls: 0 });
      });
    }),
  );
});
