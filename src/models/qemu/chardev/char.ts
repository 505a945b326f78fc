import { source, through } from '../../../engine/fn';
import type { Chardev, FDChardev } from './char-fd';

/** Character devices, the two directions: what the host sends reaches a guest’s device, and what a guest writes goes out. */

const { fn } = source('qemu', 'chardev/char.c');

const qemu_chr_be_write_impl = fn(
  'Hands a byte to the front end: the emulated device.',
  function* qemu_chr_be_write_impl(s: Chardev, byte: number) {
    yield* through('function pointer', 'chr_read', s.chr_read)(byte);
  },
);

export const qemu_chr_be_write = fn('The back end has a byte.', function* qemu_chr_be_write(s: Chardev, byte: number) {
  yield* qemu_chr_be_write_impl(s, byte);
});

const qemu_chr_write_buffer = fn(
  'Writes what the backend takes now. With `write_all` it would insist; a console does not, because it is called with the BQL held.',
  function* qemu_chr_write_buffer(s: FDChardev, buf: string) {
    return yield* through('function pointer', 'chr_write', s.chr_write)(s, buf);
  },
);

export const qemu_chr_write = fn(
  'Writes to a character device. The result is how many bytes it took, or negative if it took none.',
  function* qemu_chr_write(s: FDChardev, buf: string) {
    return yield* qemu_chr_write_buffer(s, buf);
  },
);
