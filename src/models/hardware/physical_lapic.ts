import { source } from '../../engine/fn';
import { signal } from '../../engine/steps';
import type { Pcpu } from '../acrn/hypervisor/include/arch/x86/asm/per_cpu';

/** The local APIC of a physical CPU under ACRN, as far as the hypervisor's own interrupts go. */

/** The hypervisor's vectors: one makes the CPU leave its guest, the other makes it take posted interrupts. */
export type IpiVector = 'NOTIFY_VCPU_VECTOR' | 'POSTED_INTR_VECTOR';

const { fn } = source('hardware', 'physical_lapic');

export const receive_ipi = fn(
  'An inter-processor interrupt reaches a physical CPU and waits in its local APIC until the CPU takes it.',
  function* receive_ipi(pcpu: Pcpu, vector: IpiVector) {
    if (!pcpu[`irr.${vector}`]) pcpu[`irr.${vector}`] = true;
    pcpu.interruptedAt = signal('msi', vector);
  },
);
