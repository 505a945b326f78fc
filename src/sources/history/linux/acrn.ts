import type { Fact, History } from '../../history';
import { before } from '../backports';

const NO_SERVICE: readonly Fact[] = [
  { until: '5.12', nowhere: 'Linux could be a guest of ACRN, but until 5.12 had no driver with which it serves other guests' },
];

/** `drivers/virt/acrn`, and what `arch/x86` has of ACRN. */
export const acrn: History['files'] = {
  'arch/x86/include/asm/acrn.h': { '*': NO_SERVICE },
  'arch/x86/kernel/cpu/acrn.c': {
    acrn_setup_intr_handler: NO_SERVICE,
    'sysvec_acrn_hv_callback write irq_hv_callback_count': [{ since: '7.3', anchor: 'name HYPERVISOR_CALLBACK' }],
  },
  'drivers/virt/acrn/hsm.c': { '*': NO_SERVICE },
  'drivers/virt/acrn/hypercall.h': { '*': NO_SERVICE },
  'drivers/virt/acrn/ioeventfd.c': { '*': NO_SERVICE },
  'drivers/virt/acrn/ioreq.c': {
    '*': NO_SERVICE,
    acrn_in_range: [...NO_SERVICE, ...before('6.6', ['6.1'], { symbol: 'in_range' })],
    ioreq_intr_handler: [
      {
        until: '5.12',
        path: 'arch/x86/kernel/cpu/acrn.c',
        symbol: 'sysvec_acrn_hv_callback',
        anchor: 'name acrn_intr_handler',
        absent: 'until 5.12 the vector of the hypervisor’s callback was taken, but nobody set a handler',
      },
    ],
  },
  'drivers/virt/acrn/irqfd.c': { '*': NO_SERVICE },
  'drivers/virt/acrn/vm.c': { '*': NO_SERVICE },
};
