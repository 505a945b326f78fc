import { bound, source, through, type Pointer } from '../../../engine/fn';
import { pipefifo_fops, type Pipe } from '../../linux/fs/pipe';
import type { QIOChannelFDSource } from '../io/channel-watch';
import { qemu_chr_be_write } from './char';

/** A character device whose host side is a file descriptor: here, a pipe. */
export interface Chardev {
  readonly pipe: Pipe;
  /** What the front end does with a byte. */
  readonly chr_read: Pointer<[byte: number], void>;
}

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
