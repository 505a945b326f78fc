import { source } from '../../../../../engine/fn';
import { at, behind } from '../../../../../engine/steps';
import type { PciVdev } from '../../include/pci_core';

/** Which pins of the I/O APIC PCI devices get: those above the old sixteen, so that the PIC never hears of them. */

const LEGACY_IRQ_NUM = 16;

const { fn } = source('acrn', 'devicemodel/hw/platform/ioapic.c');

export const ioapic_pci_alloc_irq = fn('The next free pin.', function* ioapic_pci_alloc_irq(dev: PciVdev) {
  behind('last_pin');
  at('last_pin');
  return LEGACY_IRQ_NUM + dev.vmctx.pci_devices.indexOf(dev);
});
