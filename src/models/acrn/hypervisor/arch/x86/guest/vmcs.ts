import { source } from '../../../../../../engine/fn';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';

/** The control structure of VT-x. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vmcs.c');

export const load_vmcs = fn('Makes a vCPU’s control structure the one that this CPU enters.', function* load_vmcs(vcpu: AcrnVcpu) {
  vcpu.pcpu.vmcs_run = vcpu.vcpu_id + 1;
});
