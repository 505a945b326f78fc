import { source } from '../../../../../../engine/fn';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { vlapic_x2apic_write } from './vlapic';

/** The guest's model-specific registers. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vmsr.c');

export const wrmsr_vmexit_handler = fn(
  'The guest writes a model-specific register: here one of its local APIC, in x2APIC mode.',
  function* wrmsr_vmexit_handler(vcpu: AcrnVcpu) {
    const { exit } = vcpu.cpu;
    return exit?.reason === 'VMX_EXIT_REASON_WRMSR' ? yield* vlapic_x2apic_write(vcpu, exit.msr, exit.value, 0) : 0;
  },
);
