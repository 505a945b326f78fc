import { bool, hex, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { qemu_irq_lower, qemu_irq_raise } from '../../include/hw/irq';
import type { IRQState } from '../core/irq';
import * as uart_registers from '../../../hardware/registers/uart';

/** A serial port, 16450-like: its FIFOs, its modem lines and its baud rate are not modelled. */

export const UART_IER_RDI = 0x01;
export const UART_IER_THRI = 0x02;
export const UART_IIR_NO_INT = 0x01;
export const UART_IIR_THRI = 0x02;
export const UART_IIR_RDI = 0x04;
export const UART_IIR_RLSI = 0x06;
const UART_IER_RLSI = 0x04;
const UART_LSR_DR = 0x01;
const UART_LSR_OE = 0x02;
const UART_LSR_THRE = 0x20;
const UART_LSR_TEMT = 0x40;

const SerialStateCells = struct(
  'SerialState',
  'A serial port: what it has, what it may interrupt for, and what it says it interrupts for.',
  {
    ier: uart_registers.ier(),
    iir: hex(8, UART_IIR_NO_INT),
    lsr: uart_registers.lsr(UART_LSR_THRE | UART_LSR_TEMT),
    rbr: hex(8),
    thr: hex(8),
    thr_ipending: bool(),
  },
);

export type SerialState = InstanceOf<typeof SerialStateCells> & {
  /** Its interrupt line; an ISA line, so edge-triggered at the PIC. */
  irq: IRQState | undefined;
};

/** Makes a port. */
export const serial_state = (name: string): SerialState => Object.assign(SerialStateCells(name), { irq: undefined });

const { fn, ops } = source('qemu', 'hw/char/serial.c');

const serial_update_irq = fn(
  'Drives the interrupt line: high while there is any cause, and the most urgent cause is the one that can be read. One line for several causes: it does not fall between them.',
  function* serial_update_irq(s: SerialState) {
    const cause = causeOf(s);
    if (s.iir !== cause) s.iir = cause;
    if (cause !== UART_IIR_NO_INT) yield* qemu_irq_raise(s.irq);
    else yield* qemu_irq_lower(s.irq);
  },
);

function causeOf({ ier, lsr, thr_ipending }: SerialState): number {
  if (ier & UART_IER_RLSI && lsr & UART_LSR_OE) return UART_IIR_RLSI;
  if (ier & UART_IER_RDI && lsr & UART_LSR_DR) return UART_IIR_RDI;
  return ier & UART_IER_THRI && thr_ipending ? UART_IIR_THRI : UART_IIR_NO_INT;
}

const serial_receive1 = fn(
  'A byte has come in. One that nobody fetched before it is lost.',
  function* serial_receive1(s: SerialState, byte: number) {
    if (s.lsr & UART_LSR_DR) {
      atWrite('lsr', 'char_transmit_time', 'nobody fetched the one before');
      s.lsr |= UART_LSR_OE;
    }
    s.rbr = byte;
    atWrite('lsr', 'rbr');
    s.lsr |= UART_LSR_DR;
    yield* serial_update_irq(s);
  },
);

const serial_xmit = fn(
  'Sends what the guest has written: at once, so that the port is empty again.',
  function* serial_xmit(s: SerialState) {
    atWrite('lsr', 'thr');
    s.lsr |= UART_LSR_THRE;
    if (!s.thr_ipending) {
      s.thr_ipending = true;
      yield* serial_update_irq(s);
    }
    atCall('qemu_chr_fe_write');
    atWrite('lsr', 'last_xmit_ts');
    s.lsr |= UART_LSR_TEMT;
  },
);

const serial_ioport_write = fn(
  'The guest writes a register: a byte to send, or which causes may interrupt.',
  function* serial_ioport_write(s: SerialState, addr: number, val: number, _size: number) {
    switch (addr) {
      case 0:
        s.thr = val;
        s.thr_ipending = false;
        s.lsr &= ~UART_LSR_THRE;
        atWrite('lsr', 'UART_LSR_THRE');
        s.lsr &= ~UART_LSR_TEMT;
        yield* serial_update_irq(s);
        return yield* serial_xmit(s);
      case 1: {
        const changed = (s.ier ^ val) & 0x0f;
        s.ier = val & 0x0f;
        if (changed & UART_IER_THRI) {
          const empty = (val & UART_IER_THRI) !== 0 && (s.lsr & UART_LSR_THRE) !== 0;
          atWrite('thr_ipending', empty ? 'UART_IER_THRI' : 'UART_IER_THRI thr_ipending');
          s.thr_ipending = empty;
        }
        if (changed !== 0) {
          behind('ier');
          yield* serial_update_irq(s);
        }
      }
    }
  },
);

const serial_ioport_read = fn(
  'The guest reads a register: the byte that came in, or why the port interrupts. Either ends that cause.',
  function* serial_ioport_read(s: SerialState, addr: number, _size: number) {
    switch (addr) {
      case 0: {
        const ret = s.rbr;
        atWrite('lsr', 'rbr');
        s.lsr &= ~UART_LSR_DR;
        yield* serial_update_irq(s);
        return ret;
      }
      case 1:
        at('ier');
        return s.ier;
      case 2: {
        const ret = s.iir;
        if (ret === UART_IIR_THRI) {
          s.thr_ipending = false;
          behind('thr_ipending');
          yield* serial_update_irq(s);
        }
        return ret;
      }
      case 5: {
        const ret = s.lsr;
        if (ret & UART_LSR_OE) {
          atWrite('lsr', 'UART_LSR_OE');
          s.lsr &= ~UART_LSR_OE;
          yield* serial_update_irq(s);
        }
        return ret;
      }
      default:
        return 0;
    }
  },
);

/** What serial_realize() gives to the character device. */
export const serial_receive1_handler = ops('serial_realize', { chr_read: serial_receive1 });

export const serial_io_ops = ops('serial_io_ops', { read: serial_ioport_read, write: serial_ioport_write });
