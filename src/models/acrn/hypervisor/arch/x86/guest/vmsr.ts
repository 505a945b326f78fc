import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { vlapic_set_apicbase, vlapic_x2apic_read, vlapic_x2apic_write } from './vlapic';

/** The guest's model-specific registers. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vmsr.c');

const MSR_IA32_APIC_BASE = 0x1b;

export const rdmsr_vmexit_handler = fn(
  'The guest reads a model-specific register: here one of its local APIC, in x2APIC mode.',
  function* rdmsr_vmexit_handler(vcpu: AcrnVcpu) {
    const { cpu } = vcpu;
    if (cpu.exit?.reason !== 'VMX_EXIT_REASON_RDMSR') return 0;
    const value = yield* vlapic_x2apic_read(vcpu, cpu.exit.msr);
    if (value < 0) return value;
    atCall('vcpu_set_gpreg');
    cpu.RAX = value;
    return 0;
  },
);

export const wrmsr_vmexit_handler = fn(
  'The guest writes a model-specific register: here one of its local APIC, in x2APIC mode.',
  function* wrmsr_vmexit_handler(vcpu: AcrnVcpu) {
    const { exit } = vcpu.cpu;
    if (exit?.reason !== 'VMX_EXIT_REASON_WRMSR') return 0;
    if (exit.msr === MSR_IA32_APIC_BASE) return yield* vlapic_set_apicbase(vcpu, exit.value);
    return yield* vlapic_x2apic_write(vcpu, exit.msr, exit.value, 0);
  },
);
