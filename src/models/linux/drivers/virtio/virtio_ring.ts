import { bits, bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, atWrite } from '../../../../engine/steps';
import { EIO, ENOSPC } from '../../errno';
import {
  elements,
  u16,
  vring,
  vring_need_event,
  VRING_AVAIL_F_NO_INTERRUPT,
  VRING_DESC_F_NEXT,
  VRING_DESC_F_WRITE,
  VRING_USED_F_NO_NOTIFY,
  type Vring,
  type VringBuffer,
} from '../../include/uapi/linux/virtio_ring';
import { IRQ_HANDLED, IRQ_NONE, type irqreturn_t } from '../../kernel/irq/irqdesc';
import type { IoMem } from '../../lib/iomap';

/** Virtqueues, the driver's side: offering buffers, telling the device, taking back what it is done with. */

const cellsOf = (num: number) =>
  struct(
    'vring_virtqueue',
    'A driver’s side of a virtqueue: what it has offered, what it has taken back, and which descriptors are free.',
    Object.assign(elements(num, 'split.desc_extra', int(), '.next'), {
      'vq.num_free': int(num),
      free_head: int(),
      num_added: int(),
      last_used_idx: int(),
      broken: bool(),
      /** VIRTIO_RING_F_EVENT_IDX was negotiated: indices instead of flags say who wants to hear. */
      event: bool(),
      event_triggered: bool(),
      'split.avail_flags_shadow': bits(16, ['VRING_AVAIL_F_NO_INTERRUPT']),
      'split.avail_idx_shadow': int(),
    }),
  );

export type Virtqueue = InstanceOf<ReturnType<typeof cellsOf>> & {
  readonly name: string;
  readonly index: number;
  readonly vring: Vring;
  readonly notify: Pointer<[vq: Virtqueue], boolean>;
  readonly callback: Pointer<[vq: Virtqueue], void> | undefined;
  /** Where `notify` writes. */
  readonly priv: IoMem;
  /** Which buffer each descriptor chain in flight stands for. */
  readonly desc_state: (VringBuffer | undefined)[];
};

/** A buffer that the device is done with, and how much it wrote there. */
export interface UsedBuffer {
  readonly data: VringBuffer;
  readonly len: number;
}

/** Makes a virtqueue with `num` descriptors, as vring_create_virtqueue() does. */
export function virtqueue(
  parts: Pick<Virtqueue, 'name' | 'index' | 'notify' | 'callback' | 'priv'>,
  num: number,
  event = false,
): Virtqueue {
  const quiet = parts.callback === undefined;
  const cells = cellsOf(num)(parts.name, {
    event,
    'split.avail_flags_shadow': quiet ? VRING_AVAIL_F_NO_INTERRUPT : 0,
    ...Object.fromEntries(Array.from({ length: num }, (_, i) => [`split.desc_extra[${i}].next`, i + 1])),
  });
  return Object.assign(cells, parts, { vring: vring(parts.name, num, event || !quiet), desc_state: [] });
}

const { fn } = source('linux', 'drivers/virtio/virtio_ring.c');

const virtqueue_add_desc_split = fn(
  'Fills one descriptor. The result is the next free one.',
  function* virtqueue_add_desc_split(vq: Virtqueue, i: number, buffer: VringBuffer, flags: number) {
    const desc = vq.vring.desc[i]!;
    const next = vq[`split.desc_extra[${i}].next`] ?? 0;
    desc.flags = flags;
    desc.addr = buffer;
    desc.len = buffer.size;
    desc.next = next;
    return next;
  },
);

const virtqueue_add_split = fn(
  'Puts a buffer into the ring: descriptor first, then the entry that names it, then the index. The device may look at any time, and the index is what it looks at.',
  function* virtqueue_add_split(vq: Virtqueue, buffer: VringBuffer, direction: 'out' | 'in'): Run<number> {
    const { avail, num, desc } = vq.vring;
    at('broken');
    if (vq.broken) return -EIO;
    const head = vq.free_head;
    if (vq['vq.num_free'] < 1) {
      // For historical reasons a full queue is notified about, in the hope that the device makes room.
      if (direction === 'out') yield* through('function pointer', 'notify', vq.notify)(vq);
      return -ENOSPC;
    }
    const write = direction === 'in' ? VRING_DESC_F_WRITE : 0;
    const next = yield* virtqueue_add_desc_split(vq, head, buffer, VRING_DESC_F_NEXT | write);
    desc[head]!.flags &= ~VRING_DESC_F_NEXT;
    vq['vq.num_free'] -= 1;
    vq.free_head = next;
    vq.desc_state[head] = buffer;
    avail[`ring[${vq['split.avail_idx_shadow'] & (num - 1)}]`] = head;
    atCall('virtio_wmb', 'The device must see the entry before it sees the index.');
    vq['split.avail_idx_shadow'] = u16(vq['split.avail_idx_shadow'] + 1);
    atWrite('idx', 'virtio_wmb');
    avail.idx = vq['split.avail_idx_shadow'];
    vq.num_added += 1;
    return 0;
  },
);

