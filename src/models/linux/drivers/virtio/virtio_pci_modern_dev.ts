import { source, via } from '../../../../engine/fn';
import { VIRTIO_PCI_COMMON_STATUS } from '../../include/uapi/linux/virtio_pci';
import { ioread8, iowrite8, io_offset, type IoMem } from '../../lib/iomap';

/** The registers of a virtio 1.0 device: structures in memory, found by PCI capabilities. */

const { fn } = source('linux', 'drivers/virtio/virtio_pci_modern_dev.c');

export const vp_modern_get_status = fn('Reads the device’s status.', function* vp_modern_get_status(mdev: IoMem) {
  return yield* via('vp_ioread8', ioread8)(io_offset(mdev, VIRTIO_PCI_COMMON_STATUS));
});

export const vp_modern_set_status = fn('Writes the device’s status.', function* vp_modern_set_status(mdev: IoMem, status: number) {
  yield* via('vp_iowrite8', iowrite8)(status, io_offset(mdev, VIRTIO_PCI_COMMON_STATUS));
});
