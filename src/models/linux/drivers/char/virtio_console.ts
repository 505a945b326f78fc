import { bool, int, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import { bound, source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind } from '../../../../engine/steps';
import { spin_lock_irqsave, spin_unlock_irqrestore, type GuestCpu } from '../../../guest/cpu';
import { EPIPE } from '../../errno';
import { virtio_device_ready, type VirtioDevice } from '../../include/linux/virtio_config';
import {
  CONTROL_SIZE,
  VIRTIO_CONSOLE_BAD_ID,
  type VirtioConsoleControl,
  type VirtioConsoleEvent,
} from '../../include/uapi/linux/virtio_console';
import type { VringBuffer } from '../../include/uapi/linux/virtio_ring';
import { init_work, schedule_work, type WorkqueueStruct, type WorkStruct } from '../../kernel/workqueue';
import { hvc_alloc, hvc_poll, type HvcStruct } from '../tty/hvc/hvc_console';
import { virtio_reset_device } from '../virtio/virtio';
import {
  get_buf_ends,
  virtio_break_device,
  virtqueue_add_inbuf,
  virtqueue_add_outbuf,
  virtqueue_get_buf,
  virtqueue_kick,
  type Virtqueue,
} from '../virtio/virtio_ring';

/** The driver of virtio consoles: ports with a queue in each direction, and two queues that control them all. */

const PortBufferCells = struct('port_buffer', 'A page that the device may fill with input.', { len: int(), offset: int() });
type PortBuffer = InstanceOf<typeof PortBufferCells> & VringBuffer;
const PAGE_SIZE = 4096;

const PortCells = struct('port', 'One port of a console device.', {
  host_connected: bool(),
  guest_connected: bool(),
  inbuf: pointer<PortBuffer>(),
  'stats.bytes_sent': int(),
  'stats.bytes_received': int(),
  'stats.bytes_discarded': int(),
});

export type Port = InstanceOf<typeof PortCells> & {
  readonly id: number;
  readonly portdev: PortsDevice;
  readonly in_vq: Virtqueue;
  readonly out_vq: Virtqueue;
  /** `cons.hvc`: the tty, for a port that is a console. */
  hvc: HvcStruct | undefined;
};

/** A console device as its driver holds it. */
export interface PortsDevice {
  readonly vdev: VirtioDevice;
  readonly cpu: GuestCpu;
  /** VIRTIO_CONSOLE_F_MULTIPORT was negotiated: the control queues exist. */
  readonly use_multiport: boolean;
  readonly in_vqs: readonly Virtqueue[];
  readonly out_vqs: readonly Virtqueue[];
  readonly c_ivq: Virtqueue;
  readonly c_ovq: Virtqueue;
  readonly ports: Port[];
  readonly system_wq: WorkqueueStruct;
  control_work: WorkStruct | undefined;
  /** What finding the queues leaves behind in the device: rings, vectors, features. */
  readonly queues_found: () => void;
}

const { fn, ops } = source('linux', 'drivers/char/virtio_console.c');

const find_port_by_id = ({ ports }: PortsDevice, id: number): Port | undefined => ports.find((port) => port.id === id);
const find_port_by_vq = ({ ports }: PortsDevice, vq: Virtqueue): Port | undefined =>
  ports.find((port) => port.in_vq === vq || port.out_vq === vq);

/** Spins until the device has returned a buffer of this queue, or has broken it. */
function* wait_for_buffer(cpu: GuestCpu, vq: Virtqueue): Run {
  while ((yield* virtqueue_get_buf(vq)) === undefined && !vq.broken) {
    atCall('cpu_relax');
    yield* cpu.spin(() => get_buf_ends(vq));
  }
}

const add_inbuf = fn('Offers a buffer for input, and says so.', function* add_inbuf(vq: Virtqueue, buf: PortBuffer) {
  const ret = yield* virtqueue_add_inbuf(vq, buf);
  yield* virtqueue_kick(vq);
  return ret === 0 ? vq['vq.num_free'] : ret;
});

const fill_queue = fn('Offers buffers until the queue is full.', function* fill_queue(vq: Virtqueue) {
  let nr_added_bufs = 0;
  for (;;) {
    atCall('alloc_buf');
    const buf: PortBuffer = Object.assign(PortBufferCells(`${vq.name} ${nr_added_bufs}`), { size: PAGE_SIZE, content: undefined });
    const ret = yield* add_inbuf(vq, buf);
    if (ret < 0) return ret;
    nr_added_bufs++;
    if (ret === 0) return nr_added_bufs;
  }
});

const __send_control_msg = fn(
  'Sends a message over the control queue and spins until the device has taken it.',
  function* __send_control_msg(portdev: PortsDevice, id: number, event: VirtioConsoleEvent, value: number) {
    if (!portdev.use_multiport) return 0;
    at('cpkt', event);
    const content: VirtioConsoleControl = { id, event, value };
    if ((yield* virtqueue_add_outbuf(portdev.c_ovq, { size: CONTROL_SIZE, content })) !== 0) return 0;
    yield* virtqueue_kick(portdev.c_ovq);
    yield* wait_for_buffer(portdev.cpu, portdev.c_ovq);
    return 0;
  },
);

const send_control_msg = fn(
  'Tells the device something about a port.',
  function* send_control_msg(port: Port, event: VirtioConsoleEvent, value: number) {
    return yield* __send_control_msg(port.portdev, port.id, event, value);
  },
);

const get_inbuf = fn('Takes the next filled buffer, unless one is half read.', function* get_inbuf(port: Port): Run<
  PortBuffer | undefined
> {
  if (port.inbuf !== undefined) return port.inbuf;
  const used = yield* virtqueue_get_buf(port.in_vq);
  if (used === undefined) return undefined;
  const buf = used.data as PortBuffer;
  buf.len = Math.min(used.len, buf.size);
  buf.offset = 0;
  port['stats.bytes_received'] += used.len;
  return buf;
});

const port_has_data = fn('Whether there is input to read.', function* port_has_data(port: Port) {
  const buf = yield* get_inbuf(port);
  if (buf !== port.inbuf) port.inbuf = buf;
  return buf !== undefined;
});

const fill_readbuf = fn(
  'Copies input out. A buffer that is read to its end goes back to the device.',
  function* fill_readbuf(port: Port): Run<string> {
    if (!(yield* port_has_data(port))) return '';
    const buf = port.inbuf!;
    const text = String(buf.content).slice(buf.offset, buf.len);
    buf.offset += text.length;
    port.inbuf = undefined;
    yield* add_inbuf(port.in_vq, buf);
    return text;
  },
);

const get_chars = fn('Reads a console, for hvc.', function* get_chars(vtermno: Port): Run<string> {
  atCall('find_port_by_vtermno');
  return yield* fill_readbuf(vtermno);
});

const reclaim_consumed_buffers = fn(
  'Takes back what the device has consumed since the last write.',
  function* reclaim_consumed_buffers(port: Port) {
    while ((yield* virtqueue_get_buf(port.out_vq)) !== undefined) atCall('free_buf');
  },
);

const __send_to_port = fn(
  'Offers the characters, kicks the device and spins until it has taken them: a tty’s write may not sleep, and interrupts are off.',
  function* __send_to_port(port: Port, data: VringBuffer) {
    const { cpu } = port.portdev;
    const flags = yield* spin_lock_irqsave(cpu);
    yield* reclaim_consumed_buffers(port);
    const err = yield* virtqueue_add_outbuf(port.out_vq, data);
    yield* virtqueue_kick(port.out_vq);
    if (err === 0) yield* wait_for_buffer(cpu, port.out_vq);
    yield* spin_unlock_irqrestore(cpu, flags);
    const sent = err === 0 ? data.size : 0;
    port['stats.bytes_sent'] += sent;
    return sent;
  },
);

const put_chars = fn(
  'Writes to a console, for hvc: copies the characters, because the caller’s buffer need not be in memory that a device can reach.',
  function* put_chars(vtermno: Port, buf: string) {
    atCall('find_port_by_vtermno');
    if (vtermno.hvc === undefined) return -EPIPE;
    return yield* __send_to_port(vtermno, { size: buf.length, content: buf });
  },
);

const hv_ops = ops('hv_ops', { put_chars, get_chars });

const init_port_console = fn(
  'The port is a console: gives it a tty, and says that somebody is there to read and write.',
  function* init_port_console(port: Port) {
    port.hvc = yield* hvc_alloc(port, port.portdev.cpu, hv_ops);
    port.guest_connected = true;
    yield* send_control_msg(port, 'VIRTIO_CONSOLE_PORT_OPEN', 1);
    return 0;
  },
);

const add_port = fn(
  'The device has a port: makes room for its input, then says that the port is ready to be told more about itself.',
  function* add_port(portdev: PortsDevice, id: number) {
    const [in_vq, out_vq] = [portdev.in_vqs[id], portdev.out_vqs[id]];
    if (in_vq === undefined || out_vq === undefined) return;
    at('in_vq');
    const port: Port = Object.assign(PortCells(`vport0p${id}`), { id, portdev, in_vq, out_vq, hvc: undefined });
    yield* fill_queue(in_vq);
    if (!portdev.use_multiport) yield* init_port_console(port);
    portdev.ports.push(port);
    yield* send_control_msg(port, 'VIRTIO_CONSOLE_PORT_READY', 1);
  },
);

const handle_control_message = fn(
  'A message of the device about one of its ports.',
  function* handle_control_message(portdev: PortsDevice, { id, event, value }: VirtioConsoleControl) {
    const port = find_port_by_id(portdev, id);
    at('event', event);
    if (port === undefined) {
      if (event === 'VIRTIO_CONSOLE_PORT_ADD') yield* add_port(portdev, id);
      return;
    }
    switch (event) {
      case 'VIRTIO_CONSOLE_PORT_ADD':
        yield* send_control_msg(port, 'VIRTIO_CONSOLE_PORT_READY', 1);
        return;
      case 'VIRTIO_CONSOLE_CONSOLE_PORT':
        if (value !== 0 && port.hvc === undefined) yield* init_port_console(port);
        return;
      case 'VIRTIO_CONSOLE_PORT_OPEN':
        port.host_connected = value !== 0;
        yield* reclaim_consumed_buffers(port);
        return;
      // A name, a size, an unplugged port: nothing that an interrupt depends on.
      case 'VIRTIO_CONSOLE_DEVICE_READY':
      case 'VIRTIO_CONSOLE_PORT_READY':
      case 'VIRTIO_CONSOLE_PORT_REMOVE':
      case 'VIRTIO_CONSOLE_RESIZE':
      case 'VIRTIO_CONSOLE_PORT_NAME':
        return;
    }
  },
);

const control_work_handler = fn(
  'Handles the device’s messages in process context, because making a port may sleep, and gives each buffer back.',
  function* control_work_handler(portdev: PortsDevice) {
    for (;;) {
      const used = yield* virtqueue_get_buf(portdev.c_ivq);
      if (used === undefined) return;
      const buf = used.data as PortBuffer;
      buf.len = Math.min(used.len, buf.size);
      yield* handle_control_message(portdev, buf.content as VirtioConsoleControl);
      yield* add_inbuf(portdev.c_ivq, buf);
    }
  },
);

const control_intr = fn('The device sent a control message: leaves it to a worker.', function* control_intr(portdev: PortsDevice) {
  if (portdev.control_work !== undefined) yield* schedule_work(portdev.system_wq, portdev.control_work);
});

const out_intr = fn(
  'The device has taken output. A console’s writer has spun for it and took the buffer back long ago; this wakes those who sleep for room in a plain port.',
  function* out_intr(portdev: PortsDevice, vq: Virtqueue) {
    atCall('find_port_by_vq');
    if (find_port_by_vq(portdev, vq) !== undefined) atCall('wake_up_interruptible');
  },
);

const discard_port_data = fn('Nobody reads this port: gives the input back unread.', function* discard_port_data(port: Port) {
  for (let buf = yield* get_inbuf(port); buf !== undefined; buf = yield* get_inbuf(port)) {
    port['stats.bytes_discarded'] += buf.len - buf.offset;
    yield* add_inbuf(port.in_vq, buf);
    port.inbuf = undefined;
  }
});

const in_intr = fn(
  'The device has filled a buffer with input: hands it to the tty.',
  function* in_intr(portdev: PortsDevice, vq: Virtqueue) {
    atCall('find_port_by_vq');
    const port = find_port_by_vq(portdev, vq);
    if (port === undefined) return;
    const buf = yield* get_inbuf(port);
    if (buf !== port.inbuf) port.inbuf = buf;
    if (!port.guest_connected) yield* discard_port_data(port);
    atCall('wake_up_interruptible');
    if (port.hvc !== undefined) yield* hvc_poll(port.hvc);
  },
);

/** Where the queues’ callbacks were stored, by what the queue is for. */
export const init_vqs = ops('init_vqs', { in_intr, out_intr, control_intr });

export const virtcons_remove = fn(
  'The driver lets its device go: breaks the queues first, so that nobody waits for a buffer any more, then resets the device, then takes the ports apart.',
  function* virtcons_remove(portdev: PortsDevice) {
    const { control_work, system_wq, in_vqs, out_vqs, c_ivq, c_ovq, use_multiport } = portdev;
    yield* virtio_break_device([...in_vqs, ...out_vqs, ...(use_multiport ? [c_ivq, c_ovq] : [])]);
    yield* virtio_reset_device(portdev.vdev);
    atCall('cancel_work_sync');
    const pending = control_work === undefined ? -1 : system_wq.worklist.indexOf(control_work);
    if (pending >= 0) system_wq.worklist.splice(pending, 1);
    for (const port of portdev.ports.splice(0)) {
      atCall('unplug_port');
      port.hvc = undefined;
    }
    atCall('remove_vqs');
  },
);

export const virtcons_probe = fn(
  'The driver starts its device. From DRIVER_OK on the queues are alive: buffers for control messages first, then the word that the driver is ready to hear of ports.',
  function* virtcons_probe(portdev: PortsDevice) {
    portdev.control_work = init_work(
      'control_work',
      bound(control_work_handler, () => portdev),
    );
    atCall('init_vqs', 'Some forty accesses to registers, each of which would go the way of the next one. They are told as one step.');
    portdev.queues_found();
    yield* virtio_device_ready(portdev.vdev);
    if (portdev.use_multiport) yield* fill_queue(portdev.c_ivq);
    else yield* add_port(portdev, 0);
    behind('add_port');
    yield* __send_control_msg(portdev, VIRTIO_CONSOLE_BAD_ID, 'VIRTIO_CONSOLE_DEVICE_READY', 1);
    return 0;
  },
);
