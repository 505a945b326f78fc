import { ArgumentError } from './arguments';

/** Numbers that stand for things while the debugger is stopped. */
export interface Handles<T> {
  add(value: T): number;
  /** @throws ArgumentError for a number of an earlier stop, or of none */
  get(handle: number): T;
  /** Forgets all; their numbers are not given again. */
  clear(): void;
}

/** `what` is what they stand for, in words. */
export function createHandles<T>(what: string): Handles<T> {
  const values = new Map<number, T>();
  let last = 0;
  return {
    add(value) {
      values.set(++last, value);
      return last;
    },
    get(handle) {
      const value = values.get(handle);
      if (value === undefined) throw new ArgumentError(`there is no ${what} ${handle} at this step`);
      return value;
    },
    clear: () => values.clear(),
  };
}
