import { source } from '../../engine/fn';
import { EPOLLIN, wake_up_poll } from '../linux/kernel/sched/wait';
import type { TtyStruct } from '../linux/drivers/tty/tty_io';
import type { FDChardev } from '../qemu/chardev/char-fd';

/** Somebody at a terminal of the host. */

const { fn } = source('hardware', 'terminal');

export const type_characters = fn('Somebody types.', function* type_characters(tty: TtyStruct, text: string) {
  tty.input.push(text);
  tty.typed += text.length;
  yield* wake_up_poll(tty.read_wait, EPOLLIN);
});

export const stop_output = fn(
  'Somebody presses Ctrl-S, or Ctrl-Q: the terminal takes nothing more, or goes on.',
  function* stop_output(chr: FDChardev, stopped: boolean) {
    chr.full = stopped;
  },
);
