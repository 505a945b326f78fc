import { source } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import type { Hypercall } from '../../../../../acrn/hypervisor/include/public/acrn_hv_defs';

/** How a VM calls its hypervisor: the VMCALL instruction, which leaves the guest. The result comes back in RAX. */
export type Vmcall = (call: Hypercall) => Run<number>;

const { fn } = source('linux', 'arch/x86/include/asm/acrn.h');

export const acrn_hypercall1 = fn('VMCALL with one parameter.', function* acrn_hypercall1(vmcall: Vmcall, call: Hypercall) {
  return yield* vmcall(call);
});

export const acrn_hypercall2 = fn('VMCALL with two parameters.', function* acrn_hypercall2(vmcall: Vmcall, call: Hypercall) {
  return yield* vmcall(call);
});
