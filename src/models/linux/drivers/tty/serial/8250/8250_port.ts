import { source, through } from '../../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../../engine/steps';
import { spin_lock_irqsave, spin_unlock_irqrestore } from '../../../../../guest/cpu';
import { since } from '../../../../../version';
import { disable_irq_nosync, enable_irq } from '../../../../kernel/irq/manage';
import {
  serial_port_in,
  serial_port_out,
  TIOCM_DTR,
  TIOCM_OUT2,
  TIOCM_RTS,
  uart_circ_empty,
  uart_port,
  UART_XMIT_SIZE,
  type UartPort,
} from '../../../../include/linux/serial_core';
import {
  UART_DLL,
  UART_DLM,
  UART_FCR,
  UART_FCR_CLEAR_RCVR,
  UART_FCR_CLEAR_XMIT,
  UART_FCR_ENABLE_FIFO,
  UART_FCR_TRIGGER_8,
  UART_IER,
  UART_IER_RDI,
  UART_IER_RLSI,
  UART_IER_THRI,
  UART_IIR,
  UART_IIR_NO_INT,
  UART_LCR,
  UART_LCR_DLAB,
  UART_LCR_WLEN8,
  UART_LSR,
  UART_LSR_DR,
  UART_LSR_TEMT,
  UART_LSR_THRE,
  UART_MCR,
  UART_MCR_DTR,
  UART_MCR_OUT2,
  UART_MCR_RTS,
  UART_MSR,
  UART_RX,
  UART_TX,
} from '../../../../include/uapi/linux/serial_reg';
import { univ8250_driver_ops } from './8250_core';

/** The 8250 driver: what it does with one port. */

const UART_BUG_THRE = 1 << 3;
const UART_BUG_TXEN = 1 << 1;
const TX_LOADSZ = 16;
const ENODEV = 19;
/** The label behind the test of the transmitter, which a jump names before. */
const TESTED_TXEN = 'dont_test_tx_en dont_test_tx_en';

const { fn, ops } = source('linux', 'drivers/tty/serial/8250/8250_port.c');

/** The lock of a port; it has been behind functions of its own since 6.7. */
const lock = (port: UartPort) => spin_lock_irqsave(port.cpu, since('linux', '6.7') ? 'uart_port_lock_irqsave' : 'spin_lock_irqsave');
const unlock = (port: UartPort, flags: boolean) =>
  spin_unlock_irqrestore(port.cpu, flags, since('linux', '6.7') ? 'uart_port_unlock_irqrestore' : 'spin_unlock_irqrestore');

const io_serial_in = fn(
  'Reads a register in I/O space. In a guest this leaves the guest.',
  function* io_serial_in(p: UartPort, offset: number) {
    atCall('inb');
    return yield* p.cpu.in(p.port.iobase + offset, 1);
  },
);

const io_serial_out = fn('Writes a register in I/O space.', function* io_serial_out(p: UartPort, offset: number, value: number) {
  atCall('outb');
  yield* p.cpu.out(p.port.iobase + offset, 1, value);
});

const serial8250_clear_fifos = fn('Empties the FIFOs and turns them off.', function* serial8250_clear_fifos(p: UartPort) {
  yield* serial_port_out(p, UART_FCR, UART_FCR_ENABLE_FIFO, 'serial_out');
  behind('serial_out');
  yield* serial_port_out(p, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT, 'serial_out');
  behind('serial_out serial_out');
  yield* serial_port_out(p, UART_FCR, 0, 'serial_out');
});

const wait_for_lsr = fn(
  'Waits until the line status has these bits, for ten milliseconds at most.',
  function* wait_for_lsr(up: UartPort, bits: number) {
    const token = since('linux', '6.0') ? 'serial_lsr_in' : 'serial_in';
    for (let tmout = 10_000; tmout > 0; tmout--) {
      if (((yield* serial_port_in(up, UART_LSR, token)) & bits) === bits) return true;
      atCall('udelay');
    }
    return false;
  },
);

const wait_for_xmitr = fn('Waits until the transmitter can take a byte.', function* wait_for_xmitr(up: UartPort, bits: number) {
  if (since('linux', '5.19')) {
    yield* wait_for_lsr(up, bits);
    return;
  }
  for (let tmout = 10_000; tmout > 0; tmout--) {
    if (((yield* serial_port_in(up, UART_LSR, 'serial_in')) & bits) === bits) return;
    atCall('udelay');
  }
});

