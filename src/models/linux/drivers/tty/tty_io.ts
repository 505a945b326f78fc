import { int, struct, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source, through } from '../../../../engine/fn';
import type { PollTable } from '../../fs/eventfd';
import type { Pollable } from '../../include/linux/poll';
import type { WaitQueueHead } from '../../kernel/sched/wait';
import { n_tty_ops } from './n_tty';

/** A terminal: what somebody types, and what is shown. */

const TtyCells = struct('tty_struct', 'A terminal: characters that were typed and not read yet, and how many were shown.', {
  typed: int(),
  shown: int(),
});

export type TtyStruct = InstanceOf<typeof TtyCells> & { readonly read_wait: WaitQueueHead; readonly input: string[] };

/** Makes a terminal. */
export const tty_struct = (name: string): TtyStruct => Object.assign(TtyCells(name), { read_wait: [], input: [] });

const { fn, ops } = source('linux', 'drivers/tty/tty_io.c');

const tty_poll = fn('Asks the terminal’s line discipline.', function* tty_poll(tty: TtyStruct, wait: PollTable) {
  return yield* through('function pointer', 'poll', n_tty_ops.poll)(tty, wait);
});

const tty_fops = ops('tty_fops', { poll: tty_poll });

/** A terminal as a file. */
export const tty_file = (tty: TtyStruct): Pollable => ({ poll: boundPointer(tty_fops.poll, () => tty) });
