import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import type { Run } from '../../../../engine/machine';
import type { MsixField } from '../../../hardware/msi';
import type { IrqDesc } from '../../kernel/irq/irqdesc';
import type { AnyPciDev } from '../../drivers/pci/pci';
import * as pci_registers from '../../../hardware/registers/pci';

/** Message-signalled interrupts as the kernel keeps them. */

/** A `msi_msg`: what the device writes, and where. */
export interface MsiMsg {
  readonly address_lo: number;
  readonly data: number;
}

const MsiDescCells = struct('msi_desc', 'One message of a device: what was last written there, and whether the entry is masked.', {
  'msg.address_lo': pci_registers.messageAddress(),
  'msg.data': pci_registers.messageData(32),
  'pci.msix_ctrl': pci_registers.vectorControl(1),
});

/** A `msi_desc`: an MSI-X entry with its interrupt number, or the MSI capability with all of its. */
export type MsiDesc = InstanceOf<typeof MsiDescCells> & {
  readonly dev: AnyPciDev;
  readonly is_msix: boolean;
  readonly msi_index: number;
  readonly irqs: IrqDesc[];
};

/** Allocates a descriptor that has no interrupt numbers yet. */
export const msi_desc = (dev: AnyPciDev, is_msix: boolean, msi_index: number): MsiDesc =>
  Object.assign(MsiDescCells(`${dev.name} ${is_msix ? `MSI-X ${msi_index}` : 'MSI'}`), { dev, is_msix, msi_index, irqs: [] });

const PciMsiCells = struct('pci_dev', 'What the kernel has enabled in a device.', { msi_enabled: bool(), msix_enabled: bool() });

/** What a `pci_dev` has for its messages. */
export type PciMsi = InstanceOf<typeof PciMsiCells> & {
  readonly msi_cap: number;
  readonly msix_cap: number;
  /** How many messages the capability and the table have. */
  readonly msi_vec_count: number;
  readonly msix_vec_count: number;
  /** Whether the domain can give one MSI capability several interrupts: only with interrupt remapping. */
  readonly multi: boolean;
  /** Writes a field of an MSI-X entry: in the device, or in the guest's idea of it. */
  readonly writel: (value: number, entry: number, field: MsixField) => Run;
  readonly descs: Map<number, MsiDesc>;
  /** Allocates the interrupt number of a message. */
  readonly alloc_irq: (desc: MsiDesc, hwirq: number) => IrqDesc;
};

type MsiParts = Pick<PciMsi, 'msi_cap' | 'msix_cap' | 'msi_vec_count' | 'msix_vec_count' | 'multi' | 'writel' | 'alloc_irq'>;

/** What a kernel has for the messages of a device that it has just found. */
export const pci_msi = (name: string, parts: MsiParts): PciMsi =>
  Object.assign(PciMsiCells(name), { ...parts, descs: new Map<number, MsiDesc>() });
