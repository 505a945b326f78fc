import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { qemu_chr_fe_backend_connected, qemu_chr_fe_write, type CharBackend } from '../../chardev/char-fe';
import {
  virtio_serial_open,
  virtio_serial_port,
  virtio_serial_throttle_port,
  type VirtIOSerial,
  type VirtIOSerialPort,
} from './virtio-serial-bus';

/** Ports of a virtio serial device that end in a character device: `virtconsole` and `virtserialport`. */

const VirtConsoleCells = struct('VirtConsole', 'A port with a character device behind it.', {
  /** The main loop watches for the character device to become writable. */
  watch: bool(),
});

export type VirtConsole = VirtIOSerialPort & { readonly vcon: InstanceOf<typeof VirtConsoleCells>; readonly chr: CharBackend };

const { fn, ops } = source('qemu', 'hw/char/virtio-console.c');

const flush_buf = fn(
  'The driver has written: hands it to the character device. What that does not take now a console loses: its driver in the guest spins for the buffer with interrupts off, so it must come back.',
  function* flush_buf(port: VirtIOSerialPort, buf: string) {
    const { vcon, chr } = port as VirtConsole;
    if (!(yield* qemu_chr_fe_backend_connected(chr))) return buf.length;
    const ret = yield* qemu_chr_fe_write(chr, buf);
    if (ret >= buf.length) return ret;
    at('is_console');
    if (!port.klass.is_console) {
      yield* virtio_serial_throttle_port(port, true);
      if (!vcon.watch) vcon.watch = true;
    }
    return Math.max(ret, 0);
  },
);

const set_guest_connected = fn(
  'The driver has opened or closed its end. A console’s character device does not care.',
  function* set_guest_connected(port: VirtIOSerialPort, _guest_connected: boolean) {
    at('is_console');
    if (!port.klass.is_console) atCall('qemu_chr_fe_set_open');
  },
);

const guest_writable = fn(
  'The driver has offered room for input: whoever feeds the character device may go on.',
  function* guest_writable(_port: VirtIOSerialPort) {
    atCall('qemu_chr_fe_accept_input');
  },
);

const virtserialport_class_init = ops('virtserialport_class_init', { have_data: flush_buf, set_guest_connected, guest_writable });

export const virtconsole_realize = fn(
  'The console is plugged in: with a character device behind it its host’s end is open at once, whether or not anybody reads.',
  function* virtconsole_realize(port: VirtConsole) {
    if (!(yield* qemu_chr_fe_backend_connected(port.chr))) return;
    atCall('qemu_chr_fe_set_handlers');
    yield* virtio_serial_open(port);
  },
);

/** Adds a console to a device: `-device virtconsole,chardev=…`. */
export function virtconsole(vser: VirtIOSerial, chr: CharBackend): VirtConsole {
  const port = virtio_serial_port(vser, { is_console: true, ...virtserialport_class_init });
  return Object.assign(port, { vcon: VirtConsoleCells('virtconsole'), chr });
}
