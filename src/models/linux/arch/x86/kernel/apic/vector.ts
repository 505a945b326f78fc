import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import type { IrqDesc } from '../../../../kernel/irq/irqdesc';
import { since } from '../../../../../version';

/** CPU vectors as an interrupt domain: what stands behind every message and every pin. */

const { fn, ops } = source('linux', 'arch/x86/kernel/apic/vector.c');

const apic_ack_irq = fn('Ends the interrupt at the local APIC.', function* apic_ack_irq(desc: IrqDesc) {
  atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
  yield* desc.pin.eoi();
});

const apic_ack_edge = fn(
  'Acknowledges an edge: first lets go of the vector on a CPU that the interrupt has moved away from.',
  function* apic_ack_edge(desc: IrqDesc) {
    atCall('irq_complete_move');
    yield* apic_ack_irq(desc);
  },
);

export const lapic_controller = ops('lapic_controller', { irq_ack: apic_ack_edge });
