/** A cell that C reaches by an index: an element of `irq_count[]`, a register in `config[]`. */
export interface Element {
  value: number;
}

/** Gives one cell of a structure to code that finds it by number. */
export function element<S, K extends keyof S>(instance: S & Record<K, number>, key: K): Element {
  return {
    get value(): number {
      return instance[key];
    },
    set value(value: number) {
      (instance as Record<K, number>)[key] = value;
    },
  };
}
