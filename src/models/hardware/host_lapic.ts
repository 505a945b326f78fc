import { struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { signal } from '../../engine/steps';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import type { IrqDesc } from '../linux/kernel/irq/irqdesc';
import { IRR, vectorWords } from './registers/lapic';

/** The local APIC of a host CPU, as far as vectors that arrive from outside go. */

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const Cells = struct('host_lapic', 'The local APIC of a host CPU: the vectors that have arrived and wait.', vectorWords('APIC_IRR', IRR));

/** A host CPU's local APIC with what its vectors are for. */
export type HostLapic = InstanceOf<typeof Cells> & {
  /** `vector_irq`: the interrupt number behind each vector. */
  readonly vector_irq: Map<number, IrqDesc>;
  /** The vectors that the kernel keeps for itself, with their entries. */
  readonly system_vectors: ReadonlyMap<number, () => Run>;
  /** The steps that made the vectors arrive. */
  readonly raisedAt: Map<number, number>;
};

/** Makes a local APIC with the system vectors that matter. */
export const host_lapic = (name: string, system_vectors: HostLapic['system_vectors'] = new Map()): HostLapic =>
  Object.assign(Cells(name), { vector_irq: new Map<number, IrqDesc>(), system_vectors, raisedAt: new Map<number, number>() });

const { fn } = source('hardware', 'host_lapic');

const wordOf = (vector: number) => `APIC_IRR[${(vector >>> 5) as (typeof WORDS)[number]}]` as const;

export const receive_vector = fn(
  'A vector arrives at a host CPU. One that waits already is not counted twice.',
  function* receive_vector(lapic: HostLapic, vector: number) {
    lapic[wordOf(vector)] |= 1 << (vector & 31);
    lapic.raisedAt.set(vector, signal('hardirq', 'APIC_IRR'));
  },
);

/** The highest vector that waits, or -1. */
export function waiting_vector(lapic: HostLapic): number {
  for (const word of [7, 6, 5, 4, 3, 2, 1, 0] as const) {
    const held = lapic[`APIC_IRR[${word}]`];
    if (held !== 0) return word * 32 + 31 - Math.clz32(held);
  }
  return -1;
}

export const take_vector = fn(
  'The CPU takes a vector that waits, and goes where the interrupt descriptor table says.',
  function* take_vector(lapic: HostLapic, vector: number) {
    lapic[wordOf(vector)] &= ~(1 << (vector & 31));
    const system = lapic.system_vectors.get(vector);
    if (system !== undefined) yield* system();
    else yield* architecturally('hardirq', common_interrupt)(lapic.vector_irq.get(vector));
  },
);
