import { source, through } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { MSIX_ENTRY_OFFSET, PCI_MSIX_ENTRY_SIZE, type MsixField } from '../../../hardware/msi';
import {
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
} from '../../../linux/include/uapi/linux/pci_regs';
import type { MsixEntry, MsixNotifiers, MsixState } from '../../include/hw/pci/msi';
import type { PCIDevice } from '../../include/hw/pci/pci';
import { msi_send_message } from './msi';
import { pci_device_deassert_intx } from './pci';

/** MSI-X: a table of messages in the device's memory, each with a mask and a pending bit, which QEMU emulates. */

const { fn, ops } = source('qemu', 'hw/pci/msix.c');

const flagsOf = ({ msix }: PCIDevice): number => msix?.cells['config[PCI_MSIX_FLAGS]'] ?? 0;

/** msix_enabled(): whether the guest has MSI-X on. */
export const msix_enabled = (dev: PCIDevice): boolean => (flagsOf(dev) & PCI_MSIX_FLAGS_ENABLE) !== 0;

function entryOf({ name, msix }: PCIDevice, vector: number): MsixEntry {
  const entry = msix?.msix_table[vector];
  if (entry === undefined) throw new Error(`${name} has no MSI-X vector ${vector}`);
  return entry;
}

function stateOf({ name, msix }: PCIDevice): MsixState {
  if (msix === undefined) throw new Error(`${name} has no MSI-X capability`);
  return msix;
}

const isMasked = (entry: MsixEntry, function_masked: boolean): boolean =>
  function_masked || (entry.PCI_MSIX_ENTRY_VECTOR_CTRL & PCI_MSIX_ENTRY_CTRL_MASKBIT) !== 0;

/** msix_is_masked(): by its own bit, or with the whole function. */
export const msix_is_masked = (dev: PCIDevice, vector: number): boolean =>
  isMasked(entryOf(dev, vector), stateOf(dev).cells.msix_function_masked);

const msix_prepare_message = fn(
  'Reads a vector’s message out of the table.',
  function* msix_prepare_message(dev: PCIDevice, vector: number) {
    const entry = entryOf(dev, vector);
    at('msg');
    return { address: entry.PCI_MSIX_ENTRY_LOWER_ADDR, data: entry.PCI_MSIX_ENTRY_DATA };
  },
);

/** What msix_init() stores in the device. */
const msix_init = ops('msix_init', { msix_prepare_message });

export const msix_get_message = fn('The message of an MSI-X vector.', function* msix_get_message(dev: PCIDevice, vector: number) {
  return yield* through('function pointer', 'msix_prepare_message', msix_init.msix_prepare_message)(dev, vector);
});

const msix_set_pending = fn('Remembers an interrupt of a masked vector.', function* msix_set_pending(dev: PCIDevice, vector: number) {
  atCall('msix_pending_byte');
  entryOf(dev, vector).msix_pba = true;
});

const msix_clr_pending = fn('Forgets it.', function* msix_clr_pending(dev: PCIDevice, vector: number) {
  atCall('msix_pending_byte');
  entryOf(dev, vector).msix_pba = false;
});

const msix_fire_vector_notifier = fn(
  'Tells the device that the guest has unmasked a vector, with its message, or masked it.',
  function* msix_fire_vector_notifier(dev: PCIDevice, vector: number, is_masked: boolean) {
    const notifiers = stateOf(dev).notifiers;
    at('msix_vector_use_notifier');
    if (notifiers === undefined) return;
    if (is_masked) {
      yield* through('function pointer', 'msix_vector_release_notifier', notifiers.release)(vector);
      return;
    }
    const msg = yield* msix_get_message(dev, vector);
    behind('msix_get_message');
    yield* through('function pointer', 'msix_vector_use_notifier', notifiers.use)(vector, msg);
  },
);

const msix_handle_mask_update = fn(
  'A vector’s mask may have changed. The device hears of it first; then what became pending meanwhile is sent.',
  function* msix_handle_mask_update(dev: PCIDevice, vector: number, was_masked: boolean) {
    const is_masked = msix_is_masked(dev, vector);
    at('is_masked');
    if (is_masked === was_masked) return;
    yield* msix_fire_vector_notifier(dev, vector, is_masked);
    if (is_masked || !entryOf(dev, vector).msix_pba) return;
    yield* msix_clr_pending(dev, vector);
    yield* msix_notify(dev, vector);
  },
);

const msix_update_function_masked = fn(
  'The function is masked as a whole while MSI-X is off, or by its mask bit.',
  function* msix_update_function_masked(dev: PCIDevice) {
    stateOf(dev).cells.msix_function_masked = !msix_enabled(dev) || (flagsOf(dev) & PCI_MSIX_FLAGS_MASKALL) !== 0;
  },
);

export const msix_write_config = fn(
  'The configuration space was written: the guest may have switched MSI-X on or off, or masked it as a whole.',
  function* msix_write_config(dev: PCIDevice, addr: number) {
    if (dev.msix === undefined || dev.msix_cap === undefined || addr !== dev.msix_cap + PCI_MSIX_FLAGS) return;
    const was_masked = dev.msix.cells.msix_function_masked;
    yield* msix_update_function_masked(dev);
    if (!msix_enabled(dev)) return;
    yield* pci_device_deassert_intx(dev);
    if (dev.msix.cells.msix_function_masked === was_masked) return;
    for (const [vector, entry] of dev.msix.msix_table.entries()) yield* msix_handle_mask_update(dev, vector, isMasked(entry, was_masked));
  },
);

