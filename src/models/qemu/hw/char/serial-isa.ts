import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import { io_region } from '../../include/exec/memory';
import { isa_get_irq, isa_register_ioport, type ISABus } from '../isa/isa-bus';
import { serial_io_ops, type SerialState } from './serial';

/** A serial port on the ISA bus: at a port and an interrupt of the user's choice. */
export interface ISASerialState {
  readonly iobase: number;
  readonly isairq: number;
  readonly state: SerialState;
}

const { fn } = source('qemu', 'hw/char/serial-isa.c');

export const serial_isa_realizefn = fn(
  'Connects the port: its registers, and one of the ISA bus’s interrupts.',
  function* serial_isa_realizefn(bus: ISABus, { iobase, isairq, state }: ISASerialState) {
    state.irq = yield* isa_get_irq(bus, isairq);
    atCall('memory_region_init_io');
    yield* isa_register_ioport(
      bus,
      io_region({ name: 'serial', addr: iobase, size: 8 }, serial_io_ops, () => state),
    );
  },
);
