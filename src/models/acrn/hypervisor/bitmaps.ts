import { vectorWords } from '../../hardware/registers/lapic';

/** 256-bit sets of vectors, held as eight 32-bit words: what the hypervisor's bitmap functions work on. */

type Word = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
const WORDS: readonly Word[] = [7, 6, 5, 4, 3, 2, 1, 0];

/** A structure with such a set under `name`. */
export type Bitmap<N extends string> = { [K in `${N}[${Word}]`]: number };

/** The fields of a set, for a structure's definition. */
export const bitmap = vectorWords;

const wordOf = (bit: number): Word => ((bit & 0xff) >>> 5) as Word;

/** Whether a bit is set. */
export const bitmap_test = <N extends string>(of: Bitmap<N>, name: N, bit: number): boolean =>
  ((of[`${name}[${wordOf(bit)}]`] >>> (bit & 31)) & 1) === 1;

/** Sets a bit or clears it: one journaled write if it changes. The result is what it was. */
export function bitmap_assign<N extends string>(of: Bitmap<N>, name: N, bit: number, on: boolean): boolean {
  const was = bitmap_test(of, name, bit);
  const word = `${name}[${wordOf(bit)}]` as const;
  if (was !== on) of[word] = of[word] ^ (1 << (bit & 31));
  return was;
}

/** The highest set bit among those from 32 up, 0 if there is none: the vLAPIC never looks at its lowest word. */
export function highest_above_31<N extends string>(of: Bitmap<N>, name: N): number {
  for (const word of WORDS) {
    const held = of[`${name}[${word}]`];
    if (word > 0 && held !== 0) return word * 32 + 31 - Math.clz32(held);
  }
  return 0;
}
