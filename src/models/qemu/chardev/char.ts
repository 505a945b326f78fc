import { source, through } from '../../../engine/fn';
import type { Chardev } from './char-fd';

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
