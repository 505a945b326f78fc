import { bool, hex, int, means, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall } from '../../../../engine/steps';
import {
  u16,
  vring_need_event,
  VRING_AVAIL_F_NO_INTERRUPT,
  VRING_DESC_F_NEXT,
  VRING_DESC_F_WRITE,
  VRING_USED_F_NO_NOTIFY,
  type Vring,
  type VringBuffer,
  type VringDesc,
} from '../../../linux/include/uapi/linux/virtio_ring';
import { VIRTIO_CONFIG_S_DRIVER_OK } from '../../../linux/include/linux/virtio_config';
import type { Globals } from '../../machine';
import { withOpaque } from '../../opaque';
import { memory_region_transaction_begin, memory_region_transaction_commit } from '../../softmmu/memory';
import { aio_set_event_notifier } from '../../util/aio-posix';
import { event_notifier, event_notifier_set, event_notifier_test_and_clear, type EventNotifier } from '../../util/event_notifier-posix';
import { event_notifier_set_handler } from '../../util/main-loop';
import type { AioContext } from '../../include/block/aio';
import {
  virtio_bus_cleanup_host_notifier,
  virtio_bus_set_host_notifier,
  virtio_bus_start_ioeventfd,
  type VirtioBusState,
} from './virtio-bus';
import * as virtio_registers from '../../../hardware/registers/virtio';

/** virtio devices, whatever they do and whatever bus they are on: the device’s side of a virtqueue, and how each side is told of the other. */

/** The vector of a queue that has none. */
export const VIRTIO_NO_VECTOR = 0xffff;

const VirtQueueCells = struct(
  'VirtQueue',
  'The device’s side of a virtqueue: how far it has read the driver’s offers, and what it has given back.',
  {
    last_avail_idx: means(virtio_registers.LAST_AVAIL, int()),
    shadow_avail_idx: int(),
    used_idx: means(virtio_registers.USED_IDX, int()),
    signalled_used: means('The used index when the driver was last interrupted.', int()),
    signalled_used_valid: bool(),
    notification: means('The device wants to be told of what the driver offers.', bool(true)),
    inuse: int(),
    vector: hex(16, VIRTIO_NO_VECTOR),
    host_notifier_enabled: bool(),
  },
);

/** What a device does when the driver has offered something. */
export type VirtIOHandleOutput = Pointer<[vq: VirtQueue], void>;

export type VirtQueue = InstanceOf<typeof VirtQueueCells> & {
  readonly queue_index: number;
  readonly vdev: VirtIODevice;
  /** The ring in the guest’s memory; undefined until the driver has set it up, and after a reset. */
  vring: Vring | undefined;
  readonly handle_output: VirtIOHandleOutput;
  /** Signalled by the driver’s notification, if it is caught on the way. */
  readonly host_notifier: EventNotifier;
  /** Signalled to interrupt the driver, by who must not do it directly. */
  readonly guest_notifier: EventNotifier;
};

/** A buffer of the driver’s that the device has taken. */
export interface VirtQueueElement {
  readonly index: number;
  readonly out_sg: readonly VringBuffer[];
  readonly in_sg: readonly VringBuffer[];
}

/** What a kind of device does in its own way. */
export interface VirtioDeviceClass {
  readonly set_status?: Pointer<[vdev: VirtIODevice, status: number], void>;
  readonly reset?: Pointer<[vdev: VirtIODevice], void>;
  readonly start_ioeventfd: Pointer<[vdev: VirtIODevice], number>;
  /** Undefined for a disk: the models never take one from its driver. */
  readonly stop_ioeventfd?: Pointer<[vdev: VirtIODevice], void>;
}

const VirtIODeviceCells = struct('VirtIODevice', 'A virtio device: its status, and the register that says why it interrupts.', {
  status: virtio_registers.status(0xb),
  isr: virtio_registers.isr(),
  broken: bool(),
});

export type VirtIODevice = InstanceOf<typeof VirtIODeviceCells> & {
  readonly name: string;
  readonly q: Globals;
  readonly vq: VirtQueue[];
  readonly bus: VirtioBusState;
  readonly klass: VirtioDeviceClass;
  /** VIRTIO_RING_F_EVENT_IDX was negotiated. */
  readonly event_idx: boolean;
};

