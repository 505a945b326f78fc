import { source, through, type Pointer } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { generic_handle_irq_desc } from '../../../include/linux/irqdesc';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import { since } from '../../../../version';

/** Where an interrupt vector enters Linux: of the host, and of the guest. */

const { fn } = source('linux', 'arch/x86/kernel/irq.c');

const handle_irq = fn('Hands the interrupt to its descriptor.', function* handle_irq(desc: IrqDesc) {
  yield* generic_handle_irq_desc(desc);
});

const reevaluate_vector = fn(
  'Looks the vector up once more under the lock: request_irq() may just be installing it. Until 6.12 nobody looked twice, and the new owner’s vector could be marked unused.',
  function* reevaluate_vector(desc: IrqDesc | undefined) {
    at('VECTOR_UNUSED');
    return desc;
  },
);

const call_irq_handler = fn(
  'Looks the vector up on this CPU and handles its interrupt. False if it is nobody’s.',
  function* call_irq_handler(desc: IrqDesc | undefined) {
    const found = desc ?? (yield* reevaluate_vector(desc));
    if (found === undefined) return false;
    yield* handle_irq(found);
    return true;
  },
);

export const common_interrupt = fn(
  'The entry of every device vector: finds the descriptor that the vector is assigned to on this CPU. A vector that is nobody’s (any more) is acknowledged, and its interrupt lost.',
  function* common_interrupt(desc: IrqDesc | undefined) {
    if (since('linux', '6.10')) {
      if (!(yield* call_irq_handler(desc))) atCall('apic_eoi');
    } else if (desc !== undefined) {
      yield* handle_irq(desc);
    } else {
      atCall('ack_APIC_irq');
    }
  },
);

export const sysvec_kvm_posted_intr_ipi = fn(
  'A notification found no guest running on this CPU. There is nothing to do: what was posted is taken at the next entry.',
  function* sysvec_kvm_posted_intr_ipi() {
    atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
  },
);

export const sysvec_kvm_posted_intr_wakeup_ipi = fn(
  'A notification for a vCPU that sleeps: KVM finds out which.',
  function* sysvec_kvm_posted_intr_wakeup_ipi(kvm_posted_intr_wakeup_handler: Pointer<[], void>) {
    atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
    yield* through('function pointer', 'kvm_posted_intr_wakeup_handler', kvm_posted_intr_wakeup_handler)();
  },
);