const serial8250_do_set_mctrl = fn(
  'Sets the modem control lines. OUT2 is one of them: on a PC it lets the UART’s interrupt through.',
  function* serial8250_do_set_mctrl(port: UartPort, mctrl: number) {
    const mcr = (mctrl & TIOCM_DTR ? UART_MCR_DTR : 0) | (mctrl & TIOCM_RTS ? UART_MCR_RTS : 0) | (mctrl & TIOCM_OUT2 ? UART_MCR_OUT2 : 0);
    yield* serial_port_out(port, UART_MCR, mcr | port.up.mcr, 'serial8250_out_MCR');
  },
);

const serial8250_set_mctrl = fn('Sets the modem control lines.', function* serial8250_set_mctrl(port: UartPort, mctrl: number) {
  yield* serial8250_do_set_mctrl(port, mctrl);
});

const serial8250_do_startup = fn(
  'Starts the port: empties it, requests its interrupt, and finds out how far the UART’s transmitter interrupt can be trusted.',
  function* serial8250_do_startup(port: UartPort) {
    yield* serial8250_clear_fifos(port);
    yield* clear_interrupt_registers(port, 'serial8250_clear_fifos');
    behind('serial8250_clear_fifos serial_port_in serial_port_in serial_port_in serial_port_in');
    if ((yield* serial_port_in(port, UART_LSR)) === 0xff) return -ENODEV;
    const retval = yield* through('function pointer', 'setup_irq', univ8250_driver_ops.setup_irq)(port);
    if (retval !== 0) return retval;
    yield* test_THRE(port);

    behind('enable_irq');
    const flags = yield* lock(port);
    behind('enable_irq');
    yield* serial_port_out(port, UART_LCR, UART_LCR_WLEN8);
    at('TIOCM_OUT2');
    port.port.mctrl |= TIOCM_OUT2;
    yield* serial8250_set_mctrl(port, port.port.mctrl);
    yield* test_TXEN(port);
    behind(TESTED_TXEN);
    yield* unlock(port, flags);

    yield* clear_interrupt_registers(port, TESTED_TXEN);
    port.up.ier = UART_IER_RLSI | UART_IER_RDI;
    return 0;
  },
);

/** Reading them clears what is pending: four reads behind `after`. */
function* clear_interrupt_registers(port: UartPort, after: string) {
  for (const register of [UART_LSR, UART_RX, UART_IIR, UART_MSR]) {
    behind(after);
    yield* serial_port_in(port, register);
    after += ' serial_port_in';
  }
}

/** Does the UART assert THRE again when the interrupt is enabled a second time? The line may be shared, so it is disabled meanwhile. */
function* test_THRE(port: UartPort) {
  yield* disable_irq_nosync(port.desc);
  behind('disable_irq_nosync');
  const flags = yield* lock(port);
  yield* wait_for_xmitr(port, UART_LSR_THRE);
  yield* serial_port_out(port, UART_IER, UART_IER_THRI, 'serial_port_out_sync');
  behind('serial_port_out_sync');
  const iir1 = yield* serial_port_in(port, UART_IIR);
  behind('serial_port_out_sync');
  yield* serial_port_out(port, UART_IER, 0);
  behind('serial_port_out_sync');
  yield* serial_port_out(port, UART_IER, UART_IER_THRI, 'serial_port_out_sync');
  behind('serial_port_out_sync serial_port_out_sync');
  const iir = yield* serial_port_in(port, UART_IIR);
  behind('serial_port_out_sync serial_port_out_sync');
  yield* serial_port_out(port, UART_IER, 0);
  behind('serial_port_out_sync');
  yield* unlock(port, flags);
  yield* enable_irq(port.desc);
  if (!(iir1 & UART_IIR_NO_INT) && iir & UART_IIR_NO_INT) {
    at('UART_BUG_THRE');
    port.up.bugs |= UART_BUG_THRE;
  }
}

