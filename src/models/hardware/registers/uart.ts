import { bit, means, register } from '../../../engine/cell';

/** The registers of a 16550 UART as its data sheet has them, for drivers and devices. */

export const ier = (initial = 0) =>
  means(
    'Interrupt enable register: what the UART may interrupt for.',
    register(
      8,
      [
        bit(0, 'UART_IER_RDI', 'Data was received.'),
        bit(1, 'UART_IER_THRI', 'There is room to transmit.'),
        bit(2, 'UART_IER_RLSI', 'An error or a break came in.'),
        bit(3, 'UART_IER_MSI', 'A modem line changed.'),
      ],
      initial,
    ),
  );

export const mcr = (initial = 0) =>
  means(
    'Modem control register: the lines that the UART drives.',
    register(
      8,
      [
        bit(0, 'UART_MCR_DTR', 'Data terminal ready.'),
        bit(1, 'UART_MCR_RTS', 'Request to send.'),
        bit(2, 'UART_MCR_OUT1', 'Free for the board.'),
        bit(3, 'UART_MCR_OUT2', 'On a PC: lets the interrupt through to the 8259.'),
        bit(4, 'UART_MCR_LOOP', 'What is sent comes back as received.'),
        bit(5, 'UART_MCR_AFE', 'The UART minds RTS and CTS by itself.'),
      ],
      initial,
    ),
  );

export const lsr = (initial = 0) =>
  means(
    'Line status register: what waits and what went wrong.',
    register(
      8,
      [
        bit(0, 'UART_LSR_DR', 'A character was received and waits to be read.'),
        bit(1, 'UART_LSR_OE', 'Overrun: a character was lost, as nobody read the one before.'),
        bit(5, 'UART_LSR_THRE', 'The transmit register, or its FIFO, is empty.'),
        bit(6, 'UART_LSR_TEMT', 'All has been sent.'),
      ],
      initial,
    ),
  );
