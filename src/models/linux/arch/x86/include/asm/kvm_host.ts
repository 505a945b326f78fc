import { source } from '../../../../../../engine/fn';
import { at } from '../../../../../../engine/steps';

const APIC_DM_FIXED = 0x000;
const APIC_DM_LOWEST = 0x100;

const { fn } = source('linux', 'arch/x86/include/asm/kvm_host.h');

export const __kvm_irq_line_state = fn(
  'Keeps one bit per source and says whether any source holds the line up.',
  function* __kvm_irq_line_state(before: number, irq_source_id: number, level: number) {
    return level ? before | (1 << irq_source_id) : before & ~(1 << irq_source_id);
  },
);

export const kvm_irq_is_postable = fn(
  'Only what a descriptor can hold can be posted: a plain vector, not an NMI, an SMI or the like.',
  function* kvm_irq_is_postable(irq: { readonly delivery_mode: number }) {
    at('delivery_mode');
    return irq.delivery_mode === APIC_DM_FIXED || irq.delivery_mode === APIC_DM_LOWEST;
  },
);
