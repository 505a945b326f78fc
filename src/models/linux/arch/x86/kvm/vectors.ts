import type { KvmLapic } from './lapic_state';

/** 256-bit registers of a local APIC, held as eight words. */

export type VectorRegister = 'APIC_IRR' | 'APIC_ISR' | 'APIC_TMR';
type Word = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
const WORDS: readonly Word[] = [7, 6, 5, 4, 3, 2, 1, 0];

/** Whether a vector's bit is set. */
export const testVector = (apic: KvmLapic, register: VectorRegister, vector: number): boolean =>
  ((apic[`${register}[${(vector >>> 5) as Word}]`] >>> (vector & 31)) & 1) === 1;

/** Sets or clears a vector's bit: one journaled write. */
export function setVector(apic: KvmLapic, register: VectorRegister, vector: number, on: boolean): void {
  const word = `${register}[${(vector >>> 5) as Word}]` as const;
  const bit = 1 << (vector & 31);
  apic[word] = on ? apic[word] | bit : apic[word] & ~bit;
}

/** The highest vector whose bit is set, or -1. */
export function highestVector(apic: KvmLapic, register: VectorRegister): number {
  for (const word of WORDS) {
    const held = apic[`${register}[${word}]`];
    if (held !== 0) return word * 32 + 31 - Math.clz32(held);
  }
  return -1;
}

/** How many vectors have their bit set. */
export const countVectors = (apic: KvmLapic, register: VectorRegister): number =>
  [...Array(256).keys()].filter((vector) => testVector(apic, register, vector)).length;
