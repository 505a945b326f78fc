import { source, through, via } from '../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../engine/steps';
import { spin_lock_irqsave, spin_unlock_irqrestore } from '../../../../guest/cpu';
import { since } from '../../../../version';
import { TIOCM_DTR, TIOCM_RTS, UART_XMIT_SIZE, type UartPort } from '../../../include/linux/serial_core';

/** The serial core: between the tty layer and the drivers of UARTs. */

const { fn } = source('linux', 'drivers/tty/serial/serial_core.c');

const uart_update_mctrl = fn('Changes modem control lines.', function* uart_update_mctrl(port: UartPort, set: number) {
  const { mctrl } = port.port;
  port.port.mctrl = mctrl | set;
  if (port.port.mctrl !== mctrl) yield* through('function pointer', 'set_mctrl', port.ops.set_mctrl)(port, port.port.mctrl);
});

const uart_port_dtr_rts = fn('Tells the other side that somebody is here.', function* uart_port_dtr_rts(port: UartPort) {
  yield* via('uart_set_mctrl', uart_update_mctrl)(port, TIOCM_DTR | TIOCM_RTS);
});

const uart_change_line_settings = fn(
  'Puts speed and format into the hardware, as the tty has them.',
  function* uart_change_line_settings(port: UartPort) {
    yield* through('function pointer', 'set_termios', port.ops.set_termios)(port);
  },
);

export const uart_port_startup = fn(
  'Somebody opens the tty: starts the port, sets speed and format, and raises DTR and RTS.',
  function* uart_port_startup(port: UartPort) {
    const retval = yield* through('function pointer', 'startup', port.ops.startup)(port);
    if (retval !== 0) return retval;
    yield* uart_change_line_settings(port);
    yield* uart_port_dtr_rts(port);
    return 0;
  },
);

const __uart_start = fn('Has the driver send what is in the buffer.', function* __uart_start(port: UartPort) {
  atCall('uart_tx_stopped');
  yield* through('function pointer', 'start_tx', port.ops.start_tx)(port);
});

export const uart_write = fn(
  'write(2) to the tty: puts the text into the transmit buffer and starts sending. Nothing is sent here: the interrupt handler does that.',
  function* uart_write(port: UartPort, text: readonly number[]) {
    const flags = yield* spin_lock_irqsave(port.cpu, since('linux', '6.9') ? 'uart_port_ref_lock' : 'uart_port_lock');
    at('count');
    for (const char of text) {
      port.xmit.buf[port.xmit.head] = char;
      port.xmit.head = (port.xmit.head + 1) % UART_XMIT_SIZE;
    }
    yield* __uart_start(port);
    behind('__uart_start');
    yield* spin_unlock_irqrestore(port.cpu, flags, since('linux', '6.9') ? 'uart_port_unlock_deref' : 'uart_port_unlock');
    return text.length;
  },
);
