/** Append-only columns of numbers: what keeps a journal of a million steps small. */

type NumberArray = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** A growable typed array. */
export interface Column {
  readonly length: number;
  /** The memory that it holds, in bytes. */
  readonly bytes: number;
  /** Appends a number, which the column's type must be able to hold. */
  push(value: number): void;
  /** The entry at `index`, from 0 to `length - 1`. */
  get(index: number): number;
}

const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;
const FIRST_PAGE = 16;

/**
 * Makes a column whose entries are of `type`. It grows by pages, so that nothing is ever copied in a long one; only the first page
 * begins small, because most columns stay short.
 */
export function column(type: new (length: number) => NumberArray): Column {
  let page = new type(FIRST_PAGE);
  const pages = [page];
  /** Entries of the last page. */
  let used = 0;

  function makeRoom(): void {
    if (page.length === PAGE) {
      page = new type(PAGE);
      pages.push(page);
      used = 0;
    } else {
      const larger = new type(page.length * 2);
      larger.set(page);
      pages[0] = page = larger;
    }
  }

  return {
    get length() {
      return (pages.length - 1) * PAGE + used;
    },
    get bytes() {
      return pages.reduce((sum, { byteLength }) => sum + byteLength, 0);
    },
    push(value) {
      if (used === page.length) makeRoom();
      page[used++] = value;
    },
    get: (index) => pages[index >>> PAGE_BITS]?.[index & (PAGE - 1)] ?? NaN,
  };
}
