import { source, through } from '../../../../engine/fn';
import type { PCIDevice } from '../../include/hw/pci/pci';

const { fn } = source('qemu', 'hw/pci/pci_host.c');

export const pci_host_config_write_common = fn(
  'Writes to a device’s configuration space, whichever way the guest reached it.',
  function* pci_host_config_write_common(pci_dev: PCIDevice, addr: number, val: number, len: number) {
    yield* through('function pointer', 'config_write', pci_dev.config_write)(addr, val, len);
  },
);

export const pci_host_config_read_common = fn(
  'Reads a device’s configuration space.',
  function* pci_host_config_read_common(pci_dev: PCIDevice, addr: number, len: number) {
    return yield* through('function pointer', 'config_read', pci_dev.config_read)(addr, len);
  },
);
