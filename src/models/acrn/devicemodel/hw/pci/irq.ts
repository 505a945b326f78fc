import { source } from '../../../../../engine/fn';
import { vm_set_gsi_irq } from '../../core/vmmapi';
import type { PciVdev } from '../../include/pci_core';

/** Interrupt lines of PCI devices. They are active low. */

const { fn } = source('acrn', 'devicemodel/hw/pci/irq.c');

export const pci_irq_assert = fn('Pulls the device’s line down: it interrupts.', function* pci_irq_assert(dev: PciVdev) {
  yield* vm_set_gsi_irq(dev.vmctx, dev['lintr.ioapic_irq'], 'GSI_SET_LOW');
});

export const pci_irq_deassert = fn('Lets the device’s line go up again.', function* pci_irq_deassert(dev: PciVdev) {
  yield* vm_set_gsi_irq(dev.vmctx, dev['lintr.ioapic_irq'], 'GSI_SET_HIGH');
});