/** Makes a device without queues, with its features negotiated. */
export const virtio_device = (parts: Pick<VirtIODevice, 'name' | 'q' | 'bus' | 'klass' | 'event_idx'>): VirtIODevice =>
  Object.assign(VirtIODeviceCells(parts.name), { vq: [], ...parts });

/** virtio_add_queue(), and where the driver has put the ring since. */
export function virtio_add_queue(
  vdev: VirtIODevice,
  vring: Vring | undefined,
  vector: number,
  handle_output: VirtIOHandleOutput,
): VirtQueue {
  const queue_index = vdev.vq.length;
  const name = `${vdev.name} queue ${queue_index}`;
  const vq: VirtQueue = Object.assign(VirtQueueCells(name, { vector }), {
    queue_index,
    vdev,
    vring,
    handle_output,
    host_notifier: event_notifier(`${name} host_notifier`),
    guest_notifier: event_notifier(`${name} guest_notifier`),
  });
  vdev.vq.push(vq);
  return vq;
}

const { fn, ops } = source('qemu', 'hw/virtio/virtio.c');

/** virtio_queue_ready(): whether the driver has set the queue up. */
export const virtio_queue_ready = ({ vring }: VirtQueue): boolean => vring !== undefined;

/** The ring of a queue that is set up: nobody gets here with another. */
function ringOf({ vring, queue_index }: VirtQueue): Vring {
  if (vring === undefined) throw new Error(`the driver has not set up queue ${queue_index}`);
  return vring;
}

/** vring_avail_idx(): how far the driver has offered, remembered for the next look. */
function vring_avail_idx(vq: VirtQueue): number {
  const { idx } = ringOf(vq).avail;
  if (vq.shadow_avail_idx !== idx) {
    atCall('vring_avail_idx');
    vq.shadow_avail_idx = idx;
  }
  return idx;
}

const virtio_queue_empty_rcu = fn(
  'Whether the driver has offered nothing more: looks into the guest’s memory only if what was seen last is used up.',
  function* virtio_queue_empty_rcu(vq: VirtQueue) {
    at('last_avail_idx');
    return !virtio_queue_ready(vq) || (vq.shadow_avail_idx === vq.last_avail_idx && vring_avail_idx(vq) === vq.last_avail_idx);
  },
);

const virtio_queue_split_empty = fn('Whether the driver has offered nothing more.', function* virtio_queue_split_empty(vq: VirtQueue) {
  at('last_avail_idx');
  return !virtio_queue_ready(vq) || (vq.shadow_avail_idx === vq.last_avail_idx && vring_avail_idx(vq) === vq.last_avail_idx);
});

export const virtio_queue_empty = fn('Whether a queue has nothing to take.', function* virtio_queue_empty(vq: VirtQueue) {
  return yield* virtio_queue_split_empty(vq);
});

const virtio_queue_split_set_notification = fn(
  'Tells the driver whether to notify: by the index from which on it should, or by a flag. Whoever switches it on must look once more afterwards: what was offered before the driver saw it came without a notification.',
  function* virtio_queue_split_set_notification(vq: VirtQueue, enable: boolean) {
    const { used } = ringOf(vq);
    if (vq.vdev.event_idx) {
      atCall('vring_set_avail_event');
      used.vring_avail_event = vring_avail_idx(vq);
    } else if (enable) {
      atCall('vring_used_flags_unset_bit');
      used.flags &= ~VRING_USED_F_NO_NOTIFY;
    } else {
      atCall('vring_used_flags_set_bit');
      used.flags |= VRING_USED_F_NO_NOTIFY;
    }
    if (enable) atCall('smp_mb');
  },
);

export const virtio_queue_set_notification = fn(
  'Asks the driver to notify of what it offers, or spares it that.',
  function* virtio_queue_set_notification(vq: VirtQueue, enable: boolean) {
    vq.notification = enable;
    yield* virtio_queue_split_set_notification(vq, enable);
  },
);

/** The descriptors of a chain, in its order. */
function chainOf({ desc, num }: Vring, head: number): readonly VringDesc[] {
  const chain: VringDesc[] = [];
  for (let one = desc[head]; one !== undefined && chain.length < num; one = one.flags & VRING_DESC_F_NEXT ? desc[one.next] : undefined)
    chain.push(one);
  return chain;
}