/** Does an interrupt come when the transmitter is idle and its interrupt is enabled? */
function* test_TXEN(port: UartPort) {
  behind('UPQ_NO_TXEN_TEST');
  yield* serial_port_out(port, UART_IER, UART_IER_THRI);
  behind('UPQ_NO_TXEN_TEST');
  const lsr = yield* serial_port_in(port, UART_LSR);
  behind('UPQ_NO_TXEN_TEST serial_port_in');
  const iir = yield* serial_port_in(port, UART_IIR);
  behind('UPQ_NO_TXEN_TEST serial_port_out');
  yield* serial_port_out(port, UART_IER, 0);
  if (lsr & UART_LSR_TEMT && iir & UART_IIR_NO_INT) {
    at('UART_BUG_TXEN');
    port.up.bugs |= UART_BUG_TXEN;
  }
}

const serial8250_startup = fn('Starts the port.', function* serial8250_startup(port: UartPort) {
  return yield* serial8250_do_startup(port);
});

const default_serial_dl_write = fn('Writes the divisor, in two halves.', function* default_serial_dl_write(up: UartPort, value: number) {
  yield* serial_port_out(up, UART_DLL, value & 0xff, 'serial_out');
  behind('serial_out');
  yield* serial_port_out(up, UART_DLM, value >> 8, 'serial_out');
});

const set_io_from_upio = ops('set_io_from_upio', {
  dl_write: default_serial_dl_write,
  serial_in: io_serial_in,
  serial_out: io_serial_out,
});

const serial8250_do_set_divisor = fn(
  'Sets the speed: with DLAB set, the first two registers are the divisor.',
  function* serial8250_do_set_divisor(port: UartPort, quot: number) {
    yield* serial_port_out(port, UART_LCR, port.up.lcr | UART_LCR_DLAB);
    yield* through('function pointer', 'serial_dl_write', set_io_from_upio.dl_write)(port, quot);
  },
);

const serial8250_set_divisor = fn('Sets the speed.', function* serial8250_set_divisor(port: UartPort, quot: number) {
  yield* serial8250_do_set_divisor(port, quot);
});

const DIVISOR_9600 = 12;

const serial8250_do_set_termios = fn(
  'Puts speed and format into the UART and turns its FIFOs on: 9600 baud and eight bits, as a tty begins. Only here does the driver’s interrupt enable reach the UART.',
  function* serial8250_do_set_termios(port: UartPort) {
    const { up } = port;
    const flags = yield* lock(port);
    up.lcr = UART_LCR_WLEN8;
    at('fcr');
    up.fcr = UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8;
    yield* serial_port_out(port, UART_IER, up.ier);
    yield* serial8250_set_divisor(port, DIVISOR_9600);
    behind('serial8250_set_divisor fcr');
    yield* serial_port_out(port, UART_LCR, up.lcr);
    behind('serial8250_set_divisor lcr');
    yield* serial_port_out(port, UART_FCR, UART_FCR_ENABLE_FIFO);
    behind('serial8250_set_divisor UART_FCR_ENABLE_FIFO UART_FCR_ENABLE_FIFO');
    yield* serial_port_out(port, UART_FCR, up.fcr);
    yield* serial8250_set_mctrl(port, port.port.mctrl);
    yield* unlock(port, flags);
  },
);

const serial8250_set_termios = fn('Puts speed and format into the UART.', function* serial8250_set_termios(port: UartPort) {
  yield* serial8250_do_set_termios(port);
});

const __stop_tx = fn('Nothing is left to send: turns the transmitter’s interrupt off.', function* __stop_tx(p: UartPort) {
  yield* clear_THRI(p);
});

/** serial8250_clear_THRI(). */
function* clear_THRI(p: UartPort) {
  atCall('serial8250_clear_THRI');
  if (!(p.up.ier & UART_IER_THRI)) return;
  p.up.ier &= ~UART_IER_THRI;
  yield* serial_port_out(p, UART_IER, p.up.ier, 'serial8250_clear_THRI');
}

const serial8250_tx_chars = fn(
  'The transmitter is empty: gives it as many bytes as its FIFO takes. When the last has gone it asks for no more interrupts.',
  function* serial8250_tx_chars(up: UartPort) {
    const { port, xmit } = up;
    if (uart_circ_empty(up)) {
      yield* __stop_tx(up);
      return;
    }
    for (let count = TX_LOADSZ; count > 0 && !uart_circ_empty(up); count--) {
      behind('tx_loadsz');
      yield* serial_port_out(up, UART_TX, xmit.buf[xmit.tail] ?? 0, 'serial_out');
      behind('tx_loadsz');
      at('count');
      xmit.tail = (xmit.tail + 1) % UART_XMIT_SIZE;
      port['icount.tx'] += 1;
    }
    if (uart_circ_empty(up)) {
      behind('__stop_tx');
      yield* __stop_tx(up);
    }
  },
);

