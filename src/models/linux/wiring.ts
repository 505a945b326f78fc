import type { Run } from '../../engine/machine';
import { since } from '../version';
import { msi_ack, msi_handler, pci_msi_controller, pci_msi_ir_controller } from './arch/x86/kernel/apic/msi';
import { apic_chip_data, vector_level, type VectorDomain } from './arch/x86/kernel/apic/vector';
import { intel_ir_data, intel_ir_level } from './drivers/iommu/intel/irq_remapping';
import { pci_msi_domain_update_chip_ops, pci_msi_template, pci_msix_template } from './drivers/pci/msi/irqdomain';
import { msi_domain_ops } from './kernel/irq/msi';
import { pci_msi, type MsiDesc, type MsiMsg, type PciMsi } from './include/linux/msi';
import { irq_desc_of_message, type IrqDesc, type IrqLevel } from './kernel/irq/irqdesc';
import { remappable_address, type Iommu } from '../hardware/iommu';
import { MSI_CAP, MSIX_CAP, write_msix_entry, type MessageSource } from '../hardware/msi';

/** How a kernel's interrupt domains are wired: what stands behind a device's messages on the host, and in a guest. */

/**
 * The level that faces the device, as its kernel makes it: one chip for each kind of message since 6.2, before that one for all,
 * which is another one behind interrupt remapping.
 */
function pci_msi_level(is_msix: boolean, behind: IrqLevel): IrqLevel {
  const remapped = behind.chip.irq_set_vcpu_affinity !== undefined;
  const shared = { ...(remapped ? pci_msi_ir_controller : pci_msi_controller), ...pci_msi_domain_update_chip_ops };
  const own = { ...(is_msix ? pci_msix_template : pci_msi_template), ...msi_ack };
  const chip = since('linux', '6.2') ? own : shared;
  return { chip: { ...chip, parent: behind.chip }, ops: msi_domain_ops };
}

interface Wiring {
  readonly name: string;
  readonly first_irq: number;
  readonly counts: { readonly msi: number; readonly msix: number };
  readonly domain: VectorDomain;
  readonly eoi: () => Run;
  readonly writel: PciMsi['writel'];
  /** Interrupt remapping, where the kernel has it. */
  readonly iommu?: Iommu;
  /** Whether one MSI capability can have several interrupts; only with interrupt remapping unless given. */
  readonly multi?: boolean;
}

/** Makes what a kernel has for the messages of a device. Interrupt numbers are given again when they were freed. */
export function message_domain({ name, first_irq, counts, domain, eoi, writel, iommu, multi }: Wiring): PciMsi {
  const known = new Map<string, IrqDesc>();

  function make(is_msix: boolean, irq: number): IrqDesc {
    const what = `${name} irq ${irq}`;
    const apicd = apic_chip_data(what, is_msix);
    const cpu = vector_level(domain, apicd);
    const remapping = iommu?.remapping === true ? intel_ir_data(what, iommu, apicd) : undefined;
    const behind: readonly [IrqLevel, ...IrqLevel[]] = remapping === undefined ? [cpu] : [intel_ir_level(remapping), cpu];
    const compose_msi_msg = (): MsiMsg =>
      remapping === undefined
        ? { address_lo: APIC_BASE, data: apicd.vector }
        : { address_lo: remappable_address(remapping.index), data: 0 };
    const pin = { mask: nothing, unmask: nothing, eoi };
    const hierarchy: readonly [IrqLevel, ...IrqLevel[]] = [pci_msi_level(is_msix, behind[0]), ...behind];
    return irq_desc_of_message(what, { irq, handle_irq: msi_handler.handle_irq, pin, hierarchy, msi_desc: undefined, compose_msi_msg });
  }

  function alloc_irq(desc: MsiDesc, hwirq: number): IrqDesc {
    const key = `${desc.is_msix} ${desc.msi_index} ${hwirq}`;
    const irq = known.get(key) ?? make(desc.is_msix, first_irq + desc.msi_index + hwirq);
    known.set(key, irq);
    irq.msi_desc = desc;
    return irq;
  }

  return pci_msi(name, {
    msi_cap: MSI_CAP,
    msix_cap: MSIX_CAP,
    msi_vec_count: counts.msi,
    msix_vec_count: counts.msix,
    multi: multi ?? iommu?.remapping === true,
    writel,
    alloc_irq,
  });
}

/** The destination of a message in the old format: the local APIC with ID 0. */
const APIC_BASE = 0xfee00000;
const FIRST_HOST_IRQ = 27;

function* nothing(): Run {}

/** What the host's kernel has for the messages of a device, whose vectors go to one CPU. */
export const host_messages = (name: string, messages: MessageSource, iommu: Iommu): PciMsi =>
  message_domain({
    name,
    first_irq: FIRST_HOST_IRQ,
    counts: { msi: 1 << ((messages.msi.PCI_MSI_FLAGS >> 1) & 7), msix: messages.table.length },
    domain: iommu.lapic,
    eoi: nothing,
    writel: (value, entry, field) => write_msix_entry(messages, entry, field, value),
    iommu,
  });
