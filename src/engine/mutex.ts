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

/** The identifiers with which C takes a lock and gives it back. */
export type LockTokens = readonly [take: string, give: string];
export const MUTEX: LockTokens = ['mutex_lock', 'mutex_unlock'];
export const RWSEM_WRITE: LockTokens = ['down_write', 'up_write'];
export const RWSEM_READ: LockTokens = ['down_read', 'up_read'];

/** Executes `body` while holding a lock, whichever way it returns. */
export function* holding<R>(mutex: Mutex, [take, give]: LockTokens, body: () => Run<R>): Run<R> {
  yield* acquire(mutex, take);
  const result = yield* body();
  release(mutex, give);
  return result;
}
