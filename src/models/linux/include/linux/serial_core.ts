import { hex, int, struct, type InstanceOf } from '../../../../engine/cell';
import { through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import type { GuestCpu } from '../../../guest/cpu';
import type { IrqDesc } from '../../kernel/irq/irqdesc';
import * as uart_registers from '../../../hardware/registers/uart';

/** What the serial core and its drivers share. */

export const TIOCM_DTR = 0x002;
export const TIOCM_RTS = 0x004;
export const TIOCM_OUT2 = 0x4000;

export const UART_XMIT_SIZE = 4096;

const UartPortCells = struct('uart_port', 'A serial port as its driver has it: where it is, and what went through it.', {
  irq: int(),
  iobase: hex(16),
  mctrl: hex(16),
  'icount.rx': int(),
  'icount.tx': int(),
});

const Uart8250PortCells = struct('uart_8250_port', 'A 16550 port: the driver’s own copies of what it last wrote.', {
  ier: uart_registers.ier(),
  lcr: hex(8),
  fcr: hex(8),
  mcr: hex(8),
  bugs: hex(8),
});

const CircBufCells = struct('circ_buf', 'What waits to be sent. Empty where head and tail meet.', { head: int(), tail: int() });

/** A port of the 8250 driver: the `uart_8250_port` with its `uart_port` and its transmit buffer. */
export interface UartPort {
  readonly port: InstanceOf<typeof UartPortCells>;
  readonly up: InstanceOf<typeof Uart8250PortCells>;
  readonly xmit: InstanceOf<typeof CircBufCells> & { readonly buf: number[] };
  /** What the tty layer was given. */
  readonly received: number[];
  /** The CPU that runs the driver. */
  readonly cpu: GuestCpu;
  readonly desc: IrqDesc;
  /** The ports that share the interrupt. */
  readonly irq_list: UartPort[];
  readonly ops: UartOps;
  readonly serial_in: Pointer<[port: UartPort, offset: number], number>;
  readonly serial_out: Pointer<[port: UartPort, offset: number, value: number], void>;
  readonly handle_irq: Pointer<[port: UartPort], number>;
}

/** `uart_ops`. */
export interface UartOps {
  readonly startup: Pointer<[port: UartPort], number>;
  readonly set_termios: Pointer<[port: UartPort], void>;
  readonly set_mctrl: Pointer<[port: UartPort, mctrl: number], void>;
  readonly start_tx: Pointer<[port: UartPort], void>;
}

type Parts = Pick<UartPort, 'cpu' | 'desc' | 'irq_list' | 'ops' | 'serial_in' | 'serial_out' | 'handle_irq'>;

/** A port whose registers are at `iobase`. */
export const uart_port = (name: string, iobase: number, parts: Parts): UartPort => ({
  port: UartPortCells(name, { irq: parts.desc.irq, iobase }),
  up: Uart8250PortCells(name),
  xmit: Object.assign(CircBufCells(name), { buf: [] }),
  received: [],
  ...parts,
});

/** uart_circ_empty(). */
export const uart_circ_empty = ({ xmit }: UartPort): boolean => xmit.head === xmit.tail;

/** Reads a register through the port’s accessor; `token` is the inline function in the caller that does it. */
export const serial_port_in = (port: UartPort, offset: number, token = 'serial_port_in'): Run<number> =>
  through('function pointer', token, port.serial_in)(port, offset);

/** Writes a register through the port’s accessor. */
export const serial_port_out = (port: UartPort, offset: number, value: number, token = 'serial_port_out'): Run =>
  through('function pointer', token, port.serial_out)(port, offset, value);
