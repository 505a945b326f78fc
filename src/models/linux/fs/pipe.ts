import { int, struct, type InstanceOf } from '../../../engine/cell';
import { boundPointer, source, via, type Pointer } from '../../../engine/fn';
import { at } from '../../../engine/steps';
import { poll_wait } from '../include/linux/poll';
import { __wake_up_sync_key, EPOLLIN, type WaitQueueHead } from '../kernel/sched/wait';
import type { PollTable } from './eventfd';

/** Pipes, as far as one byte after the other goes through. */

const PipeCells = struct('pipe_inode_info', 'A pipe: how many bytes went in, and how many came out.', { head: int(), tail: int() });

export type Pipe = InstanceOf<typeof PipeCells> & {
  readonly rd_wait: WaitQueueHead;
  readonly bytes: number[];
  readonly poll: Pointer<[wait: PollTable], number>;
};

/** Makes a pipe. */
export function pipe_inode_info(name: string): Pipe {
  const pipe: Pipe = Object.assign(PipeCells(name), { rd_wait: [], bytes: [], poll: boundPointer(pipefifo_fops.poll, () => pipe) });
  return pipe;
}

const { fn, ops } = source('linux', 'fs/pipe.c');

const pipe_poll = fn(
  'Offers the readers’ wait queue to the poller and says whether there is something to read.',
  function* pipe_poll(pipe: Pipe, wait: PollTable) {
    yield* poll_wait(pipe.rd_wait, wait);
    at('head');
    return pipe.head !== pipe.tail ? EPOLLIN : 0;
  },
);

export const pipe_read = fn('read(2) of one byte.', function* pipe_read(pipe: Pipe) {
  pipe.tail += 1;
  return pipe.bytes.shift() ?? 0;
});

export const pipe_write = fn('write(2) of one byte: wakes a reader that waits for it.', function* pipe_write(pipe: Pipe, byte: number) {
  pipe.bytes.push(byte);
  pipe.head += 1;
  yield* via('wake_up_interruptible_sync_poll', __wake_up_sync_key)(pipe.rd_wait, EPOLLIN);
});

export const pipefifo_fops = ops('pipefifo_fops', { poll: pipe_poll, write_iter: pipe_write, read_iter: pipe_read });