const serial8250_read_char = fn(
  'Takes a received byte and gives it to the tty.',
  function* serial8250_read_char(up: UartPort, lsr: number) {
    at('UART_LSR_DR');
    const ch = lsr & UART_LSR_DR ? yield* serial_port_in(up, UART_RX, 'serial_in') : 0;
    up.port['icount.rx'] += 1;
    atCall('uart_insert_char');
    up.received.push(ch);
  },
);

const MAX_COUNT = 256;

const serial8250_rx_chars = fn('Takes what was received, byte by byte.', function* serial8250_rx_chars(up: UartPort, status: number) {
  let lsr = status;
  for (let max_count = MAX_COUNT; max_count > 0; max_count--) {
    yield* serial8250_read_char(up, lsr);
    lsr = yield* serial_port_in(up, UART_LSR, 'serial_in');
    if (!(lsr & UART_LSR_DR)) break;
  }
  atCall('tty_flip_buffer_push');
  return lsr;
});

const serial8250_modem_status = fn('Reads the modem lines, which clears their interrupt.', function* serial8250_modem_status(up: UartPort) {
  return yield* serial_port_in(up, UART_MSR, 'serial_in');
});

const serial8250_handle_irq = fn(
  'Serves one port: nothing if IIR says that it was not the one, else whatever the line status shows, not only what IIR named.',
  function* serial8250_handle_irq(port: UartPort, iir: number) {
    at('UART_IIR_NO_INT');
    if (iir & UART_IIR_NO_INT) return 0;
    let status = yield* serial_port_in(port, UART_LSR, since('linux', '6.0') ? 'serial_lsr_in' : 'serial_port_in');
    if (status & UART_LSR_DR) status = yield* serial8250_rx_chars(port, status);
    yield* serial8250_modem_status(port);
    if (status & UART_LSR_THRE && port.up.ier & UART_IER_THRI) yield* serial8250_tx_chars(port);
    return 1;
  },
);

const serial8250_default_handle_irq = fn(
  'Asks one port for its interrupt’s cause. A port that is silent says so by bit 0 of IIR.',
  function* serial8250_default_handle_irq(port: UartPort) {
    const iir = yield* serial_port_in(port, UART_IIR);
    return yield* serial8250_handle_irq(port, iir);
  },
);

const handler = ops('set_io_from_upio', { handle_irq: serial8250_default_handle_irq });

const __start_tx = fn('Asks the UART to interrupt as soon as it can send. An empty one can at once.', function* __start_tx(port: UartPort) {
  atCall('serial8250_set_THRI');
  if (port.up.ier & UART_IER_THRI) return;
  port.up.ier |= UART_IER_THRI;
  yield* serial_port_out(port, UART_IER, port.up.ier, 'serial8250_set_THRI');
  if (!(port.up.bugs & UART_BUG_TXEN)) return;
  const lsr = yield* serial_port_in(port, UART_LSR, since('linux', '6.0') ? 'serial_lsr_in' : 'serial_in');
  if (lsr & UART_LSR_THRE) yield* serial8250_tx_chars(port);
});

const serial8250_start_tx = fn('There is something to send.', function* serial8250_start_tx(port: UartPort) {
  yield* __start_tx(port);
});

const serial8250_pops = ops('serial8250_pops', {
  startup: serial8250_startup,
  set_termios: serial8250_set_termios,
  set_mctrl: serial8250_set_mctrl,
  start_tx: serial8250_start_tx,
});

/** A port in I/O space. */
export const serial8250_port = (name: string, iobase: number, parts: Pick<UartPort, 'cpu' | 'desc' | 'irq_list'>): UartPort =>
  uart_port(name, iobase, {
    ...parts,
    ops: serial8250_pops,
    serial_in: set_io_from_upio.serial_in,
    serial_out: set_io_from_upio.serial_out,
    handle_irq: handler.handle_irq,
  });
