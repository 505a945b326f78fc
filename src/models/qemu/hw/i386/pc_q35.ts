import { source } from '../../../../engine/fn';
import { ich9_lpc_map_irq, ich9_lpc_set_irq, ich9_route_intx_pin_to_irq } from '../isa/lpc_ich9';

const { ops } = source('qemu', 'hw/i386/pc_q35.c');

/** How pc_q35_init() wires the PCI bus to the ICH9. */
export const pc_q35_init = ops('pc_q35_init', {
  set_irq: ich9_lpc_set_irq,
  map_irq: ich9_lpc_map_irq,
  route_intx_to_irq: ich9_route_intx_pin_to_irq,
});
