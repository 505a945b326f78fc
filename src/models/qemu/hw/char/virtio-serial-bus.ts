import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, type Pointer } from '../../../../engine/fn';
import { at, atCall, behind } from '../../../../engine/steps';
import { VIRTIO_CONFIG_S_DRIVER_OK } from '../../../linux/include/linux/virtio_config';
import { CONTROL_SIZE, type VirtioConsoleControl, type VirtioConsoleEvent } from '../../../linux/include/uapi/linux/virtio_console';
import type { Vring } from '../../../linux/include/uapi/linux/virtio_ring';
import { withOpaque } from '../../opaque';
import {
  virtio_add_queue,
  virtio_device_class_init,
  virtio_notify,
  virtio_queue_ready,
  virtqueue_pop,
  virtqueue_push,
  type VirtIODevice,
  type VirtQueue,
  type VirtQueueElement,
} from '../virtio/virtio';

/** The virtio serial device: ports with a queue in each direction, and two queues that control them. */

const PortCells = struct('VirtIOSerialPort', 'A port of a virtio serial device: which of its two ends are open.', {
  guest_connected: bool(),
  host_connected: bool(),
  throttled: bool(),
});

/** What a kind of port does in its own way. */
export interface VirtIOSerialPortClass {
  readonly is_console: boolean;
  readonly have_data: Pointer<[port: VirtIOSerialPort, buf: string], number>;
  readonly set_guest_connected?: Pointer<[port: VirtIOSerialPort, guest_connected: boolean], void>;
  readonly guest_writable?: Pointer<[port: VirtIOSerialPort], void>;
}

export type VirtIOSerialPort = InstanceOf<typeof PortCells> & {
  readonly id: number;
  readonly vser: VirtIOSerial;
  readonly klass: VirtIOSerialPortClass;
  readonly ivq: VirtQueue;
  readonly ovq: VirtQueue;
  /** The buffer that the port has not finished with. */
  elem: VirtQueueElement | undefined;
};

export interface VirtIOSerial {
  readonly vdev: VirtIODevice;
  readonly ports: VirtIOSerialPort[];
  readonly ivqs: VirtQueue[];
  readonly ovqs: VirtQueue[];
  readonly c_ivq: VirtQueue;
  readonly c_ovq: VirtQueue;
  /** use_multiport(): the driver knows of the control queues. */
  readonly multiport: boolean;
}

/** The rings that the driver has set up, in the order of the queues: two for port 0, two for control, two for each further port. A queue that it does not use has none. */
export interface SerialRings {
  readonly rings: readonly (Vring | undefined)[];
  /** The vector that all queues share. */
  readonly vector: number;
}

const { fn, ops } = source('qemu', 'hw/char/virtio-serial-bus.c');

const find_port_by_vq = ({ ports }: VirtIOSerial, vq: VirtQueue): VirtIOSerialPort | undefined =>
  ports.find(({ ivq, ovq }) => ivq === vq || ovq === vq);

const discard_vq_data = fn(
  'Nobody reads this: gives every buffer back as it came, because the driver waits for them.',
  function* discard_vq_data(vq: VirtQueue) {
    atCall('virtio_queue_ready');
    if (!virtio_queue_ready(vq)) return;
    for (let elem = yield* virtqueue_pop(vq); elem !== undefined; elem = yield* virtqueue_pop(vq)) yield* virtqueue_push(vq, elem, 0);
    yield* virtio_notify(vq.vdev, vq);
  },
);

const do_flush_queued_data = fn(
  'Hands the driver’s buffers to the port one by one and gives each back; a port that can take no more keeps the one it is at. One interrupt at the end stands for all.',
  function* do_flush_queued_data(port: VirtIOSerialPort, vq: VirtQueue) {
    while (!port.throttled) {
      port.elem ??= yield* virtqueue_pop(vq);
      behind('virtqueue_pop');
      at('elem');
      if (port.elem === undefined) break;
      for (const { content } of port.elem.out_sg)
        yield* through('function pointer', 'have_data', port.klass.have_data)(port, String(content));
      if (port.throttled) break;
      yield* virtqueue_push(vq, port.elem, 0);
      port.elem = undefined;
    }
    yield* virtio_notify(vq.vdev, vq);
  },
);

