import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import { handle_fasteoi_irq } from '../../../../kernel/irq/chip';
import type { IrqDesc } from '../../../../kernel/irq/irqdesc';
import { since } from '../../../../../version';

/** How Linux drives an I/O APIC: of the host behind interrupt remapping, and of the guest without it. */

const { fn, ops } = source('linux', 'arch/x86/kernel/apic/io_apic.c');

const mask_ioapic_irq = fn('Sets the mask bit of the pin’s redirection entry.', function* mask_ioapic_irq(desc: IrqDesc) {
  atCall('io_apic_modify_irq');
  yield* desc.pin.mask();
});

const unmask_ioapic_irq = fn('Clears the mask bit of the pin’s redirection entry.', function* unmask_ioapic_irq(desc: IrqDesc) {
  atCall('__unmask_ioapic');
  yield* desc.pin.unmask();
});

const ioapic_ack_level = fn(
  'Ends a level-triggered interrupt: the EOI of the local APIC, which is broadcast to the I/O APIC that holds it.',
  function* ioapic_ack_level(desc: IrqDesc) {
    atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
    yield* desc.pin.eoi();
  },
);

const ioapic_ir_ack_level = fn(
  'Ends a level-triggered interrupt behind interrupt remapping: EOI at the local APIC, and at the pin itself.',
  function* ioapic_ir_ack_level(desc: IrqDesc) {
    atCall('apic_ack_irq');
    atCall('eoi_ioapic_pin');
    yield* desc.pin.eoi();
  },
);

export const ioapic_chip = ops('ioapic_chip', {
  irq_mask: mask_ioapic_irq,
  irq_unmask: unmask_ioapic_irq,
  irq_eoi: ioapic_ack_level,
});

export const ioapic_ir_chip = ops('ioapic_ir_chip', {
  irq_mask: mask_ioapic_irq,
  irq_unmask: unmask_ioapic_irq,
  irq_eoi: ioapic_ir_ack_level,
});

/** Where a pin’s flow handler is chosen when it is set up. */
export const mp_register_handler = ops('mp_register_handler', { handle_irq: handle_fasteoi_irq });
