import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { VirtioDevice } from '../../include/linux/virtio_config';
import { vp_notify } from './virtio_pci_common';
import { vp_legacy_get_status, vp_legacy_set_status } from './virtio_pci_legacy_dev';

/** virtio over PCI as it was before virtio 1.0. */

const { fn, ops } = source('linux', 'drivers/virtio/virtio_pci_legacy.c');

const vp_get_status = fn('Asks the legacy device for its status.', function* vp_get_status(vdev: VirtioDevice) {
  return yield* vp_legacy_get_status(vdev.common);
});

const vp_set_status = fn('Tells the legacy device its new status.', function* vp_set_status(vdev: VirtioDevice, status: number) {
  yield* vp_legacy_set_status(vdev.common, status);
});

const vp_reset = fn(
  'Writes a status of 0, and reads it once, so that what was on its way from the device has arrived.',
  function* vp_reset(vdev: VirtioDevice) {
    yield* vp_legacy_set_status(vdev.common, 0);
    yield* vp_legacy_get_status(vdev.common);
    atCall('vp_synchronize_vectors');
  },
);

export const legacy_config_ops = ops('virtio_pci_config_ops', { get_status: vp_get_status, set_status: vp_set_status, reset: vp_reset });

/** Where a legacy queue gets its notify function. */
export const legacy_setup_vq = ops('setup_vq', { notify: vp_notify });
