import { bool, int, struct, type InstanceOf } from '../../../engine/cell';
import { bound, source, through, type Pointer } from '../../../engine/fn';
import { atCall } from '../../../engine/steps';
import { pipefifo_fops, type Pipe } from '../../linux/fs/pipe';
import type { QIOChannelFDSource } from '../io/channel-watch';
import { qemu_chr_be_write } from './char';

/** Character devices whose host side is a file descriptor. */

/** One that is read from: here, a pipe. */
export interface Chardev {
  readonly pipe: Pipe;
  /** What the front end does with a byte. */
  readonly chr_read: Pointer<[byte: number], void>;
}

const FDChardevCells = struct(
  'FDChardev',
  'A character device on a file descriptor: how much has been written there, and whether it takes anything now.',
  {
    written: int(),
    /** The terminal is stopped, or the pipe full: a write says EAGAIN. */
    full: bool(),
  },
);

/** One that is written to: the terminal that QEMU was started in. */
export type FDChardev = InstanceOf<typeof FDChardevCells> & { readonly chr_write: Pointer<[chr: FDChardev, buf: string], number> };

const { fn, ops } = source('qemu', 'chardev/char-fd.c');

const fd_chr_read = fn('The host side can be read: fetches a byte, under the BQL, and hands it on.', function* fd_chr_read(chr: Chardev) {
  const byte = yield* through('syscall', 'qio_channel_read', pipefifo_fops.read_iter)(chr.pipe);
  yield* qemu_chr_be_write(chr, byte);
});

const fd_chr_update_read_handler = ops('fd_chr_update_read_handler', { fd_read: fd_chr_read });

/** Makes the device and the event source by which the main loop watches it. */
export function chardev(pipe: Pipe, chr_read: Chardev['chr_read']): QIOChannelFDSource {
  const chr: Chardev = { pipe, chr_read };
  const { target, registration } = fd_chr_update_read_handler.fd_read;
  return { fd: pipe, callback: { target: bound(target, () => chr), registration } };
}

const fd_chr_write = fn(
  'Writes to the file descriptor without waiting: it is non-blocking.',
  function* fd_chr_write(s: FDChardev, buf: string) {
    atCall('io_channel_send');
    if (s.full) return -1;
    s.written += buf.length;
    return buf.length;
  },
);

const char_fd_class_init = ops('char_fd_class_init', { chr_write: fd_chr_write });

/** Makes a character device for output. */
export const fd_chardev = (name: string): FDChardev => Object.assign(FDChardevCells(name), { chr_write: char_fd_class_init.chr_write });
