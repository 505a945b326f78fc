import { bit, bitsOf, hex, means, register } from '../../../engine/cell';
import { DELIVERY_MODES } from './lapic';

/** The registers of an I/O APIC as its data sheet has them, for whoever emulates one. */

export const VECTOR = 'The vector that the pin’s message carries.';
export const DELIVERY_MODE = 'What the interrupt is for the CPU: a vector, NMI, SMI, INIT, or the 8259’s (ExtINT).';
export const DEST_MODE = 'How the destination is read: 0 physical, an APIC ID; 1 logical, a group.';
export const DELIVERY_STATUS = 'The message is on its way and was not accepted yet.';
export const POLARITY = 'Which level is active: 0 high, 1 low.';
export const REMOTE_IRR = 'A level-triggered interrupt was accepted and its EOI is due: until then the pin sends nothing.';
export const TRIGGER_MODE = 'What counts on the pin: 0 an edge, 1 a level.';
export const MASK = 'The pin sends nothing.';
export const DESTINATION = 'To whom: an APIC ID or a group, by the destination mode.';

/** The lower half of a redirection entry; `names` are those of the emulator. */
export const entryLow = (
  names: Readonly<Record<'dest_mode' | 'delivery_status' | 'polarity' | 'remote_irr' | 'trigger_mode' | 'mask', string>>,
  initial = 0,
) =>
  means(
    'A redirection entry’s lower half: which message the pin becomes.',
    register(
      32,
      [
        bitsOf(7, 0, 'vector', VECTOR),
        bitsOf(10, 8, 'delivery mode', DELIVERY_MODE, DELIVERY_MODES),
        bit(11, names.dest_mode, 'The destination is a group; clear: an APIC ID.'),
        bit(12, names.delivery_status, DELIVERY_STATUS),
        bit(13, names.polarity, 'Active low; clear: active high.'),
        bit(14, names.remote_irr, REMOTE_IRR),
        bit(15, names.trigger_mode, 'Level-triggered; clear: edge.'),
        bit(16, names.mask, MASK),
      ],
      initial,
    ),
  );

export const entryHigh = (initial = 0) =>
  means('A redirection entry’s upper half: to whom.', register(32, [bitsOf(31, 24, 'destination', DESTINATION)], initial));

/** A word with one bit per pin. */
export const pins = (sentence: string, first = 0, count = 24) =>
  means(
    sentence,
    register(
      32,
      Array.from({ length: count }, (_, pin) => bit(pin, `pin ${first + pin}`)),
    ),
  );

export const IRR = 'Interrupt requests: the pins that are up, or had an edge that was not sent yet.';
export const ioregsel = () => means('IOREGSEL: the register that the next access to IOWIN reaches.', hex(8));
