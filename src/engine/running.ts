import type { Machine } from './machine';

/**
 * The machine whose thread is executing right now: the models' `current`. It is set for exactly as long as the
 * scheduler resumes a thread (or sets a machine up), so two machines never see each other.
 */
let machine: Machine | undefined;

/** The running machine. Throws when called outside of one: model code makes sense only inside a run. */
export function running(): Machine {
  if (machine === undefined) throw new Error('model code was called outside of a run');
  return machine;
}

/** Runs `body` with `target` as the running machine. */
export function within<T>(target: Machine, body: () => T): T {
  const outer = machine;
  machine = target;
  try {
    return body();
  } finally {
    machine = outer;
  }
}
