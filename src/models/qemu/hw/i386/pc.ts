import { addressOf, bound, source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import type { Board } from '../../board';
import { kvm_ioapic_in_kernel, kvm_pic_in_kernel } from '../../include/sysemu/kvm';
import type { KVMState } from '../../include/sysemu/kvm_int';
import { withOpaque } from '../../opaque';
import { qemu_allocate_irqs, type IRQState } from '../core/irq';
import type { IOAPICCommonState } from '../../include/hw/i386/ioapic_internal';
import { i8259_init } from '../intc/i8259';
import { ioapic_inputs } from '../intc/ioapic';
import type { ISABus } from '../isa/isa-bus';
import { kvm_i8259_init, kvm_pic_inputs } from './kvm/i8259';
import { kvm_ioapic_inputs, kvm_pc_setup_irq_routing } from './kvm/ioapic';
import { gsi_handler, ISA_NUM_IRQS, x86_allocate_cpu_irq, type GSIState } from './x86';

/** The interrupt part of a PC's board: GSIs, and what is behind them. */

const IOAPIC_NUM_PINS = 24;
const GSI_NUM_PINS = IOAPIC_NUM_PINS;

const { fn, ops } = source('qemu', 'hw/i386/pc.c');

export const pc_gsi_create = fn(
  'Makes the board’s GSIs: one function behind all of them, which knows which chips each leads to. With the chips in the kernel, the kernel is told the same.',
  function* pc_gsi_create(board: Board, pci_enabled: boolean) {
    const s: GSIState = { i8259_irq: [], ioapic_irq: [] };
    atCall('kvm_ioapic_in_kernel');
    if (kvm_ioapic_in_kernel(board)) yield* kvm_pc_setup_irq_routing(board.kvm_state!, pci_enabled);
    const irqs = yield* qemu_allocate_irqs(addressOf(bound(gsi_handler, () => s)), GSI_NUM_PINS);
    return { s, irqs };
  },
);

export const pc_i8259_create = fn(
  'Makes the 8259 pair, in QEMU or as a front for the kernel’s, and connects its inputs to the GSIs below 16.',
  function* pc_i8259_create(board: Board, isa_bus: ISABus, { i8259_irq }: GSIState) {
    atCall('kvm_pic_in_kernel');
    const i8259 = kvm_pic_in_kernel(board)
      ? yield* kvm_i8259_init(board.kvm_state!, isa_bus)
      : yield* i8259_init(board, isa_bus, yield* x86_allocate_cpu_irq(board));
    at('i8259_irqs');
    for (let i = 0; i < ISA_NUM_IRQS; i++) i8259_irq[i] = i8259[i];
  },
);

/** What pc_gsi_create() puts behind the board's GSIs. */
const gsi_lines = ops('pc_gsi_create', { handler: gsi_handler });

/** The GSIs of a board that was made before the run begins, wired to interrupt chips in the kernel, or from the I/O APIC on to QEMU's own if one is given. */
export function gsis(s: KVMState, ioapic?: IOAPICCommonState): readonly IRQState[] {
  const lines = (count: number, handler: IRQState['handler']): IRQState[] => Array.from({ length: count }, (_, n) => ({ handler, n }));
  const state: GSIState = {
    i8259_irq: ioapic
      ? []
      : lines(
          ISA_NUM_IRQS,
          withOpaque(kvm_pic_inputs.handler, () => s),
        ),
    ioapic_irq: lines(
      IOAPIC_NUM_PINS,
      ioapic ? withOpaque(ioapic_inputs.handler, () => ioapic) : withOpaque(kvm_ioapic_inputs.handler, () => s),
    ),
  };
  return lines(
    IOAPIC_NUM_PINS,
    withOpaque(gsi_lines.handler, () => state),
  );
}
