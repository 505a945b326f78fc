import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';
import { write_command, type PciFunction } from '../../../hardware/pci_function';
import { PCI_COMMAND_INTX_DISABLE } from '../../include/uapi/linux/pci_regs';
import type { IrqDesc } from '../../kernel/irq/irqdesc';

/** A `pci_dev`: the kernel's view of the device, with its interrupt. */
export interface PciDev {
  readonly function: PciFunction;
  readonly irq: IrqDesc;
  readonly name: string;
}

const { fn } = source('linux', 'drivers/pci/pci.c');

export const pci_intx = fn(
  'Sets or clears DisINTx, the bit that keeps a device from asserting INTx at all.',
  function* pci_intx(pdev: PciDev, enable: boolean) {
    const { PCI_COMMAND } = pdev.function;
    const wanted = enable ? PCI_COMMAND & ~PCI_COMMAND_INTX_DISABLE : PCI_COMMAND | PCI_COMMAND_INTX_DISABLE;
    if (wanted === PCI_COMMAND) return;
    atCall('pci_write_config_word');
    yield* write_command(pdev.function, wanted);
  },
);
