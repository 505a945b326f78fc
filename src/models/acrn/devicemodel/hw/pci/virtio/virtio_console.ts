import { bool, struct, type InstanceOf } from '../../../../../../engine/cell';
import { addressOf, bound, source, through, type Pointer } from '../../../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../../../engine/steps';
import { tty_file, type TtyStruct } from '../../../../../linux/drivers/tty/tty_io';
import { CONTROL_SIZE, type VirtioConsoleControl, type VirtioConsoleEvent } from '../../../../../linux/include/uapi/linux/virtio_console';
import { VRING_USED_F_NO_NOTIFY, type VringBuffer } from '../../../../../linux/include/uapi/linux/virtio_ring';
import { mevent_add } from '../../../core/mevent';
import type { Vmctx } from '../../../include/dm';
import type { PciVdev, PciVdevOps } from '../../../include/pci_core';
import { vq_has_descs, vq_ring_ready, type VirtioBase, type VirtioOps, type VirtioVqInfo } from '../../../include/virtio';
import {
  virtio_interrupt_init,
  virtio_linkup,
  virtio_pci_read,
  virtio_pci_write,
  virtio_set_io_bar,
  vq_endchains,
  vq_getchain,
  vq_relchain,
} from './virtio';

/** The console device: a port in front of a terminal of the host, and the control queues. */

/** VIRTIO_CONSOLE_MAXPORTS is 16, VIRTIO_CONSOLE_RINGSZ 64; one port and rings of four are enough to see everything. */
const VIRTIO_CONSOLE_MAXPORTS = 1;
const VIRTIO_CONSOLE_RINGSZ = 4;
const VIRTIO_CONSOLE_MAXQ = 2 * (VIRTIO_CONSOLE_MAXPORTS + 1);
/** The bit *numbers* of SIZE, MULTIPORT and EMERG_WRITE or-ed, as upstream does: so SIZE and MULTIPORT are offered. */
export const VIRTIO_CONSOLE_S_HOSTCAPS = 0 | 1 | 2;

const ConsoleCells = struct('virtio_console', 'The console device: whether the driver is ready to hear of ports.', { ready: bool() });

type VirtioConsole = InstanceOf<typeof ConsoleCells> & {
  readonly base: VirtioBase;
  control_port: VirtioConsolePort | undefined;
  readonly ports: VirtioConsolePort[];
};

const PortCells = struct(
  'virtio_console_port',
  'A port: whether the guest has buffers for input, and whether somebody is connected here.',
  {
    is_console: bool(),
    enabled: bool(),
    rx_ready: bool(),
    open: bool(),
  },
);

/** Takes what the guest has sent to a port. */
type PortCallback = Pointer<[port: VirtioConsolePort, iov: VringBuffer], void>;

type VirtioConsolePort = InstanceOf<typeof PortCells> & {
  readonly id: number;
  readonly name: string;
  readonly console: VirtioConsole;
  /** The queue *to* the guest is called tx here; the driver calls it its input. */
  readonly txq: number;
  readonly cb: PortCallback;
};

interface VirtioConsoleBackend {
  readonly fd: TtyStruct;
  port: VirtioConsolePort | undefined;
}

const virtio_console_ops: VirtioOps = { name: 'vtcon', nvq: VIRTIO_CONSOLE_MAXQ };

/** The console that a virtio device is. */
const consoleOf = ({ vdev }: VirtioBase): VirtioConsole => vdev as VirtioConsole;

const { fn, ops } = source('acrn', 'devicemodel/hw/pci/virtio/virtio_console.c');

/** virtio_console_vq_to_port(): queues 0 and 1 are port 0, 2 and 3 control. */
const virtio_console_vq_to_port = (console: VirtioConsole, { num }: VirtioVqInfo): VirtioConsolePort | undefined =>
  num < 2 ? console.ports[0] : num < 4 ? console.control_port : console.ports[Math.floor(num / 2) - 1];

const toGuest = ({ console, txq }: VirtioConsolePort): VirtioVqInfo => console.base.queues[txq]!;

const virtio_console_add_port = fn(
  'Adds a port, with what takes its output.',
  function* virtio_console_add_port(console: VirtioConsole, name: string, cb: PortCallback, is_console: boolean) {
    const id = console.ports.length;
    const port: VirtioConsolePort = Object.assign(PortCells(`port ${id} ${name}`), {
      id,
      name,
      console,
      txq: id === 0 ? 0 : 2 * (id + 1),
      cb,
    });
    at('nports');
    console.ports.push(port);
    if (is_console) port.is_console = true;
    port.enabled = true;
    return port;
  },
);