/** The buffers of those descriptors of a chain that the device may write to, or of those that it may not. */
const buffersOf = (chain: readonly VringDesc[], writable: boolean): readonly VringBuffer[] =>
  chain.flatMap(({ addr, flags }) => (addr !== undefined && writable === ((flags & VRING_DESC_F_WRITE) !== 0) ? [addr] : []));

const virtqueue_split_pop = fn(
  'Takes the next buffer that the driver offers, and says from which index on it wants to be notified again.',
  function* virtqueue_split_pop(vq: VirtQueue): Run<VirtQueueElement | undefined> {
    if (yield* virtio_queue_empty_rcu(vq)) return undefined;
    const { avail, used, num } = ringOf(vq);
    atCall('virtqueue_get_head');
    const head = avail[`ring[${vq.last_avail_idx & (num - 1)}]`] ?? 0;
    vq.last_avail_idx = u16(vq.last_avail_idx + 1);
    if (vq.vdev.event_idx) {
      atCall('vring_set_avail_event');
      used.vring_avail_event = vq.last_avail_idx;
    }
    atCall('virtqueue_map_desc');
    const chain = chainOf(ringOf(vq), head);
    vq.inuse += 1;
    return { index: head, out_sg: buffersOf(chain, false), in_sg: buffersOf(chain, true) };
  },
);

export const virtqueue_pop = fn(
  'Takes the next buffer that the driver offers, in the format that was negotiated.',
  function* virtqueue_pop(vq: VirtQueue) {
    return yield* virtqueue_split_pop(vq);
  },
);

const virtqueue_split_fill = fn(
  'Writes the buffer into the used ring, where the driver does not look yet.',
  function* virtqueue_split_fill(vq: VirtQueue, elem: VirtQueueElement, len: number) {
    const { used, num } = ringOf(vq);
    const idx = vq.used_idx & (num - 1);
    atCall('vring_used_write');
    used[`ring[${idx}].id`] = elem.index;
    used[`ring[${idx}].len`] = len;
  },
);

const virtqueue_fill = fn('Prepares the return of a buffer.', function* virtqueue_fill(vq: VirtQueue, elem: VirtQueueElement, len: number) {
  atCall('virtqueue_unmap_sg');
  yield* virtqueue_split_fill(vq, elem, len);
});

const virtqueue_split_flush = fn(
  'Moves the used index: from here on the driver sees the buffer. The entry must be there before the index is.',
  function* virtqueue_split_flush(vq: VirtQueue, count: number) {
    const next = u16(vq.used_idx + count);
    atCall('vring_used_idx_set');
    ringOf(vq).used.idx = next;
    vq.used_idx = next;
    vq.inuse -= count;
  },
);

const virtqueue_flush = fn('Lets the driver see what was prepared.', function* virtqueue_flush(vq: VirtQueue, count: number) {
  yield* virtqueue_split_flush(vq, count);
});

export const virtqueue_push = fn(
  'Gives a buffer back; `len` is how much the device wrote into it. The driver may see it from here on, interrupted or not.',
  function* virtqueue_push(vq: VirtQueue, elem: VirtQueueElement, len: number) {
    yield* virtqueue_fill(vq, elem, len);
    yield* virtqueue_flush(vq, 1);
  },
);

const virtio_set_isr = fn(
  'Notes the reason in the register that the driver reads. Some drivers look there though they have messages, so it is set whatever the interrupt is.',
  function* virtio_set_isr(vdev: VirtIODevice, value: number) {
    atCall('qatomic_read');
    if ((vdev.isr & value) === value) return;
    atCall('qatomic_or');
    vdev.isr |= value;
  },
);

const virtio_split_should_notify = fn(
  'Whether the driver wants to be interrupted: with event indices, if the used index has passed the one that it named since the last time; else, unless it set a flag.',
  function* virtio_split_should_notify(vdev: VirtIODevice, vq: VirtQueue) {
    const { avail } = ringOf(vq);
    atCall('smp_mb', 'The driver must see the used index before we look at what it wants: the two sides cross here.');
    if (!vdev.event_idx) {
      at('VRING_AVAIL_F_NO_INTERRUPT');
      return (avail.flags & VRING_AVAIL_F_NO_INTERRUPT) === 0;
    }
    const known = vq.signalled_used_valid;
    vq.signalled_used_valid = true;
    const old = vq.signalled_used;
    vq.signalled_used = vq.used_idx;
    atCall('vring_need_event');
    return !known || vring_need_event(avail.vring_used_event, vq.used_idx, old);
  },
);