const send_control_msg = fn(
  'Puts a message into the next buffer that the driver has offered for control messages. Without one it is lost.',
  function* send_control_msg(vser: VirtIOSerial, content: VirtioConsoleControl) {
    const vq = vser.c_ivq;
    atCall('virtio_queue_ready');
    if (!virtio_queue_ready(vq)) return 0;
    const elem = yield* virtqueue_pop(vq);
    if (elem === undefined) return 0;
    atCall('iov_from_buf');
    for (const buffer of elem.in_sg) buffer.content = content;
    yield* virtqueue_push(vq, elem, CONTROL_SIZE);
    yield* virtio_notify(vser.vdev, vq);
    return CONTROL_SIZE;
  },
);

const send_control_event = fn(
  'Tells the driver something about a port.',
  function* send_control_event(vser: VirtIOSerial, id: number, event: VirtioConsoleEvent, value: number) {
    at('event', event);
    return yield* send_control_msg(vser, { id, event, value });
  },
);

export const virtio_serial_open = fn('The host’s end of a port opens.', function* virtio_serial_open(port: VirtIOSerialPort) {
  if (port.host_connected) return 0;
  port.host_connected = true;
  yield* send_control_event(port.vser, port.id, 'VIRTIO_CONSOLE_PORT_OPEN', 1);
  return 0;
});

export const virtio_serial_throttle_port = fn(
  'A port can take no more: what it has not taken stays in the queue.',
  function* virtio_serial_throttle_port(port: VirtIOSerialPort, throttle: boolean) {
    port.throttled = throttle;
  },
);

const handle_control_message = fn(
  'A message of the driver’s: that it is ready to hear of ports, that it has made one ready, that somebody has opened it.',
  function* handle_control_message(vser: VirtIOSerial, { id, event, value }: VirtioConsoleControl) {
    at('event', event);
    if (event === 'VIRTIO_CONSOLE_DEVICE_READY') {
      for (const port of vser.ports) yield* send_control_event(vser, port.id, 'VIRTIO_CONSOLE_PORT_ADD', 1);
      return;
    }
    const port = vser.ports.find((one) => one.id === id);
    atCall('find_port_by_id');
    if (port === undefined) return;
    if (event === 'VIRTIO_CONSOLE_PORT_READY') {
      if (port.klass.is_console) {
        behind('find_port_by_id');
        yield* send_control_event(vser, port.id, 'VIRTIO_CONSOLE_CONSOLE_PORT', 1);
      }
      if (port.host_connected) {
        behind('find_port_by_id send_control_event');
        yield* send_control_event(vser, port.id, 'VIRTIO_CONSOLE_PORT_OPEN', 1);
      }
    } else if (event === 'VIRTIO_CONSOLE_PORT_OPEN') {
      port.guest_connected = value !== 0;
      const { set_guest_connected } = port.klass;
      if (set_guest_connected !== undefined)
        yield* through('function pointer', 'set_guest_connected', set_guest_connected)(port, value !== 0);
    }
  },
);

const control_in = fn(
  'The driver has offered room for control messages: nothing to do, until there is one.',
  function* control_in(_vser: VirtIOSerial, _vq: VirtQueue) {},
);

const control_out = fn('The driver has sent control messages.', function* control_out(vser: VirtIOSerial, vq: VirtQueue) {
  for (let elem = yield* virtqueue_pop(vq); elem !== undefined; elem = yield* virtqueue_pop(vq)) {
    for (const { content } of elem.out_sg) yield* handle_control_message(vser, content as VirtioConsoleControl);
    yield* virtqueue_push(vq, elem, 0);
  }
  yield* virtio_notify(vser.vdev, vq);
});

const handle_output = fn(
  'The driver has written to a port. With nobody at the host’s end it is thrown away.',
  function* handle_output(vser: VirtIOSerial, vq: VirtQueue) {
    atCall('find_port_by_vq');
    const port = find_port_by_vq(vser, vq);
    if (port === undefined || !port.host_connected) {
      yield* discard_vq_data(vq);
      return;
    }
    if (!port.throttled) yield* do_flush_queued_data(port, vq);
  },
);

