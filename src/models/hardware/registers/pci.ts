import { bit, bitsOf, means, register, type BitField } from '../../../engine/cell';

/** Registers of PCI functions as the specification has them, for devices and for those who emulate them. */

const COMMAND: readonly BitField[] = [
  bit(0, 'IO', 'Port accesses to its BARs are answered.'),
  bit(1, 'MEMORY', 'Memory accesses to its BARs are answered.'),
  bit(2, 'MASTER', 'It may access memory; without that it can send no message either.'),
  bit(6, 'PARITY', 'Parity errors are answered.'),
  bit(8, 'SERR', 'It may signal system errors.'),
  bit(10, 'INTX_DISABLE', 'DisINTx: INTx is held inactive, whatever the function has to say.'),
];
export const command = (initial = 0) => means('The command register: what the function may do.', register(16, COMMAND, initial));

const STATUS: readonly BitField[] = [
  bit(3, 'INTERRUPT', 'The function has an interrupt pending, also while DisINTx holds INTx down.'),
  bit(4, 'CAP_LIST', 'There is a list of capabilities.'),
];
export const status = (initial = 0) => means('The status register: what happened to the function.', register(16, STATUS, initial));

const MESSAGES = ['1', '2', '4', '8', '16', '32'];
const MSI_FLAGS: readonly BitField[] = [
  bit(0, 'ENABLE', 'Interrupts are messages; INTx is not used.'),
  bitsOf(3, 1, 'QMASK', 'How many messages the function can tell apart.', MESSAGES),
  bitsOf(6, 4, 'QSIZE', 'How many it may use: the low bits of the data tell them apart.', MESSAGES),
  bit(7, '64BIT', 'The address has 64 bits, which moves the data.'),
];
export const msiFlags = (initial = 0) => means('MSI message control.', register(16, MSI_FLAGS, initial));

const MSIX_FLAGS: readonly BitField[] = [
  bitsOf(10, 0, 'table size', 'The number of entries less one.'),
  bit(14, 'MASKALL', 'No entry sends; what happens is kept in the pending bits.'),
  bit(15, 'ENABLE', 'Interrupts are messages from the table; INTx is not used.'),
];
export const msixFlags = (initial = 0) => means('MSI-X message control.', register(16, MSIX_FLAGS, initial));

export const messageAddress = () =>
  means(
    'The address of the message: where a memory write is an interrupt, and for whom.',
    register(32, [
      bit(2, 'logical', 'The destination is a logical one; clear: a physical one.'),
      bit(3, 'redirection hint', 'One CPU of those that are meant is to be chosen.'),
      bitsOf(19, 12, 'destination', 'The APIC ID or the group.'),
      bitsOf(31, 20, 'window', '0xfee: this is an interrupt and not memory.'),
    ]),
  );

const DATA: readonly BitField[] = [
  bitsOf(7, 0, 'vector', 'The vector that is delivered.'),
  bitsOf(10, 8, 'delivery mode', 'What the interrupt is for the CPU.', [
    'Fixed',
    'Lowest priority',
    'SMI',
    undefined,
    'NMI',
    'INIT',
    undefined,
    'ExtINT',
  ]),
  bit(14, 'assert', 'Level: assert.'),
  bit(15, 'level', 'Level-triggered; clear: edge.'),
];
export const messageData = (width: 16 | 32) => means('The word that the message writes.', register(width, DATA));

export const vectorControl = (initial = 0) =>
  means(
    'Vector control of the entry.',
    register(32, [bit(0, 'MASKBIT', 'The entry sends nothing; what happens is kept in its pending bit.')], initial),
  );
export const PENDING = 'The entry was to send while it was masked: it sends when it is unmasked.';