const virtio_should_notify = fn(
  'Whether the driver wants to be interrupted, in the format that was negotiated.',
  function* virtio_should_notify(vdev: VirtIODevice, vq: VirtQueue) {
    return yield* virtio_split_should_notify(vdev, vq);
  },
);

const virtio_notify_vector = fn('Has the bus interrupt the driver.', function* virtio_notify_vector(vdev: VirtIODevice, vector: number) {
  yield* through('function pointer', 'notify', vdev.bus.klass.notify)(vector);
});

const virtio_irq = fn('Interrupts the driver for a queue.', function* virtio_irq(vq: VirtQueue) {
  yield* virtio_set_isr(vq.vdev, 1);
  yield* virtio_notify_vector(vq.vdev, vq.vector);
});

export const virtio_notify = fn(
  'The device is done with buffers: interrupts the driver, if that wants it.',
  function* virtio_notify(vdev: VirtIODevice, vq: VirtQueue) {
    if (yield* virtio_should_notify(vdev, vq)) yield* virtio_irq(vq);
  },
);

export const virtio_notify_irqfd = fn(
  'The same from a thread that does not hold the BQL: it signals an eventfd, and who listens there interrupts the driver. The ISR register is set all the same, for drivers that poll it.',
  function* virtio_notify_irqfd(vdev: VirtIODevice, vq: VirtQueue) {
    if (!(yield* virtio_should_notify(vdev, vq))) return;
    yield* virtio_set_isr(vq.vdev, 1);
    yield* event_notifier_set(vq.guest_notifier);
  },
);

const virtio_queue_notify_vq = fn('The driver has offered something: calls the device.', function* virtio_queue_notify_vq(vq: VirtQueue) {
  at('desc');
  if (!virtio_queue_ready(vq) || vq.vdev.broken) return;
  yield* through('function pointer', 'handle_output', vq.handle_output)(vq);
});

export const virtio_queue_notify = fn(
  'A notification that QEMU has to carry out itself. Where an eventfd is attached it is only passed on to whoever serves that; else the device works right here, while the vCPU waits.',
  function* virtio_queue_notify(vdev: VirtIODevice, n: number) {
    const vq = vdev.vq[n];
    at('desc');
    if (vq === undefined || !virtio_queue_ready(vq) || vdev.broken) return;
    at('host_notifier_enabled');
    if (vq.host_notifier_enabled) yield* event_notifier_set(vq.host_notifier);
    else yield* through('function pointer', 'handle_output', vq.handle_output)(vq);
  },
);

export const virtio_queue_host_notifier_read = fn(
  'The driver’s notification has come through the eventfd. It is taken before the queue is looked at: what is offered later signals again.',
  function* virtio_queue_host_notifier_read(vq: VirtQueue) {
    if (yield* event_notifier_test_and_clear(vq.host_notifier)) yield* virtio_queue_notify_vq(vq);
  },
);

const virtio_queue_guest_notifier_read = fn(
  'Somebody without the BQL wants the driver interrupted, and KVM does not listen: QEMU’s main loop does it.',
  function* virtio_queue_guest_notifier_read(vq: VirtQueue) {
    if (yield* event_notifier_test_and_clear(vq.guest_notifier)) yield* virtio_irq(vq);
  },
);

export const virtio_queue_set_guest_notifier_fd_handler = fn(
  'Decides who listens to the guest notifier: with an irqfd KVM alone, else the main loop.',
  function* virtio_queue_set_guest_notifier_fd_handler(vq: VirtQueue, assign: boolean, with_irqfd: boolean) {
    const { q } = vq.vdev;
    const read = assign && !with_irqfd ? withOpaque(addressOf(virtio_queue_guest_notifier_read), () => vq) : undefined;
    yield* event_notifier_set_handler(q, vq.guest_notifier, read);
    if (!assign) yield* virtio_queue_guest_notifier_read(vq);
  },
);

