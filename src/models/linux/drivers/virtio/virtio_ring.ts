import { bool, int, means, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
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
import * as virtio_registers from '../../../hardware/registers/virtio';

/** Virtqueues, the driver's side: offering buffers, telling the device, taking back what it is done with. */

const cellsOf = (num: number) =>
  struct(
    'vring_virtqueue',
    'A driver’s side of a virtqueue: what it has offered, what it has taken back, and which descriptors are free.',
    Object.assign(elements(num, 'split.desc_extra', int(), '.next'), {
      'vq.num_free': int(num),
      free_head: int(),
      num_added: int(),
      last_used_idx: means(virtio_registers.LAST_USED, int()),
      broken: bool(),
      /** VIRTIO_RING_F_EVENT_IDX was negotiated: indices instead of flags say who wants to hear. */
      event: bool(),
      event_triggered: bool(),
      'split.avail_flags_shadow': virtio_registers.availFlags(),
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

/** A buffer for a queue: its pieces, and what the driver will know it by when it comes back. */
export interface Offer {
  readonly out_sgs: readonly VringBuffer[];
  readonly in_sgs: readonly VringBuffer[];
  readonly data: VringBuffer;
}

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
  'Puts a buffer into the ring: descriptors first, then the entry that names the first of them, then the index. The device may look at any time, and the index is what it looks at.',
  function* virtqueue_add_split(vq: Virtqueue, { out_sgs, in_sgs, data }: Offer): Run<number> {
    const { avail, num, desc } = vq.vring;
    at('broken');
    if (vq.broken) return -EIO;
    const head = vq.free_head;
    const descs_used = out_sgs.length + in_sgs.length;
    if (vq['vq.num_free'] < descs_used) {
      // For historical reasons a full queue is notified about, in the hope that the device makes room.
      if (out_sgs.length > 0) yield* through('function pointer', 'notify', vq.notify)(vq);
      return -ENOSPC;
    }
    let prev = head;
    let i = head;
    for (const sg of out_sgs) {
      prev = i;
      i = yield* virtqueue_add_desc_split(vq, i, sg, VRING_DESC_F_NEXT);
    }
    for (const sg of in_sgs) {
      prev = i;
      behind('virtqueue_add_desc_split');
      i = yield* virtqueue_add_desc_split(vq, i, sg, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
    }
    desc[prev]!.flags &= ~VRING_DESC_F_NEXT;
    vq['vq.num_free'] -= descs_used;
    vq.free_head = i;
    vq.desc_state[head] = data;
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
  function* virtqueue_add(vq: Virtqueue, offer: Offer) {
    return yield* virtqueue_add_split(vq, offer);
  },
);

export const virtqueue_add_sgs = fn(
  'Offers a buffer of several pieces: some for the device to read, and after them some for it to fill.',
  function* virtqueue_add_sgs(vq: Virtqueue, offer: Offer) {
    at('total_sg');
    return yield* virtqueue_add(vq, offer);
  },
);

export const virtqueue_add_outbuf = fn(
  'Offers a buffer for the device to read.',
  function* virtqueue_add_outbuf(vq: Virtqueue, data: VringBuffer) {
    return yield* virtqueue_add(vq, { out_sgs: [data], in_sgs: [], data });
  },
);

export const virtqueue_add_inbuf = fn(
  'Offers an empty buffer for the device to fill.',
  function* virtqueue_add_inbuf(vq: Virtqueue, data: VringBuffer) {
    return yield* virtqueue_add(vq, { out_sgs: [], in_sgs: [data], data });
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

export const virtqueue_kick_prepare = fn(
  'The first half of a kick: whether the device has to be told.',
  function* virtqueue_kick_prepare(vq: Virtqueue) {
    return yield* virtqueue_kick_prepare_split(vq);
  },
);

export const virtqueue_notify = fn('The second half of a kick: tells the device.', function* virtqueue_notify(vq: Virtqueue) {
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

const detach_buf_split = fn(
  'Takes a chain of used descriptors back into the free list.',
  function* detach_buf_split(vq: Virtqueue, head: number) {
    vq.desc_state[head] = undefined;
    let i = head;
    while (vq.vring.desc[i]!.flags & VRING_DESC_F_NEXT) {
      i = vq[`split.desc_extra[${i}].next`] ?? 0;
      vq['vq.num_free'] += 1;
    }
    at('free_head');
    vq[`split.desc_extra[${i}].next`] = vq.free_head;
    vq.free_head = head;
    atWrite('num_free', 'free_head');
    vq['vq.num_free'] += 1;
  },
);

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

const virtqueue_disable_cb_split = fn(
  'Notes that the driver wants no interrupts. With event indices there is no such flag: the index is set to one that is not reached for long.',
  function* virtqueue_disable_cb_split(vq: Virtqueue) {
    at('VRING_AVAIL_F_NO_INTERRUPT');
    if (vq['split.avail_flags_shadow'] & VRING_AVAIL_F_NO_INTERRUPT) return;
    vq['split.avail_flags_shadow'] |= VRING_AVAIL_F_NO_INTERRUPT;
    // The device has interrupted for the index that it was given, and does so once.
    if (vq.event_triggered) return;
    if (vq.event) vq.vring.avail.vring_used_event = 0;
    else vq.vring.avail.flags = vq['split.avail_flags_shadow'];
  },
);

export const virtqueue_disable_cb = fn(
  'The driver looks by itself for a while: the device need not interrupt. Only a hint, an interrupt may still come.',
  function* virtqueue_disable_cb(vq: Virtqueue) {
    yield* virtqueue_disable_cb_split(vq);
  },
);

const virtqueue_enable_cb_prepare_split = fn(
  'Asks for an interrupt when the next buffer comes back.',
  function* virtqueue_enable_cb_prepare_split(vq: Virtqueue) {
    at('VRING_AVAIL_F_NO_INTERRUPT');
    if (vq['split.avail_flags_shadow'] & VRING_AVAIL_F_NO_INTERRUPT) {
      vq['split.avail_flags_shadow'] &= ~VRING_AVAIL_F_NO_INTERRUPT;
      if (!vq.event) vq.vring.avail.flags = vq['split.avail_flags_shadow'];
    }
    atCall('vring_used_event');
    vq.vring.avail.vring_used_event = vq.last_used_idx;
    return vq.last_used_idx;
  },
);

const virtqueue_enable_cb_prepare = fn(
  'Asks for interrupts again, and says up to where the driver has looked.',
  function* virtqueue_enable_cb_prepare(vq: Virtqueue) {
    if (vq.event_triggered) vq.event_triggered = false;
    return yield* virtqueue_enable_cb_prepare_split(vq);
  },
);

const virtqueue_poll_split = fn(
  'Whether the device has given something back since.',
  function* virtqueue_poll_split(vq: Virtqueue, last_used_idx: number) {
    at('last_used_idx');
    return last_used_idx !== vq.vring.used.idx;
  },
);

const virtqueue_poll = fn(
  'Looks once more after asking for interrupts: what came back before the device saw that, came without one.',
  function* virtqueue_poll(vq: Virtqueue, last_used_idx: number) {
    if (vq.broken) return false;
    atCall('virtio_mb', 'The device must see that we want interrupts before we look: the two sides cross here.');
    return yield* virtqueue_poll_split(vq, last_used_idx);
  },
);

export const virtqueue_enable_cb = fn(
  'The driver has looked at everything and wants interrupts again. False if more has come meanwhile: then it must look again.',
  function* virtqueue_enable_cb(vq: Virtqueue) {
    const last_used_idx = yield* virtqueue_enable_cb_prepare(vq);
    return !(yield* virtqueue_poll(vq, last_used_idx));
  },
);

/** What a spin on virtqueue_get_buf() waits for; it ends also when the device has broken the queue. */
export const get_buf_ends = (vq: Virtqueue): boolean => vq.broken || more_used(vq);

export const virtio_break_device = fn(
  'The device is going away: whoever spins for a buffer of one of its queues gives up.',
  function* virtio_break_device(vqs: readonly Virtqueue[]) {
    for (const vq of vqs) {
      atCall('WRITE_ONCE');
      vq.broken = true;
    }
  },
);

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
