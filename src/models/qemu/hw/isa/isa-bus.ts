import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { memory_region_add_subregion, type AddressSpace, type MemoryRegion } from '../../include/exec/memory';
import type { IRQState } from '../core/irq';

/** The ISA bus: ports in the I/O address space, and sixteen interrupt lines. */

export interface ISABus {
  readonly address_space_io: AddressSpace;
  irqs: readonly IRQState[];
}

const { fn } = source('qemu', 'hw/isa/isa-bus.c');

export const isa_bus_irqs = fn(
  'The board’s GSIs are the bus’s interrupt lines.',
  function* isa_bus_irqs(bus: ISABus, irqs: readonly IRQState[]) {
    at('irqs');
    bus.irqs = irqs;
  },
);

export const isa_get_irq = fn('The line of an ISA interrupt.', function* isa_get_irq(isabus: ISABus, isairq: number) {
  at('irqs');
  return isabus.irqs[isairq];
});

export const isa_register_ioport = fn(
  'Puts a device’s registers at a port. A region without operations answers nothing: the kernel does, before an access gets here.',
  function* isa_register_ioport(isabus: ISABus, io: MemoryRegion | undefined) {
    atCall('memory_region_add_subregion');
    if (io !== undefined) memory_region_add_subregion(isabus.address_space_io, io);
  },
);
