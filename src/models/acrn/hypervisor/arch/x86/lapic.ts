import { architecturally, source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import { receive_ipi, type IpiVector } from '../../../../hardware/physical_lapic';
import type { Pcpu } from '../../include/arch/x86/asm/per_cpu';

/** The physical local APIC, as the hypervisor drives it. */

const { fn } = source('acrn', 'hypervisor/arch/x86/lapic.c');

export const send_single_ipi = fn(
  'Sends a vector to one physical CPU, through the ICR of the physical local APIC.',
  function* send_single_ipi(pcpu: Pcpu, vector: IpiVector) {
    at('MSR_IA32_EXT_APIC_ICR');
    yield* architecturally('msi', receive_ipi)(pcpu, vector);
  },
);

export const kick_pcpu = fn(
  'Makes a physical CPU leave its guest, so that its hypervisor looks at what is pending.',
  function* kick_pcpu(pcpu: Pcpu) {
    yield* send_single_ipi(pcpu, 'NOTIFY_VCPU_VECTOR');
  },
);
