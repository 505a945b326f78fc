import { source } from '../../../../../../engine/fn';
import type { KvmVcpu } from '../../../../virt/kvm/kvm_types';
import { kvm_mmu_page_fault } from '../mmu/mmu';

const { fn } = source('linux', 'arch/x86/kvm/vmx/common.h');

export const __vmx_handle_ept_violation = fn(
  'Turns the exit qualification into a page fault’s error code.',
  function* __vmx_handle_ept_violation(vcpu: KvmVcpu) {
    return yield* kvm_mmu_page_fault(vcpu);
  },
);
