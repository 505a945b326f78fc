import { bool, hex, int, means, struct, type InstanceOf } from '../../../../../engine/cell';
import type { Pointer } from '../../../../../engine/fn';
import { PCI_MSI_FLAGS_64BIT, PCI_MSIX_FLAGS_ENABLE } from '../../../../linux/include/uapi/linux/pci_regs';
import type { MemoryRegion } from '../../exec/memory';
import * as pci_registers from '../../../../hardware/registers/pci';

/** Message capabilities as QEMU emulates them. */

/** An `MSIMessage`: a write of `data` to `address`. */
export interface MSIMessage {
  readonly address: number;
  readonly data: number;
}

/** The MSI capability in QEMU's copy of the configuration space. */
export const MsiCells = struct('PCIDevice', 'The MSI capability, as the guest has programmed it.', {
  'config[PCI_MSI_FLAGS]': pci_registers.msiFlags(PCI_MSI_FLAGS_64BIT),
  'config[PCI_MSI_ADDRESS_LO]': pci_registers.messageAddress(),
  'config[PCI_MSI_ADDRESS_HI]': hex(32),
  'config[PCI_MSI_DATA_64]': pci_registers.messageData(16),
});

/** The MSI-X capability and what goes with it. */
export const MsixCells = struct('PCIDevice', 'The MSI-X capability, as the guest has programmed it.', {
  'config[PCI_MSIX_FLAGS]': pci_registers.msixFlags(),
  msix_function_masked: bool(true),
});

const EntryCells = struct(
  'msix_table',
  'An entry of the MSI-X table that the guest sees, with its pending bit and the number of its users.',
  {
    PCI_MSIX_ENTRY_LOWER_ADDR: pci_registers.messageAddress(),
    PCI_MSIX_ENTRY_DATA: pci_registers.messageData(32),
    PCI_MSIX_ENTRY_VECTOR_CTRL: pci_registers.vectorControl(1),
    msix_pba: means(pci_registers.PENDING, bool()),
    msix_entry_used: int(),
  },
);
export type MsixEntry = InstanceOf<typeof EntryCells>;

/** Whom the MSI-X core tells that a vector may be used from now on, or must not be. */
export interface MsixNotifiers {
  readonly use: Pointer<[nr: number, msg: MSIMessage], number>;
  readonly release: Pointer<[nr: number], void>;
}

/** What a device has for MSI-X. */
export interface MsixState {
  readonly cells: InstanceOf<typeof MsixCells>;
  readonly msix_table: readonly MsixEntry[];
  /** The pending bits as memory: only visible where somebody has something pending. */
  readonly msix_pba_mmio: MemoryRegion | undefined;
  notifiers: MsixNotifiers | undefined;
}

/** Makes the state of a capability with so many entries, all masked. */
export const msix_state = (name: string, entries: number, msix_pba_mmio?: MemoryRegion): MsixState => ({
  cells: MsixCells(name, { 'config[PCI_MSIX_FLAGS]': entries - 1 }),
  msix_table: Array.from({ length: entries }, (_, n) => EntryCells(`${name} ${n}`)),
  msix_pba_mmio,
  notifiers: undefined,
});

/** Makes the state of a capability that the guest has programmed already: enabled, with these messages in use and nothing masked. */
export const programmed_msix_state = (name: string, messages: readonly MSIMessage[]): MsixState => ({
  cells: MsixCells(name, { 'config[PCI_MSIX_FLAGS]': PCI_MSIX_FLAGS_ENABLE | (messages.length - 1), msix_function_masked: false }),
  msix_table: messages.map(({ address, data }, n) =>
    EntryCells(`${name} ${n}`, {
      PCI_MSIX_ENTRY_LOWER_ADDR: address,
      PCI_MSIX_ENTRY_DATA: data,
      PCI_MSIX_ENTRY_VECTOR_CTRL: 0,
      msix_entry_used: 1,
    }),
  ),
  msix_pba_mmio: undefined,
  notifiers: undefined,
});
