import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import type { IrqDesc } from '../../../../kernel/irq/irqdesc';
import type { Kvm } from '../../../../virt/kvm/kvm_types';
import { kvm_arch_has_assigned_device } from '../x86';

/** AMD’s virtual interrupt controller, which the modelled CPU does not have. */

const { fn } = source('linux', 'arch/x86/kvm/svm/avic.c');

export const avic_pi_update_irte = fn(
  'AMD’s counterpart of posting. Without AVIC and an IOMMU in guest mode there is nothing to do: the interrupt keeps going to the host.',
  function* avic_pi_update_irte(kvm: Kvm, _host_irq: IrqDesc, _guest_irq: number, _set: boolean) {
    yield* kvm_arch_has_assigned_device(kvm);
    atCall('irq_remapping_cap');
    return 0;
  },
);
