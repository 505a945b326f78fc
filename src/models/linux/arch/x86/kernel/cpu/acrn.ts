import { int, struct, type InstanceOf } from '../../../../../../engine/cell';
import { source, through, type Pointer } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import { at, atCall } from '../../../../../../engine/steps';
import type { Hsm } from '../../../../drivers/virt/acrn/acrn_drv';
import { since } from '../../../../../version';

/** Linux under ACRN: the vector by which the hypervisor calls up. */

export const HYPERVISOR_CALLBACK_VECTOR = 0xf3;

const IrqStat = struct('irq_cpustat_t', 'Interrupts that a CPU of the Service VM has counted.', { irq_hv_callback_count: int() });
export type IrqStat = InstanceOf<typeof IrqStat>;
export const irq_stat = IrqStat;

const { fn } = source('linux', 'arch/x86/kernel/cpu/acrn.c');

export const sysvec_acrn_hv_callback = fn(
  'The entry of the upcall’s vector. The EOI comes first: until then the local APIC would hold back every vector of lower priority.',
  function* sysvec_acrn_hv_callback(hsm: Hsm, stat: IrqStat, eoi: () => Run) {
    atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
    yield* eoi();
    stat.irq_hv_callback_count += 1;
    if (hsm.acrn_intr_handler !== undefined) yield* through('function pointer', 'acrn_intr_handler', hsm.acrn_intr_handler)();
  },
);

export const acrn_setup_intr_handler = fn(
  'Says who shall hear of upcalls.',
  function* acrn_setup_intr_handler(hsm: Hsm, handler: Pointer<[], void>) {
    at('acrn_intr_handler');
    hsm.acrn_intr_handler = handler;
  },
);
