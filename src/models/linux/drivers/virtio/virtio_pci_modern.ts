import { source } from '../../../../engine/fn';
import { atCall, sleep } from '../../../../engine/steps';
import type { VirtioDevice } from '../../include/linux/virtio_config';
import { vp_notify } from './virtio_pci_common';
import { vp_modern_get_status, vp_modern_set_status } from './virtio_pci_modern_dev';

/** virtio 1.0 over PCI. */

const { fn, ops } = source('linux', 'drivers/virtio/virtio_pci_modern.c');

const vp_get_status = fn('Asks the device for its status.', function* vp_get_status(vdev: VirtioDevice) {
  return yield* vp_modern_get_status(vdev.common);
});

const vp_set_status = fn('Tells the device its new status.', function* vp_set_status(vdev: VirtioDevice, status: number) {
  yield* vp_modern_set_status(vdev.common, status);
});

const vp_reset = fn(
  'Writes a status of 0, and reads until that is what comes back: then nothing is on its way from the device any more, interrupts included.',
  function* vp_reset(vdev: VirtioDevice) {
    yield* vp_modern_set_status(vdev.common, 0);
    while ((yield* vp_modern_get_status(vdev.common)) !== 0) {
      atCall('msleep');
      yield* sleep(1);
    }
    atCall('vp_synchronize_vectors');
  },
);

export const modern_config_ops = ops('virtio_pci_config_ops', { get_status: vp_get_status, set_status: vp_set_status, reset: vp_reset });

/** Where a queue gets its notify function. */
export const modern_setup_vq = ops('setup_vq', { notify: vp_notify });