const fieldAt = (offset: number): MsixField | undefined =>
  (Object.keys(MSIX_ENTRY_OFFSET) as MsixField[]).find((field) => MSIX_ENTRY_OFFSET[field] === offset % PCI_MSIX_ENTRY_SIZE);

const msix_table_mmio_read = fn(
  'The guest reads the table: what it wrote.',
  function* msix_table_mmio_read(dev: PCIDevice, addr: number, _size: number) {
    const field = fieldAt(addr);
    atCall('pci_get_long');
    return field === undefined ? 0 : entryOf(dev, Math.floor(addr / PCI_MSIX_ENTRY_SIZE))[field];
  },
);

const msix_table_mmio_write = fn(
  'The guest writes the table. The device’s own table is the host’s: this one is QEMU’s, and every store to it exits.',
  function* msix_table_mmio_write(dev: PCIDevice, addr: number, val: number, _size: number) {
    const vector = Math.floor(addr / PCI_MSIX_ENTRY_SIZE);
    const field = fieldAt(addr);
    const was_masked = msix_is_masked(dev, vector);
    atCall('pci_set_long');
    if (field !== undefined) entryOf(dev, vector)[field] = val;
    yield* msix_handle_mask_update(dev, vector, was_masked);
  },
);

export const msix_table_mmio_ops = ops('msix_table_mmio_ops', { read: msix_table_mmio_read, write: msix_table_mmio_write });

const msix_pba_mmio_read = fn(
  'The guest reads pending bits: the emulated ones, as long as any is set; otherwise it reads the device’s.',
  function* msix_pba_mmio_read(dev: PCIDevice, _addr: number, _size: number) {
    atCall('pci_get_long');
    return stateOf(dev).msix_table.reduce((word, { msix_pba }, vector) => word | (Number(msix_pba) << vector), 0);
  },
);

const msix_pba_mmio_write = fn(
  'The pending bits cannot be written.',
  function* msix_pba_mmio_write(_dev: PCIDevice, _addr: number, _val: number, _size: number) {},
);

export const msix_pba_mmio_ops = ops('msix_pba_mmio_ops', { read: msix_pba_mmio_read, write: msix_pba_mmio_write });

export const msix_notify = fn(
  'Sends a vector’s message, or where the vector is masked sets its pending bit instead.',
  function* msix_notify(dev: PCIDevice, vector: number) {
    at('msix_entry_used');
    if (entryOf(dev, vector).msix_entry_used === 0) return;
    if (msix_is_masked(dev, vector)) {
      yield* msix_set_pending(dev, vector);
      return;
    }
    yield* msi_send_message(dev, yield* msix_get_message(dev, vector));
  },
);

export const msix_vector_use = fn(
  'A vector has one more user: only then are its interrupts sent.',
  function* msix_vector_use(dev: PCIDevice, vector: number) {
    entryOf(dev, vector).msix_entry_used += 1;
  },
);

export const msix_vector_unuse = fn(
  'A vector has one user less; with the last one goes what is pending.',
  function* msix_vector_unuse(dev: PCIDevice, vector: number) {
    const entry = entryOf(dev, vector);
    if (entry.msix_entry_used === 0) return;
    entry.msix_entry_used -= 1;
    if (entry.msix_entry_used === 0) yield* msix_clr_pending(dev, vector);
  },
);

const msix_set_notifier_for_vector = fn(
  'Tells a new listener of a vector that is in use already.',
  function* msix_set_notifier_for_vector(dev: PCIDevice, vector: number) {
    const use = stateOf(dev).notifiers?.use;
    if (use === undefined || msix_is_masked(dev, vector)) return 0;
    const msg = yield* msix_get_message(dev, vector);
    return yield* through('function pointer', 'msix_vector_use_notifier', use)(vector, msg);
  },
);

export const msix_set_vector_notifiers = fn(
  'Asks to be told when the guest masks and unmasks vectors; those that are unmasked are told at once.',
  function* msix_set_vector_notifiers(dev: PCIDevice, notifiers: MsixNotifiers) {
    at('msix_vector_use_notifier');
    stateOf(dev).notifiers = notifiers;
    if ((flagsOf(dev) & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) !== PCI_MSIX_FLAGS_ENABLE) return 0;
    for (const vector of stateOf(dev).msix_table.keys()) yield* msix_set_notifier_for_vector(dev, vector);
    return 0;
  },
);

const msix_unset_notifier_for_vector = fn(
  'Has a listener let go of a vector that is in use.',
  function* msix_unset_notifier_for_vector(dev: PCIDevice, vector: number) {
    const release = stateOf(dev).notifiers?.release;
    if (release === undefined || msix_is_masked(dev, vector)) return;
    yield* through('function pointer', 'msix_vector_release_notifier', release)(vector);
  },
);

export const msix_unset_vector_notifiers = fn('Does not want to be told any more.', function* msix_unset_vector_notifiers(dev: PCIDevice) {
  if ((flagsOf(dev) & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) === PCI_MSIX_FLAGS_ENABLE)
    for (const vector of stateOf(dev).msix_table.keys()) yield* msix_unset_notifier_for_vector(dev, vector);
  atWrite('msix_vector_use_notifier', 'msix_unset_notifier_for_vector');
  stateOf(dev).notifiers = undefined;
});