const virtio_console_control_send = fn(
  'Sends the driver a message, if it has offered a buffer for one. If not, the message is lost.',
  function* virtio_console_control_send(console: VirtioConsole, content: VirtioConsoleControl) {
    const vq = toGuest(console.control_port!);
    if (!(yield* vq_has_descs(vq))) return;
    const chain = yield* vq_getchain(vq);
    if (chain === undefined) return;
    atCall('memcpy', content.event);
    chain.iov.content = content;
    yield* vq_relchain(vq, chain.idx, CONTROL_SIZE + (content.name?.length ?? 0));
    yield* vq_endchains(vq, true);
  },
);

const virtio_console_announce_port = fn(
  'Tells the driver of a port, and its name.',
  function* virtio_console_announce_port({ id, name, console }: VirtioConsolePort) {
    yield* virtio_console_control_send(console, { id, event: 'VIRTIO_CONSOLE_PORT_ADD', value: 1 });
    behind('virtio_console_control_send');
    yield* virtio_console_control_send(console, { id, event: 'VIRTIO_CONSOLE_PORT_NAME', value: 1, name });
  },
);

const virtio_console_open_port = fn(
  'Tells the driver that somebody is connected, or remembers to do so when the driver is ready.',
  function* virtio_console_open_port(port: VirtioConsolePort, open: boolean) {
    at('ready');
    if (!port.console.ready) port.open = true;
    else yield* virtio_console_control_send(port.console, { id: port.id, event: 'VIRTIO_CONSOLE_PORT_OPEN', value: Number(open) });
  },
);

/** Which constant of upstream names a message: PORT_ADD is called DEVICE_ADD here. */
const handled: readonly VirtioConsoleEvent[] = ['VIRTIO_CONSOLE_DEVICE_READY', 'VIRTIO_CONSOLE_PORT_READY'];

const virtio_console_control_tx = fn(
  'A message of the driver on the control queue; nothing that was written to the console comes here. When the driver is ready it is told of every port; a port that is a console is said to be one.',
  function* virtio_console_control_tx(control: VirtioConsolePort, iov: VringBuffer) {
    const { console } = control;
    const ctrl = iov.content as VirtioConsoleControl;
    at(handled.includes(ctrl.event) ? ctrl.event : 'event');
    switch (ctrl.event) {
      case 'VIRTIO_CONSOLE_DEVICE_READY':
        console.ready = true;
        for (const port of console.ports) {
          if (port.enabled) yield* virtio_console_announce_port(port);
          if (port.open) yield* virtio_console_open_port(port, true);
        }
        return;
      case 'VIRTIO_CONSOLE_PORT_READY':
        if (console.ports[ctrl.id]?.is_console === true)
          yield* virtio_console_control_send(console, { id: ctrl.id, event: 'VIRTIO_CONSOLE_CONSOLE_PORT', value: 1 });
        return;
      // Nothing is done about the others.
      case 'VIRTIO_CONSOLE_PORT_ADD':
      case 'VIRTIO_CONSOLE_PORT_REMOVE':
      case 'VIRTIO_CONSOLE_CONSOLE_PORT':
      case 'VIRTIO_CONSOLE_RESIZE':
      case 'VIRTIO_CONSOLE_PORT_OPEN':
      case 'VIRTIO_CONSOLE_PORT_NAME':
        return;
    }
  },
);

const virtio_console_notify_tx = fn(
  'The guest has sent something: hands every buffer to the port that the queue belongs to, gives the buffers back, and interrupts once at the end.',
  function* virtio_console_notify_tx(base: VirtioBase, vq: VirtioVqInfo) {
    atCall('virtio_console_vq_to_port');
    const port = virtio_console_vq_to_port(consoleOf(base), vq);
    while (yield* vq_has_descs(vq)) {
      const chain = yield* vq_getchain(vq);
      if (chain === undefined) break;
      if (port !== undefined) yield* through('function pointer', 'cb', port.cb)(port, chain.iov);
      yield* vq_relchain(vq, chain.idx, 0);
    }
    yield* vq_endchains(vq, true);
  },
);

