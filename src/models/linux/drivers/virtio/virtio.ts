import { source, through } from '../../../../engine/fn';
import type { VirtioDevice } from '../../include/linux/virtio_config';

/** The virtio bus of Linux: drivers and their devices. */

const { fn } = source('linux', 'drivers/virtio/virtio.c');

export const virtio_reset_device = fn(
  'The driver is done with its device: from here on that neither reads the rings nor interrupts.',
  function* virtio_reset_device(dev: VirtioDevice) {
    yield* through('function pointer', 'reset', dev.config.reset)(dev);
  },
);
