import { source } from '../../../../../engine/fn';
import { since } from '../../../../version';
import type { MsiDesc, MsiMsg } from '../../../include/linux/msi';
import {
  msi_domain_alloc_irqs_all_locked,
  msi_domain_alloc_irqs_descs_locked,
  msi_domain_free_irqs_all_locked,
  msi_domain_free_irqs_descs_locked,
} from '../../../kernel/irq/msi';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import type { AnyPciDev } from '../pci';
import { __pci_write_msi_msg, pci_msi_mask, pci_msi_unmask, pci_msix_mask, pci_msix_unmask } from './msi';

/** PCI messages as interrupts: the level that faces the device. */

const { fn, ops } = source('linux', 'drivers/pci/msi/irqdomain.c');

export const pci_msi_setup_msi_irqs = fn(
  'Has interrupts allocated for a device’s messages.',
  function* pci_msi_setup_msi_irqs(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    return since('linux', '6.2')
      ? yield* msi_domain_alloc_irqs_all_locked(dev, descs, nvec)
      : yield* msi_domain_alloc_irqs_descs_locked(dev, descs, nvec);
  },
);

export const pci_msi_teardown_msi_irqs = fn(
  'Gives the interrupts of a device’s messages back.',
  function* pci_msi_teardown_msi_irqs(dev: AnyPciDev) {
    if (since('linux', '6.2')) yield* msi_domain_free_irqs_all_locked(dev);
    else yield* msi_domain_free_irqs_descs_locked(dev);
  },
);

const pci_msi_domain_write_msg = fn(
  'Programs a device with a message. Several interrupts of one MSI capability share it: only the first one’s is written.',
  function* pci_msi_domain_write_msg(irq_data: IrqDesc, msg: MsiMsg) {
    const desc = irq_data.msi_desc;
    if (desc !== undefined && desc.irqs[0] === irq_data) yield* __pci_write_msi_msg(desc, msg);
  },
);

const pci_irq_mask_msi = fn('Masks an MSI, if the device can.', function* pci_irq_mask_msi(data: IrqDesc) {
  if (data.msi_desc !== undefined) yield* pci_msi_mask(data.msi_desc);
});

const pci_irq_unmask_msi = fn('Unmasks an MSI, if the device can.', function* pci_irq_unmask_msi(data: IrqDesc) {
  if (data.msi_desc !== undefined) yield* pci_msi_unmask(data.msi_desc);
});

const pci_irq_mask_msix = fn('Masks an MSI-X entry in the device.', function* pci_irq_mask_msix(data: IrqDesc) {
  if (data.msi_desc !== undefined) yield* pci_msix_mask(data.msi_desc);
});

const pci_irq_unmask_msix = fn(
  'Unmasks an MSI-X entry in the device, which then sends what became pending meanwhile.',
  function* pci_irq_unmask_msix(data: IrqDesc) {
    if (data.msi_desc !== undefined) yield* pci_msix_unmask(data.msi_desc);
  },
);

/** The chips of a device’s own domains, since 6.2. */
export const pci_msi_template = ops('pci_msi_template', {
  irq_mask: pci_irq_mask_msi,
  irq_unmask: pci_irq_unmask_msi,
  irq_write_msi_msg: pci_msi_domain_write_msg,
});
export const pci_msix_template = ops('pci_msix_template', {
  irq_mask: pci_irq_mask_msix,
  irq_unmask: pci_irq_unmask_msix,
  irq_write_msi_msg: pci_msi_domain_write_msg,
});
/** What a chip that is shared by all devices gets where it has nothing of its own. */
export const pci_msi_domain_update_chip_ops = ops('pci_msi_domain_update_chip_ops', { irq_write_msi_msg: pci_msi_domain_write_msg });
