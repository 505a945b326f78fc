import { source } from '../../../../../engine/fn';
import type { KvmVcpu } from '../../../virt/kvm/kvm_types';
import { make_request } from './x86';

/** System management mode, as far as asking for it goes. */

const { fn } = source('linux', 'arch/x86/kvm/smm.h');

export const kvm_inject_smi = fn('Queues an SMI for a vCPU.', function* kvm_inject_smi(vcpu: KvmVcpu) {
  make_request(vcpu, 'KVM_REQ_SMI');
  return 0;
});
