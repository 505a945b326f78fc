import { source, through } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import {
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
} from '../../../linux/include/uapi/linux/pci_regs';
import type { MSIMessage } from '../../include/hw/pci/msi';
import type { PCIDevice } from '../../include/hw/pci/pci';
import { pci_device_deassert_intx } from './pci';

/** MSI: the capability in configuration space, and sending its messages. */

const { fn, ops } = source('qemu', 'hw/pci/msi.c');

/** A register of the capability; 0 where the device has none. */
const register = ({ msi_cap, config }: PCIDevice, offset: number): number =>
  msi_cap === undefined ? 0 : (config.get(msi_cap + offset)?.value ?? 0);

const nr_vectors = (dev: PCIDevice): number => 1 << ((register(dev, PCI_MSI_FLAGS) & PCI_MSI_FLAGS_QSIZE) >> 4);

/** msi_enabled(): whether the guest has MSI on. */
export const msi_enabled = (dev: PCIDevice): boolean => (register(dev, PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE) !== 0;

const msi_prepare_message = fn(
  'Reads a vector’s message out of the capability: its number replaces the low bits of the word that all share.',
  function* msi_prepare_message(dev: PCIDevice, vector: number) {
    at('msg');
    const shared = nr_vectors(dev) - 1;
    return { address: register(dev, PCI_MSI_ADDRESS_LO), data: (register(dev, PCI_MSI_DATA_64) & ~shared) | (vector & shared) };
  },
);

/** What msi_init() stores in the device. */
const msi_init = ops('msi_init', { msi_prepare_message });

export const msi_get_message = fn('The message of an MSI vector.', function* msi_get_message(dev: PCIDevice, vector: number) {
  return yield* through('function pointer', 'msi_prepare_message', msi_init.msi_prepare_message)(dev, vector);
});

export const msi_send_message = fn(
  'Sends a message: the device’s write, made by QEMU in its place.',
  function* msi_send_message(dev: PCIDevice, msg: MSIMessage) {
    if (dev.msi_trigger !== undefined) yield* through('function pointer', 'msi_trigger', dev.msi_trigger)(dev, msg);
  },
);

export const msi_notify = fn('Sends the message of an MSI vector.', function* msi_notify(dev: PCIDevice, vector: number) {
  atCall('msi_is_masked');
  yield* msi_send_message(dev, yield* msi_get_message(dev, vector));
});

export const msi_write_config = fn(
  'The configuration space was written. With MSI on, a pin that is still up is taken down: a device uses the one or the other.',
  function* msi_write_config(dev: PCIDevice, addr: number) {
    if (dev.msi_cap === undefined || addr < dev.msi_cap || addr > dev.msi_cap + PCI_MSI_DATA_64) return;
    at('flags');
    if (msi_enabled(dev)) yield* pci_device_deassert_intx(dev);
  },
);

export const msi_nr_vectors_allocated = fn(
  'How many messages the guest lets the device use: Multiple Message Enable.',
  function* msi_nr_vectors_allocated(dev: PCIDevice) {
    at('flags');
    return nr_vectors(dev);
  },
);
