import { source } from '../../../../engine/fn';
import { withOpaque } from '../../opaque';
import type { KVMState } from '../../include/sysemu/kvm_int';
import type { IRQState } from '../core/irq';
import { kvm_i8259_init } from './kvm/i8259';
import { kvm_ioapic_realize } from './kvm/ioapic';
import { gsi_handler, ISA_NUM_IRQS, type GSIState } from './x86';

const IOAPIC_NUM_PINS = 24;

const { ops } = source('qemu', 'hw/i386/pc.c');

/** What pc_gsi_create() puts behind the board's GSIs. */
const pc_gsi_create = ops('pc_gsi_create', { handler: gsi_handler });

/** The board's GSIs, wired to interrupt chips in the kernel. */
export function gsis(s: KVMState): readonly IRQState[] {
  const lines = (count: number, handler: IRQState['handler']): IRQState[] => Array.from({ length: count }, (_, n) => ({ handler, n }));
  const state: GSIState = {
    i8259_irq: lines(
      ISA_NUM_IRQS,
      withOpaque(kvm_i8259_init.handler, () => s),
    ),
    ioapic_irq: lines(
      IOAPIC_NUM_PINS,
      withOpaque(kvm_ioapic_realize.handler, () => s),
    ),
  };
  return lines(
    IOAPIC_NUM_PINS,
    withOpaque(pc_gsi_create.handler, () => state),
  );
}
