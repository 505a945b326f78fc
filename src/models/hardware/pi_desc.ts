import { bool, int, means, oneOf, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import * as lapic_registers from './registers/lapic';

/** The posted-interrupt descriptor: how vectors reach a virtual CPU without its hypervisor, from devices and from other CPUs. */

export const POSTED_INTR_WAKEUP_VECTOR = 0xf1;
export const POSTED_INTR_VECTOR = 0xf2;

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const PiDescCells = struct(
  'pi_desc',
  'The posted-interrupt descriptor: vectors that wait to be taken into the virtual APIC (pir), whether a notification is outstanding (on) or none is wanted (sn), and which vector notifies which CPU (nv, ndst).',
  {
    on: means(lapic_registers.ON, bool()),
    sn: means(lapic_registers.SN, bool()),
    nv: means(lapic_registers.NV, oneOf({ POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR }, POSTED_INTR_VECTOR)),
    ndst: means(lapic_registers.NDST, int()),
    ...lapic_registers.vectorWords('pir', lapic_registers.PIR),
  },
);

export type PiDesc = InstanceOf<typeof PiDescCells> & {
  /** Sends a notification vector to the CPU that ndst names. */
  notify: (nv: number) => Run;
};

/** Makes the descriptor of a virtual CPU. */
export const pi_desc = (name: string): PiDesc => Object.assign(PiDescCells(name), { notify: function* () {} });

const wordOf = (vector: number) => `pir[${(vector >>> 5) as (typeof WORDS)[number]}]` as const;

/** Whether a vector is posted. */
export const pir_test = (pi: PiDesc, vector: number): boolean => ((pi[wordOf(vector)] >>> (vector & 31)) & 1) === 1;

/** Posts a vector: one write. */
export function pir_set(pi: PiDesc, vector: number): void {
  pi[wordOf(vector)] |= 1 << (vector & 31);
}

/** Whether no vector is posted. */
export const pir_empty = (pi: PiDesc): boolean => WORDS.every((word) => pi[`pir[${word}]`] === 0);

/** Takes the posted vectors of each word that has any. */
export function pir_drain(pi: PiDesc, take: (word: (typeof WORDS)[number], posted: number) => void): void {
  for (const word of WORDS) {
    const posted = pi[`pir[${word}]`];
    if (posted === 0) continue;
    pi[`pir[${word}]`] = 0;
    take(word, posted);
  }
}

const { fn } = source('hardware', 'pi_desc');

export const post_by_hardware = fn(
  'The IOMMU posts a vector by itself: the bit in PIR, and a notification unless one is outstanding (ON) or none is wanted (SN). No instruction is executed anywhere.',
  function* post_by_hardware(pi: PiDesc, vector: number) {
    pir_set(pi, vector);
    if (pi.on || pi.sn) return;
    pi.on = true;
    yield* pi.notify(pi.nv);
  },
);