const virtqueue_add = fn(
  'Adds a buffer to the queue, in the format that was negotiated: split, here.',
  function* virtqueue_add(vq: Virtqueue, buffer: VringBuffer, direction: 'out' | 'in') {
    return yield* virtqueue_add_split(vq, buffer, direction);
  },
);

export const virtqueue_add_outbuf = fn(
  'Offers a buffer for the device to read.',
  function* virtqueue_add_outbuf(vq: Virtqueue, data: VringBuffer) {
    return yield* virtqueue_add(vq, data, 'out');
  },
);

export const virtqueue_add_inbuf = fn(
  'Offers an empty buffer for the device to fill.',
  function* virtqueue_add_inbuf(vq: Virtqueue, data: VringBuffer) {
    return yield* virtqueue_add(vq, data, 'in');
  },
);

const virtqueue_kick_prepare_split = fn(
  'Asks whether the device wants to hear of what was added: by the index it asked for, or unless it set VRING_USED_F_NO_NOTIFY.',
  function* virtqueue_kick_prepare_split(vq: Virtqueue) {
    const { used } = vq.vring;
    atCall('virtio_mb', 'The device must see the index before we look at what it wants: the two sides cross here.');
    const added = vq['split.avail_idx_shadow'];
    const old = u16(added - vq.num_added);
    vq.num_added = 0;
    if (!vq.event) {
      at('VRING_USED_F_NO_NOTIFY');
      return (used.flags & VRING_USED_F_NO_NOTIFY) === 0;
    }
    atCall('vring_need_event');
    return vring_need_event(used.vring_avail_event, added, old);
  },
);

const virtqueue_kick_prepare = fn(
  'The first half of a kick: whether the device has to be told.',
  function* virtqueue_kick_prepare(vq: Virtqueue) {
    return yield* virtqueue_kick_prepare_split(vq);
  },
);

const virtqueue_notify = fn('The second half of a kick: tells the device.', function* virtqueue_notify(vq: Virtqueue) {
  if (vq.broken) return false;
  if (yield* through('function pointer', 'notify', vq.notify)(vq)) return true;
  vq.broken = true;
  return false;
});

export const virtqueue_kick = fn(
  'Tells the device that there are new buffers, if it wants to know.',
  function* virtqueue_kick(vq: Virtqueue) {
    return (yield* virtqueue_kick_prepare(vq)) ? yield* virtqueue_notify(vq) : true;
  },
);

const more_used = ({ last_used_idx, vring: { used } }: Virtqueue): boolean => last_used_idx !== used.idx;

const detach_buf_split = fn('Takes a used descriptor back into the free list.', function* detach_buf_split(vq: Virtqueue, head: number) {
  vq.desc_state[head] = undefined;
  vq[`split.desc_extra[${head}].next`] = vq.free_head;
  vq.free_head = head;
  atWrite('num_free', 'free_head');
  vq['vq.num_free'] += 1;
});

const virtqueue_get_buf_ctx_split = fn(
  'Takes the next buffer that the device is done with, or finds none.',
  function* virtqueue_get_buf_ctx_split(vq: Virtqueue): Run<UsedBuffer | undefined> {
    const { used, avail, num } = vq.vring;
    atCall('more_used_split');
    if (vq.broken || !more_used(vq)) return undefined;
    const last_used = vq.last_used_idx & (num - 1);
    const i = used[`ring[${last_used}].id`] ?? 0;
    const len = used[`ring[${last_used}].len`] ?? 0;
    const ret = vq.desc_state[i];
    if (ret === undefined) {
      atCall('BAD_RING', 'The device returned a buffer that it had not been given.');
      vq.broken = true;
      return undefined;
    }
    yield* detach_buf_split(vq, i);
    vq.last_used_idx = u16(vq.last_used_idx + 1);
    if ((vq['split.avail_flags_shadow'] & VRING_AVAIL_F_NO_INTERRUPT) === 0) {
      atCall('virtio_store_mb');
      avail.vring_used_event = vq.last_used_idx;
    }
    return { data: ret, len };
  },
);

const virtqueue_get_buf_ctx = fn(
  'Takes back a used buffer, in the format that was negotiated.',
  function* virtqueue_get_buf_ctx(vq: Virtqueue) {
    return yield* virtqueue_get_buf_ctx_split(vq);
  },
);

export const virtqueue_get_buf = fn('Takes back a buffer that the device is done with.', function* virtqueue_get_buf(vq: Virtqueue) {
  return yield* virtqueue_get_buf_ctx(vq);
});

/** What a spin on virtqueue_get_buf() waits for; it ends also when the device has broken the queue. */
export const get_buf_ends = (vq: Virtqueue): boolean => vq.broken || more_used(vq);

export const vring_interrupt = fn(
  'The interrupt of one virtqueue. If nothing is used it was not ours, or it came late: somebody has taken the buffers back already.',
  function* vring_interrupt(vq: Virtqueue): Run<irqreturn_t> {
    atCall('more_used');
    if (!more_used(vq)) return IRQ_NONE;
    at('broken');
    if (vq.broken) return IRQ_HANDLED;
    if (vq.event) vq.event_triggered = true;
    if (vq.callback !== undefined) yield* through('function pointer', 'callback', vq.callback)(vq);
    return IRQ_HANDLED;
  },
);
