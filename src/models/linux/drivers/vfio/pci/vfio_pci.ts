import { boundPointer, source } from '../../../../../engine/fn';
import type { VfioDeviceOps } from '../../../include/linux/vfio';
import { vfio_pci_core_ioctl, vfio_pci_core_read, vfio_pci_core_write } from './vfio_pci_core';
import type { VfioPciCoreDevice } from './vfio_pci_priv';

/** vfio-pci, the driver: what it offers the VFIO core. */

const { ops } = source('linux', 'drivers/vfio/pci/vfio_pci.c');

const table = ops('vfio_pci_ops', {
  ioctl: vfio_pci_core_ioctl,
  read: vfio_pci_core_read,
  write: vfio_pci_core_write,
});

/** vfio-pci's operations on one device. */
export const vfio_pci_ops = (vdev: () => VfioPciCoreDevice): VfioDeviceOps => ({
  ioctl: boundPointer(table.ioctl, vdev),
  read: boundPointer(table.read, vdev),
  write: boundPointer(table.write, vdev),
});
