import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { write_command } from '../../../hardware/pci_function';
import { PCI_COMMAND_INTX_DISABLE, PCI_STATUS_INTERRUPT } from '../../include/uapi/linux/pci_regs';
import type { PciDev } from './pci';

/** INTx masking that looks before it leaps. */

const { fn } = source('linux', 'drivers/pci/irq.c');

const pci_check_and_set_intx_mask = fn(
  'Reads COMMAND and STATUS in one access, and changes DisINTx only if the interrupt status agrees: to mask, the device must be asserting; to unmask, it must not.',
  function* pci_check_and_set_intx_mask(dev: PciDev, mask: boolean) {
    const device = dev.function;
    const irq_pending = (device.PCI_STATUS & PCI_STATUS_INTERRUPT) !== 0;
    at('irq_pending');
    if (mask !== irq_pending) return false;
    const newcmd = mask ? device.PCI_COMMAND | PCI_COMMAND_INTX_DISABLE : device.PCI_COMMAND & ~PCI_COMMAND_INTX_DISABLE;
    if (newcmd !== device.PCI_COMMAND) {
      atCall('write');
      yield* write_command(device, newcmd);
    }
    return true;
  },
);

export const pci_check_and_mask_intx = fn(
  'Masks INTx if, and only if, this device is asserting it. Says whether it was.',
  function* pci_check_and_mask_intx(dev: PciDev) {
    return yield* pci_check_and_set_intx_mask(dev, true);
  },
);

export const pci_check_and_unmask_intx = fn(
  'Unmasks INTx only if the device is not asserting it; otherwise leaves it masked and says so.',
  function* pci_check_and_unmask_intx(dev: PciDev) {
    return yield* pci_check_and_set_intx_mask(dev, false);
  },
);
