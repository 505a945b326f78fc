import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { PollTable } from '../../fs/eventfd';
import { poll_wait } from '../../include/linux/poll';
import { EPOLLIN } from '../../kernel/sched/wait';
import type { TtyStruct } from './tty_io';

/** The default line discipline. */

const { fn, ops } = source('linux', 'drivers/tty/n_tty.c');

const n_tty_poll = fn('Whether somebody has typed.', function* n_tty_poll(tty: TtyStruct, wait: PollTable) {
  yield* poll_wait(tty.read_wait, wait);
  atCall('input_available_p');
  return tty.typed > 0 ? EPOLLIN : 0;
});

export const n_tty_ops = ops('n_tty_ops', { poll: n_tty_poll });
