import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import type { PCIBus, PCIDevice } from '../../include/hw/pci/pci';

/** The host bridge: configuration space through the ports 0xCF8 and 0xCFC. */

export const CONFIG_ADDRESS = 0xcf8;
export const CONFIG_DATA = 0xcfc;
const ENABLE = 0x80000000;

const PCIHostCells = struct('PCIHostState', 'The host bridge: the register that the guest has selected.', { config_reg: hex(32) });

export type PCIHostState = InstanceOf<typeof PCIHostCells> & { readonly bus: PCIBus };

/** Makes the bridge to a bus. */
export const pci_host = (bus: PCIBus): PCIHostState => Object.assign(PCIHostCells('host bridge'), { bus });

/** What the guest writes to 0xCF8 to select a register. */
export const config_address = (devfn: number, offset: number): number => (ENABLE | (devfn << 8) | (offset & 0xfc)) >>> 0;

const { fn, ops } = source('qemu', 'hw/pci/pci_host.c');

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

/** pci_dev_find_by_addr(): the device that an address of the bus selects. */
const deviceAt = (bus: PCIBus, addr: number): PCIDevice | undefined => bus.devices.find(({ devfn }) => devfn === ((addr >>> 8) & 0xff));

const pci_data_write = fn(
  'Finds the device by bus, slot and function. Where there is none, the write is lost.',
  function* pci_data_write(s: PCIBus, addr: number, val: number, len: number) {
    atCall('pci_dev_find_by_addr');
    const pci_dev = deviceAt(s, addr);
    if (pci_dev !== undefined) yield* pci_host_config_write_common(pci_dev, addr & 0xff, val, len);
  },
);

const pci_data_read = fn(
  'Finds the device by bus, slot and function. Where there is none, it reads all ones.',
  function* pci_data_read(s: PCIBus, addr: number, len: number) {
    atCall('pci_dev_find_by_addr');
    const pci_dev = deviceAt(s, addr);
    return pci_dev === undefined ? 0xffffffff : yield* pci_host_config_read_common(pci_dev, addr & 0xff, len);
  },
);

const pci_host_config_write = fn(
  'The guest selects a register. Only a whole word does so.',
  function* pci_host_config_write(s: PCIHostState, addr: number, val: number, len: number) {
    if (addr !== 0 || len !== 4) return;
    s.config_reg = val;
  },
);

const pci_host_config_read = fn(
  'The guest asks which register is selected.',
  function* pci_host_config_read(s: PCIHostState, _addr: number, _len: number) {
    return s.config_reg;
  },
);

const pci_host_data_write = fn(
  'The guest writes the selected register, if the enable bit is set.',
  function* pci_host_data_write(s: PCIHostState, addr: number, val: number, len: number) {
    if (s.config_reg & ENABLE) yield* pci_data_write(s.bus, s.config_reg | (addr & 3), val, len);
  },
);

const pci_host_data_read = fn(
  'The guest reads the selected register.',
  function* pci_host_data_read(s: PCIHostState, addr: number, len: number) {
    return s.config_reg & ENABLE ? yield* pci_data_read(s.bus, s.config_reg | (addr & 3), len) : 0xffffffff;
  },
);

export const pci_host_conf_le_ops = ops('pci_host_conf_le_ops', { read: pci_host_config_read, write: pci_host_config_write });
export const pci_host_data_le_ops = ops('pci_host_data_le_ops', { read: pci_host_data_read, write: pci_host_data_write });
