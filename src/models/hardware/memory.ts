import { source } from '../../engine/fn';

/** Memory. Accesses reach it without anybody’s help; what it holds is not modelled. */

const { fn, ops } = source('hardware', 'memory');

const read_memory = fn('A load from memory.', function* read_memory(_addr: number, _size: number) {
  return 0;
});

const write_memory = fn('A store to memory.', function* write_memory(_addr: number, _data: number, _size: number) {});

export const memory = ops('memory', { read: read_memory, write: write_memory });
