import { t } from '@vscode/l10n';
import { ArgumentError } from './attributes';

/** Numbers that stand for things that the client was shown at a stop. */
export interface Handles<T> {
  add(value: T): number;
  /** @throws ArgumentError for a number of an older stop than the last one, or of none */
  get(handle: number): T;
  /**
   * There is another stop. What was shown at the one before can still be asked for, as a client may do so before it has heard; what is older
   * is forgotten. Numbers are not given again.
   */
  renew(): void;
}

/** `what` is what they stand for, in words. */
export function createHandles<T>(what: string): Handles<T> {
  let values = new Map<number, T>();
  let before = new Map<number, T>();
  let last = 0;
  return {
    add(value) {
      values.set(++last, value);
      return last;
    },
    get(handle) {
      const value = values.get(handle) ?? before.get(handle);
      if (value === undefined) throw new ArgumentError(t('there is no {0} {1} at this step', what, handle));
      return value;
    },
    renew() {
      before = values;
      values = new Map();
    },
  };
}
