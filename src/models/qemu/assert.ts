import type { Run } from '../../engine/machine';
import { atCall, until } from '../../engine/steps';

/**
 * assert(): where the condition does not hold, the process is aborted. Nobody in it goes on: not this thread, which keeps the
 * BQL, and so none of the others.
 * @param why what that means, for the reader
 */
export function* qemu_assert(condition: boolean, why: string): Run {
  atCall('assert', condition ? undefined : why);
  if (!condition) yield* until(() => false);
}
