import type { History } from '../../history';

/** The other drivers, and the block layer: PCI, IOMMU, the driver core, virtio, serial lines, ACRN. */
export const drivers: History['files'] = {
  'drivers/base/bus.c': {
    driver_override_store: [{ until: '6.12', path: 'drivers/pci/pci-sysfs.c' }],
  },
  'drivers/pci/irq.c': {
    '*': [{ until: '6.10', path: 'drivers/pci/pci.c' }],
  },
  'drivers/pci/msi/api.c': {
    '*': [{ until: '6.2', path: 'drivers/pci/msi/msi.c' }],
    pci_alloc_irq_vectors: [{ until: '6.2', path: 'include/linux/pci.h' }],
  },
  'drivers/pci/msi/msi.c': {
    pci_free_msi_irqs: [{ until: '6.2', symbol: 'free_msi_irqs' }],
  },
  'drivers/pci/msi/msi.h': {
    '*': [{ until: '6.2', path: 'drivers/pci/msi/msi.c' }],
  },
  'drivers/tty/serial/serial_core.c': {
    uart_change_line_settings: [{ until: '6.1', symbol: 'uart_change_speed' }],
  },
  'drivers/virtio/virtio_pci_common.c': {
    vp_find_one_vq_msix: [{ until: '6.11', symbol: 'vp_find_vqs_msix' }],
  },
};
