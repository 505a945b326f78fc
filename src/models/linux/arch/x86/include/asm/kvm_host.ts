import { source } from '../../../../../../engine/fn';

const { fn } = source('linux', 'arch/x86/include/asm/kvm_host.h');

export const __kvm_irq_line_state = fn(
  'Keeps one bit per source and says whether any source holds the line up.',
  function* __kvm_irq_line_state(before: number, irq_source_id: number, level: number) {
    return level ? before | (1 << irq_source_id) : before & ~(1 << irq_source_id);
  },
);