const virtio_console_notify_rx = fn(
  'The guest has offered buffers for input. One such kick is enough: from now on the device looks by itself when there is input, and asks not to be kicked.',
  function* virtio_console_notify_rx(base: VirtioBase, vq: VirtioVqInfo) {
    atCall('virtio_console_vq_to_port');
    const port = virtio_console_vq_to_port(consoleOf(base), vq);
    if (port === undefined || port.rx_ready) return;
    port.rx_ready = true;
    if (!(yield* vq_has_descs(vq))) return;
    atWrite('flags', 'vq_has_descs');
    vq.ring!.used.flags |= VRING_USED_F_NO_NOTIFY;
  },
);

/** readv() of the terminal. */
function readv(fd: TtyStruct): string {
  const text = fd.input.splice(0).join('');
  fd.typed -= text.length;
  return text;
}

const virtio_console_backend_read = fn(
  'Somebody has typed. Without a buffer of the guest to put it in, the input is read and thrown away.',
  function* virtio_console_backend_read(be: VirtioConsoleBackend) {
    const port = be.port!;
    const vq = toGuest(port);
    at('rx_ready');
    if (!port.open || !port.rx_ready || !vq_ring_ready(vq)) {
      atCall('read', 'Nobody is there to read it.');
      readv(be.fd);
      return;
    }
    if (!(yield* vq_has_descs(vq))) {
      atCall('read', 'The guest has no buffer free.');
      readv(be.fd);
      yield* vq_endchains(vq, true);
      return;
    }
    const chain = yield* vq_getchain(vq);
    if (chain === undefined) return;
    atCall('readv');
    const text = readv(be.fd);
    chain.iov.content = text;
    yield* vq_relchain(vq, chain.idx, text.length);
    behind('vq_relchain');
    yield* vq_endchains(vq, true);
  },
);

const virtio_console_backend_write = fn(
  'Writes what the guest has sent to the terminal. If that takes no more the rest is dropped: the guest is never kept waiting for a host’s reader.',
  function* virtio_console_backend_write(be: VirtioConsoleBackend, _port: VirtioConsolePort, iov: VringBuffer) {
    atCall('writev', String(iov.content));
    be.fd.shown += iov.size;
  },
);

const virtio_console_add_backend = fn(
  'Connects a port to a terminal of the host. The main thread watches it for input.',
  function* virtio_console_add_backend(ctx: Vmctx, console: VirtioConsole, fd: TtyStruct) {
    const be: VirtioConsoleBackend = { fd, port: undefined };
    const [write, read] = [bound(virtio_console_backend_write, () => be), bound(virtio_console_backend_read, () => be)];
    be.port = yield* virtio_console_add_port(console, 'console', addressOf(write), true);
    yield* mevent_add(ctx, 'stdin', tty_file(fd), addressOf(read));
    yield* virtio_console_open_port(be.port, true);
    return 0;
  },
);

const virtio_console_add_backends = fn(
  'Connects the ports that the command line names.',
  function* virtio_console_add_backends(ctx: Vmctx, console: VirtioConsole) {
    return yield* virtio_console_add_backend(ctx, console, ctx.stdio);
  },
);

const virtio_console_init = fn(
  'Makes the device: queues whose even ones are the guest’s input and whose odd ones its output, interrupts, the legacy registers, the control port, the others.',
  function* virtio_console_init(ctx: Vmctx, dev: PciVdev) {
    const base = yield* virtio_linkup(virtio_console_ops, dev, VIRTIO_CONSOLE_RINGSZ);
    base.device_caps = VIRTIO_CONSOLE_S_HOSTCAPS;
    at('notify');
    const [rx, tx] = [addressOf(virtio_console_notify_rx), addressOf(virtio_console_notify_tx)];
    for (const vq of base.queues) vq.notify = vq.num % 2 === 0 ? rx : tx;
    yield* virtio_interrupt_init(base, ctx.virtio_msix);
    yield* virtio_set_io_bar(base, 0);
    const console: VirtioConsole = Object.assign(ConsoleCells(dev.name), { base, ports: [], control_port: undefined });
    base.vdev = console;
    const cb = addressOf(virtio_console_control_tx);
    const control_port = Object.assign(PortCells('control port'), { id: 0, name: 'control', console, txq: 2, cb });
    console.control_port = control_port;
    atWrite('enabled', 'control_port');
    control_port.enabled = true;
    return yield* virtio_console_add_backends(ctx, console);
  },
);

export const pci_ops_virtio_console: PciVdevOps = ops('pci_ops_virtio_console', {
  vdev_init: virtio_console_init,
  vdev_barwrite: virtio_pci_write,
  vdev_barread: virtio_pci_read,
});
