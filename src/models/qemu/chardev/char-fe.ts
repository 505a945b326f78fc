import { source } from '../../../engine/fn';
import { at } from '../../../engine/steps';
import { qemu_chr_write } from './char';
import type { FDChardev } from './char-fd';

/** The frontend’s end of a character device: what a guest’s device holds. */
export interface CharBackend {
  /** Undefined while no character device is connected. */
  readonly chr: FDChardev | undefined;
}

const { fn } = source('qemu', 'chardev/char-fe.c');

export const qemu_chr_fe_backend_connected = fn(
  'Whether there is a character device behind.',
  function* qemu_chr_fe_backend_connected(be: CharBackend) {
    at('chr');
    return be.chr !== undefined;
  },
);

export const qemu_chr_fe_write = fn(
  'Writes to the character device behind, once: what it does not take is the caller’s business.',
  function* qemu_chr_fe_write(be: CharBackend, buf: string) {
    return be.chr === undefined ? 0 : yield* qemu_chr_write(be.chr, buf);
  },
);
