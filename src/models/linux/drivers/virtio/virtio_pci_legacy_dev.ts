import { source } from '../../../../engine/fn';
import { VIRTIO_PCI_STATUS } from '../../include/uapi/linux/virtio_pci';
import { ioread8, iowrite8, io_offset, type IoMem } from '../../lib/iomap';

/** The registers of a legacy virtio device: a few ports in BAR 0. */

const { fn } = source('linux', 'drivers/virtio/virtio_pci_legacy_dev.c');

export const vp_legacy_get_status = fn('Reads the device’s status.', function* vp_legacy_get_status(ldev: IoMem) {
  return yield* ioread8(io_offset(ldev, VIRTIO_PCI_STATUS));
});

export const vp_legacy_set_status = fn('Writes the device’s status.', function* vp_legacy_set_status(ldev: IoMem, status: number) {
  yield* iowrite8(status, io_offset(ldev, VIRTIO_PCI_STATUS));
});
