import { source } from '../../../../../engine/fn';
import { vfio_pci_core_ioctl, vfio_pci_core_read, vfio_pci_core_write } from './vfio_pci_core';

/** vfio-pci, the driver: what it offers the VFIO core. */

const { ops } = source('linux', 'drivers/vfio/pci/vfio_pci.c');

export const vfio_pci_ops = ops('vfio_pci_ops', {
  ioctl: vfio_pci_core_ioctl,
  read: vfio_pci_core_read,
  write: vfio_pci_core_write,
});
