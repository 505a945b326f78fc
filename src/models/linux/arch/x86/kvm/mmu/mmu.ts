import { source } from '../../../../../../engine/fn';
import type { KvmVcpu } from '../../../../virt/kvm/kvm_types';
import { x86_emulate_instruction } from '../x86';

const { fn } = source('linux', 'arch/x86/kvm/mmu/mmu.c');

export const kvm_mmu_page_fault = fn(
  'The guest touched an address that is not mapped: there is no memory behind it, so the instruction is emulated.',
  function* kvm_mmu_page_fault(vcpu: KvmVcpu) {
    return yield* x86_emulate_instruction(vcpu);
  },
);
