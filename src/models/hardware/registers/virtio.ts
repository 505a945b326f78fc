import { bit, means, register, type BitField } from '../../../engine/cell';

/** Registers and ring fields of virtio as the specification has them, for drivers and devices. */

const STATUS: readonly BitField[] = [
  bit(0, 'ACKNOWLEDGE', 'The guest has found the device.'),
  bit(1, 'DRIVER', 'The guest has a driver for it.'),
  bit(2, 'DRIVER_OK', 'The driver is ready: the device may work.'),
  bit(3, 'FEATURES_OK', 'Both sides agree on the features.'),
  bit(6, 'NEEDS_RESET', 'The device is broken and wants a reset.'),
  bit(7, 'FAILED', 'The driver has given up.'),
];
export const status = (initial = 0) => means('Device status: how far driver and device are with each other.', register(8, STATUS, initial));

export const isr = () =>
  means(
    'ISR status: why the device interrupts by INTx. Reading it clears it and lowers the line.',
    register(8, [bit(0, 'queue', 'A queue was used.'), bit(1, 'configuration', 'The configuration changed.')]),
  );

export const availFlags = () =>
  means(
    'What the driver wishes.',
    register(16, [bit(0, 'VRING_AVAIL_F_NO_INTERRUPT', 'The driver wants no interrupt when buffers were used; a hint only.')]),
  );
export const usedFlags = () =>
  means(
    'What the device wishes.',
    register(16, [bit(0, 'VRING_USED_F_NO_NOTIFY', 'The device wants no notification when buffers were offered; a hint only.')]),
  );

export const descriptorFlags = () =>
  means(
    'What kind of buffer it is.',
    register(16, [
      bit(0, 'VRING_DESC_F_NEXT', 'The chain goes on at `next`.'),
      bit(1, 'VRING_DESC_F_WRITE', 'The device writes it; clear: reads it.'),
      bit(2, 'VRING_DESC_F_INDIRECT', 'It holds a table of descriptors.'),
    ]),
  );

export const AVAIL_IDX = 'How many buffers the driver has offered so far: its next place in the ring, before the modulo.';
export const USED_IDX = 'How many buffers the device has given back so far: its next place in the ring, before the modulo.';
export const USED_EVENT = 'With EVENT_IDX: the driver wants an interrupt when the used index passes this.';
export const AVAIL_EVENT = 'With EVENT_IDX: the device wants a notification when the available index passes this.';
export const LAST_AVAIL = 'How far the device has taken what the driver offers.';
export const LAST_USED = 'How far the driver has taken back what the device gave back.';
