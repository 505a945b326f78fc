import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at } from '../../../../engine/steps';
import { element, type Element } from '../../element';
import { PCI_INTX_DISABLED, PCI_INTX_ENABLED, type PCIBusIrqs, type PCIINTxRoute } from '../../include/hw/pci/pci';
import { withOpaque } from '../../opaque';
import { qemu_set_irq, type IRQState } from '../core/irq';

/** The PIIX3, the bridge of the older PC: routes the PCI bus's four interrupt lines to inputs of the PIC, as firmware says. */

const PIIX_NUM_PIC_IRQS = 16;
const PIIX_NUM_PIRQS = 4;

// As SeaBIOS leaves them.
const IRQ10 = hex(8, 10);
const IRQ11 = hex(8, 11);

const PIIX3StateCells = struct(
  'PIIX3State',
  'The bridge of the older PC: which PIC input each PIRQ is routed to, and which PIRQs hold each input up.',
  {
    'dev.config[PIIX_PIRQCA]': IRQ10,
    'dev.config[PIIX_PIRQCB]': IRQ10,
    'dev.config[PIIX_PIRQCC]': IRQ11,
    'dev.config[PIIX_PIRQCD]': IRQ11,
    // Four bits for each PIC input, one for each PIRQ.
    'pic_levels[31:0]': hex(32),
    'pic_levels[63:32]': hex(32),
  },
);

export type PIIX3State = InstanceOf<typeof PIIX3StateCells> & {
  readonly pic: readonly IRQState[];
  /** The routing registers, by PIRQ. */
  readonly config: readonly Element[];
};

/** Makes the bridge. `pic` are the board's GSIs. */
export function piix3_state(pic: readonly IRQState[]): PIIX3State {
  const cells = PIIX3StateCells('PIIX3');
  const config = (['A', 'B', 'C', 'D'] as const).map((pirq) => element(cells, `dev.config[PIIX_PIRQC${pirq}]`));
  return Object.assign(cells, { pic, config });
}

/** The four bits of a PIC input in `pic_levels`. */
const levelsOf = (piix3: PIIX3State, pic_irq: number): number =>
  (piix3[pic_irq < 8 ? 'pic_levels[31:0]' : 'pic_levels[63:32]'] >>> ((pic_irq & 7) * PIIX_NUM_PIRQS)) & 0xf;

const { fn, ops } = source('qemu', 'hw/isa/piix3.c');

const piix3_set_irq_pic = fn(
  'Drives an input of the PIC, and of the I/O APIC: high while any PIRQ that is routed to it is.',
  function* piix3_set_irq_pic(piix3: PIIX3State, pic_irq: number) {
    yield* qemu_set_irq(piix3.pic[pic_irq], levelsOf(piix3, pic_irq) === 0 ? 0 : 1);
  },
);

const piix3_set_irq_level_internal = fn(
  'Notes the level of a PIRQ at the input that it is routed to.',
  function* piix3_set_irq_level_internal(piix3: PIIX3State, pirq: number, level: 0 | 1) {
    const pic_irq = piix3.config[pirq]!.value;
    if (pic_irq >= PIIX_NUM_PIC_IRQS) return;
    const mask = 1 << ((pic_irq & 7) * PIIX_NUM_PIRQS + pirq);
    const half = pic_irq < 8 ? 'pic_levels[31:0]' : 'pic_levels[63:32]';
    piix3[half] = level ? piix3[half] | mask : piix3[half] & ~mask;
  },
);

const piix3_set_irq_level = fn(
  'A PIRQ has a new level: finds the input that firmware has routed it to.',
  function* piix3_set_irq_level(piix3: PIIX3State, pirq: number, level: 0 | 1) {
    const pic_irq = piix3.config[pirq]!.value;
    if (pic_irq >= PIIX_NUM_PIC_IRQS) return at('PIIX_NUM_PIC_IRQS', 'not routed anywhere');
    yield* piix3_set_irq_level_internal(piix3, pirq, level);
    yield* piix3_set_irq_pic(piix3, pic_irq);
  },
);

const piix3_set_irq = fn(
  'One of the PCI bus’s four lines has changed.',
  function* piix3_set_irq(piix3: PIIX3State, pirq: number, level: 0 | 1) {
    yield* piix3_set_irq_level(piix3, pirq, level);
  },
);

const pci_slot_get_pirq = fn(
  'The line that a device’s pin is wired to: the slots take turns, so that devices in neighbouring slots do not share.',
  function* pci_slot_get_pirq(_piix3: PIIX3State, devfn: number, pci_intx: number) {
    at('slot_addend');
    return (pci_intx + (devfn >> 3) - 1) & 3;
  },
);

const piix3_route_intx_pin_to_irq = fn(
  'The GSI that a line arrives at, for whoever wants to raise it without going through the bus.',
  function* piix3_route_intx_pin_to_irq(piix3: PIIX3State, pin: number): Run<PCIINTxRoute> {
    const irq = piix3.config[pin]!.value;
    at('PIIX_NUM_PIC_IRQS');
    return irq < PIIX_NUM_PIC_IRQS ? { mode: PCI_INTX_ENABLED, irq } : { mode: PCI_INTX_DISABLED, irq: -1 };
  },
);

const piix3_realize = ops('piix3_realize', {
  set_irq: piix3_set_irq,
  map_irq: pci_slot_get_pirq,
  route_intx_to_irq: piix3_route_intx_pin_to_irq,
});

/** How piix3_realize() wires the PCI bus to the bridge. */
export const piix3_bus_irqs = (piix3: () => PIIX3State): PCIBusIrqs => ({
  map_irq: withOpaque(piix3_realize.map_irq, piix3),
  set_irq: withOpaque(piix3_realize.set_irq, piix3),
  route_intx_to_irq: withOpaque(piix3_realize.route_intx_to_irq, piix3),
});
