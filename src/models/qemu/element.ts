import type { Instance } from '../../engine/cell';

/** A cell that C reaches by an index: an element of `irq_count[]`, a register in `config[]`. */
export interface Element {
  value: number;
}

/**
 * Gives one cell of a structure to code that finds it by number.
 * @param wmask the bits that a write changes: all of them unless given
 */
export function element<K extends string>(instance: Record<K, number>, key: K, wmask = 0xffffffff): Element {
  return {
    get value(): number {
      return instance[key];
    },
    set value(value: number) {
      instance[key] = ((instance[key] & ~wmask) | (value & wmask)) >>> 0;
    },
  };
}

/** The cells of an array whose fields were made by a loop, in its order: `name` gives the cell of each element. */
export const elements = (instance: Instance, count: number, name: (index: number) => string): readonly Element[] =>
  Array.from({ length: count }, (_, index) => element(instance as Instance & Record<string, number>, name(index)));
