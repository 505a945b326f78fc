/** Append-only tables of numbers, held in columns: what keeps a journal of a million steps small. */

interface NumberArrays {
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly float64: Float64Array;
}

/** What a column can hold. */
type ColumnType = keyof NumberArrays;

/** So many consecutive rows of a table, column by column. */
type Page<T extends Readonly<Record<string, ColumnType>>> = { readonly [K in keyof T]: NumberArrays[T[K]] };

/** A table that grows by pages, so that nothing is ever copied. A row is `slot(row)` of each column of its page. */
export interface Table<T extends Readonly<Record<string, ColumnType>>> {
  readonly length: number;
  /** The memory that it holds, in bytes. */
  readonly bytes: number;
  /** Adds a row, all zero, and gives its page. */
  append(): Page<T>;
  /** @throws RangeError if there is no such row */
  page(row: number): Page<T>;
}

const PAGE_BITS = 12;
const PAGE_ROWS = 1 << PAGE_BITS;

/** Where a row stands on its page. */
export const slot = (row: number): number => row & (PAGE_ROWS - 1);

/** Makes an empty table. A number that its column cannot hold is cut off without a word: whoever appends chooses types that are wide enough. */
export function table<const T extends Readonly<Record<string, ColumnType>>>(types: T): Table<T> {
  const makers = Object.entries(types).map(([name, type]) => [name, MAKERS[type]] as const);
  const bytesOfPage = makers.reduce((sum, [, make]) => sum + make().byteLength, 0);
  const pages: Page<T>[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    get bytes() {
      return pages.length * bytesOfPage;
    },
    append() {
      if (slot(length) === 0) pages.push(Object.fromEntries(makers.map(([name, make]) => [name, make()])) as unknown as Page<T>);
      return pages[length++ >>> PAGE_BITS]!;
    },
    page(row) {
      const page = pages[row >>> PAGE_BITS];
      if (page === undefined) throw new RangeError(`there is no row ${row}: the table has ${length}`);
      return page;
    },
  };
}

const MAKERS: { readonly [K in ColumnType]: () => NumberArrays[K] } = {
  uint8: () => new Uint8Array(PAGE_ROWS),
  uint16: () => new Uint16Array(PAGE_ROWS),
  uint32: () => new Uint32Array(PAGE_ROWS),
  float64: () => new Float64Array(PAGE_ROWS),
};
