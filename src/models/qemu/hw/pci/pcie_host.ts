import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { PCIBus } from '../../include/hw/pci/pci';
import { pci_host_config_read_common, pci_host_config_write_common } from './pci_host';

/** MMCONFIG: configuration space as memory, 4 KiB per function. */

const { fn, ops } = source('qemu', 'hw/pci/pcie_host.c');

const deviceAt = (bus: PCIBus, mmcfg_addr: number) => bus.devices.find(({ devfn }) => devfn === mmcfg_addr >> 12);
const offsetOf = (mmcfg_addr: number): number => mmcfg_addr & 0xfff;

const pcie_mmcfg_data_write = fn(
  'The guest stores into a configuration space. Where there is no device, the write is lost.',
  function* pcie_mmcfg_data_write(bus: PCIBus, mmcfg_addr: number, val: number, len: number) {
    atCall('pcie_dev_find_by_mmcfg_addr');
    const pci_dev = deviceAt(bus, mmcfg_addr);
    if (pci_dev !== undefined) yield* pci_host_config_write_common(pci_dev, offsetOf(mmcfg_addr), val, len);
  },
);

const pcie_mmcfg_data_read = fn(
  'The guest loads from a configuration space. Where there is no device, it reads all ones.',
  function* pcie_mmcfg_data_read(bus: PCIBus, mmcfg_addr: number, len: number) {
    atCall('pcie_dev_find_by_mmcfg_addr');
    const pci_dev = deviceAt(bus, mmcfg_addr);
    return pci_dev === undefined ? 0xffffffff : yield* pci_host_config_read_common(pci_dev, offsetOf(mmcfg_addr), len);
  },
);

export const pcie_mmcfg_ops = ops('pcie_mmcfg_ops', { read: pcie_mmcfg_data_read, write: pcie_mmcfg_data_write });
