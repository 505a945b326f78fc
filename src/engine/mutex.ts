import { int, struct, type InstanceOf } from './cell';
import type { Run } from './machine';
import { atCall, until } from './steps';
import { running } from './running';

/** A lock that a thread sleeps on. `owner` is the holder's thread number plus one, 0 when free. */
export const Mutex = struct('mutex', 'A lock that a thread sleeps on while another one holds it.', { owner: int() });
export type Mutex = InstanceOf<typeof Mutex>;

/** Takes a mutex, waiting for its holder. `token` is the identifier in the caller that does it. */
export function* acquire(mutex: Mutex, token: string): Run {
  const me = running().currentThread + 1;
  yield* until(() => mutex.owner === 0);
  atCall(token);
  mutex.owner = me;
}

/** Gives a mutex back. */
export function release(mutex: Mutex, token: string): void {
  atCall(token);
  mutex.owner = 0;
}
