/** Append-only columns of numbers: what keeps a journal of a million steps small. */

type NumberArray = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** A growable typed array. Reading past the end is a programming error and gives `undefined`'s arithmetic twin, NaN. */
export interface Column {
  readonly length: number;
  push(value: number): void;
  get(index: number): number;
}

/** Makes a column whose entries are of `type`; it doubles as it grows. */
export function column(type: new (length: number) => NumberArray): Column {
  let data = new type(1024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(value) {
      if (length === data.length) {
        const grown = new type(length * 2);
        grown.set(data);
        data = grown;
      }
      data[length++] = value;
    },
    get: (index) => data[index] ?? NaN,
  };
}
