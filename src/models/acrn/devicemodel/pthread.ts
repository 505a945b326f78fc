import { int, struct, type InstanceOf } from '../../../engine/cell';
import { running } from '../../../engine/running';
import { atCall, until } from '../../../engine/steps';
import type { Run } from '../../../engine/machine';

/** POSIX threads, as the device model uses them: its locks may be taken again by their holder. */

const PthreadMutex = struct('pthread_mutex_t', 'A recursive lock: `owner` is the holder’s thread number plus one, 0 when free.', {
  owner: int(),
  count: int(),
});
export type PthreadMutex = InstanceOf<typeof PthreadMutex>;
export const pthread_mutex = PthreadMutex;

/** pthread_mutex_lock(), or the macro in the caller that stands for it. */
export function* pthread_mutex_lock(mutex: PthreadMutex, token = 'pthread_mutex_lock'): Run {
  const me = running().currentThread + 1;
  yield* until(() => mutex.owner === 0 || mutex.owner === me);
  atCall(token);
  if (mutex.owner === 0) mutex.owner = me;
  mutex.count += 1;
}

/** pthread_mutex_unlock(). */
export function pthread_mutex_unlock(mutex: PthreadMutex, token = 'pthread_mutex_unlock'): void {
  atCall(token);
  mutex.count -= 1;
  if (mutex.count === 0) mutex.owner = 0;
}