const handle_input = fn(
  'The driver has offered room for input. It says so for every buffer; only a port that is open at both ends has somebody who wants to know.',
  function* handle_input(vser: VirtIOSerial, vq: VirtQueue) {
    atCall('find_port_by_vq');
    const port = find_port_by_vq(vser, vq);
    const guest_writable = port?.klass.guest_writable;
    if (port?.guest_connected && port.host_connected && guest_writable !== undefined)
      yield* through('function pointer', 'guest_writable', guest_writable)(port);
  },
);

const guest_reset = fn('The driver is gone: so is everybody at its end of a port.', function* guest_reset(vser: VirtIOSerial) {
  for (const port of vser.ports) {
    atCall('discard_throttle_data');
    if (!port.guest_connected) continue;
    port.guest_connected = false;
    const { set_guest_connected } = port.klass;
    if (set_guest_connected !== undefined) yield* through('function pointer', 'set_guest_connected', set_guest_connected)(port, false);
  }
});

const set_status = fn(
  'The driver’s status changes. One that does not know of the control queues cannot say that its port is open, so that counts as open from DRIVER_OK on.',
  function* set_status(vser: VirtIOSerial, _vdev: VirtIODevice, status: number) {
    const [port] = vser.ports;
    if (port !== undefined && !vser.multiport && status & VIRTIO_CONFIG_S_DRIVER_OK && !port.guest_connected) port.guest_connected = true;
    behind('guest_connected');
    at('VIRTIO_CONFIG_S_DRIVER_OK');
    if (!(status & VIRTIO_CONFIG_S_DRIVER_OK)) yield* guest_reset(vser);
  },
);

const vser_reset = fn('The device is reset.', function* vser_reset(vser: VirtIOSerial, _vdev: VirtIODevice) {
  yield* guest_reset(vser);
});

const virtio_serial_class_init = ops('virtio_serial_class_init', { set_status, reset: vser_reset });

/** What each queue calls. */
const virtio_serial_device_realize = ops('virtio_serial_device_realize', { handle_input, handle_output, control_in, control_out });

/** What the device does in its own way, and what every device does. */
export const virtio_serial_class = (vser: () => VirtIOSerial): VirtIODevice['klass'] => ({
  ...virtio_device_class_init,
  set_status: withOpaque(virtio_serial_class_init.set_status, vser),
  reset: withOpaque(virtio_serial_class_init.reset, vser),
});

/** Makes the device on top of its virtio part, with the queues whose rings the driver has set up. */
export function virtio_serial(vdev: VirtIODevice, { rings, vector }: SerialRings): VirtIOSerial {
  const own = (): VirtIOSerial => vser;
  const { control_in, control_out, handle_input, handle_output } = virtio_serial_device_realize;
  const handlers = rings.map((_, n) => (n === 2 ? control_in : n === 3 ? control_out : n % 2 === 0 ? handle_input : handle_output));
  const queues = rings.map((ring, n) => virtio_add_queue(vdev, ring, vector, withOpaque(handlers[n]!, own)));
  const ports = queues.filter((_, n) => n !== 2 && n !== 3);
  const vser: VirtIOSerial = {
    vdev,
    ports: [],
    ivqs: ports.filter((_, n) => n % 2 === 0),
    ovqs: ports.filter((_, n) => n % 2 === 1),
    c_ivq: queues[2]!,
    c_ovq: queues[3]!,
    multiport: virtio_queue_ready(queues[2]!),
  };
  return vser;
}

/** Adds a port to a device, its host’s end closed. */
export function virtio_serial_port(vser: VirtIOSerial, klass: VirtIOSerialPortClass): VirtIOSerialPort {
  const id = vser.ports.length;
  const port: VirtIOSerialPort = Object.assign(PortCells(`port ${id}`), {
    id,
    vser,
    klass,
    ivq: vser.ivqs[id]!,
    ovq: vser.ovqs[id]!,
    elem: undefined,
  });
  vser.ports.push(port);
  return port;
}
