import { COMPONENT, type Instance } from '../../engine/cell';
import { running } from '../../engine/running';

/** A cell that C reaches by an index: an element of `irq_count[]`, a register in `config[]`. */
export interface Element {
  value: number;
}

/**
 * Gives one cell of a structure to code that finds it by number.
 * @param wmask the bits that a write changes: all of them unless given
 */
export function element<K extends string>(instance: Record<K, number> & Instance, key: K, wmask = 0xffffffff): Element {
  const fields: Record<K, number> = instance;
  const machine = running();
  // Found once: reading a property whose name is not the same every time takes longer than all else that is done with it.
  const { id } = instance[COMPONENT].cells.find(({ name }) => name === key)!;
  return {
    get value(): number {
      return machine.peek(id);
    },
    set value(value: number) {
      fields[key] = ((machine.peek(id) & ~wmask) | (value & wmask)) >>> 0;
    },
  };
}

/** The cells of an array whose fields were made by a loop, in its order: `name` gives the cell of each element. */
export const elements = (instance: Instance, count: number, name: (index: number) => string): readonly Element[] =>
  Array.from({ length: count }, (_, index) => element(instance as Instance & Record<string, number>, name(index)));