export const virtio_queue_aio_attach_host_notifier = fn(
  'An I/O thread takes the queue over: its own event loop waits for the notification.',
  function* virtio_queue_aio_attach_host_notifier(vq: VirtQueue, ctx: AioContext) {
    const read = withOpaque(addressOf(virtio_queue_host_notifier_read), () => vq);
    yield* aio_set_event_notifier(ctx, vq.host_notifier, read);
  },
);

export const virtio_set_status = fn(
  'The driver writes its status; from DRIVER_OK on the device may use the queues.',
  function* virtio_set_status(vdev: VirtIODevice, val: number) {
    const { set_status } = vdev.klass;
    if ((vdev.status ^ val) & VIRTIO_CONFIG_S_DRIVER_OK) atCall('virtio_set_started');
    if (set_status !== undefined) yield* through('function pointer', 'set_status', set_status)(vdev, val);
    vdev.status = val;
    return 0;
  },
);

export const virtio_device_start_ioeventfd = fn(
  'A device wants its notifications through eventfds now, before the driver has said that it is ready.',
  function* virtio_device_start_ioeventfd(vdev: VirtIODevice) {
    return yield* virtio_bus_start_ioeventfd(vdev.bus);
  },
);

const __virtio_queue_reset = fn('Forgets the ring and how far it was read.', function* __virtio_queue_reset(vdev: VirtIODevice, i: number) {
  const vq = vdev.vq[i]!;
  at('desc');
  vq.vring = undefined;
  vq.last_avail_idx = 0;
  vq.shadow_avail_idx = 0;
  vq.used_idx = 0;
  atCall('virtio_queue_set_vector');
  vq.vector = VIRTIO_NO_VECTOR;
  vq.signalled_used = 0;
  vq.signalled_used_valid = false;
  vq.notification = true;
  vq.inuse = 0;
});

export const virtio_reset = fn('Brings a device back to where it was before a driver came.', function* virtio_reset(vdev: VirtIODevice) {
  yield* virtio_set_status(vdev, 0);
  const { reset } = vdev.klass;
  if (reset !== undefined) yield* through('function pointer', 'reset', reset)(vdev);
  vdev.broken = false;
  vdev.status = 0;
  vdev.isr = 0;
  yield* virtio_notify_vector(vdev, VIRTIO_NO_VECTOR);
  for (const { queue_index } of vdev.vq) yield* __virtio_queue_reset(vdev, queue_index);
});

const virtio_device_start_ioeventfd_impl = fn(
  'Gives every queue an eventfd that the driver’s notification signals, and the main loop a handler for it. Each is signalled once at once: what was offered before must not wait for the next notification.',
  function* virtio_device_start_ioeventfd_impl(vdev: VirtIODevice) {
    const { memory } = vdev.q;
    yield* memory_region_transaction_begin(memory);
    for (const vq of vdev.vq) {
      const r = yield* virtio_bus_set_host_notifier(vdev.bus, vq.queue_index, true);
      if (r < 0) return r;
      const read = withOpaque(addressOf(virtio_queue_host_notifier_read), () => vq);
      yield* event_notifier_set_handler(vdev.q, vq.host_notifier, read);
    }
    for (const vq of vdev.vq) yield* event_notifier_set(vq.host_notifier);
    yield* memory_region_transaction_commit(memory);
    return 0;
  },
);

const virtio_device_stop_ioeventfd_impl = fn(
  'Takes the eventfds back; the driver’s notifications reach QEMU as accesses again.',
  function* virtio_device_stop_ioeventfd_impl(vdev: VirtIODevice) {
    const { memory } = vdev.q;
    yield* memory_region_transaction_begin(memory);
    for (const vq of vdev.vq) {
      yield* event_notifier_set_handler(vdev.q, vq.host_notifier, undefined);
      yield* virtio_bus_set_host_notifier(vdev.bus, vq.queue_index, false);
    }
    yield* memory_region_transaction_commit(memory);
    for (const vq of vdev.vq) yield* virtio_bus_cleanup_host_notifier(vdev.bus, vq.queue_index);
  },
);

/** What devices get that serve their queues in the main loop. */
export const virtio_device_class_init = ops('virtio_device_class_init', {
  start_ioeventfd: virtio_device_start_ioeventfd_impl,
  stop_ioeventfd: virtio_device_stop_ioeventfd_impl,
});
