import { source } from '../../engine/fn';
import { EPOLLIN, wake_up_poll } from '../linux/kernel/sched/wait';
import type { TtyStruct } from '../linux/drivers/tty/tty_io';

/** Somebody at a terminal of the host. */

const { fn } = source('hardware', 'terminal');

export const type_characters = fn('Somebody types.', function* type_characters(tty: TtyStruct, text: string) {
  tty.input.push(text);
  tty.typed += text.length;
  yield* wake_up_poll(tty.read_wait, EPOLLIN);
});
