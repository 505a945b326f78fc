import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { atCall } from '../../../../engine/steps';
import { read_config, write_config, type PciFunction } from '../../../hardware/pci_function';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE } from '../../include/uapi/linux/pci_regs';
import type { PciMsi } from '../../include/linux/msi';
import type { IrqDesc } from '../../kernel/irq/irqdesc';

/** How a kernel reaches a configuration space: the host's the device itself, a guest's what its hypervisor shows. */
export interface ConfigAccess {
  readonly read_word: (where: number) => Run<number>;
  readonly write_word: (where: number, value: number) => Run;
  readonly write_dword: (where: number, value: number) => Run;
}

/** A `pci_dev` of any kernel. */
export interface AnyPciDev {
  readonly name: string;
  readonly config: ConfigAccess;
  readonly msi?: PciMsi;
}

/** A `pci_dev` of the host: the kernel's view of the device, with its interrupt. */
export interface PciDev extends AnyPciDev {
  readonly function: PciFunction;
  readonly irq: IrqDesc;
}

/** The host's view of a device. */
export function pci_dev(device: PciFunction, irq: IrqDesc, name: string, msi?: PciMsi): PciDev {
  const write = (where: number, value: number): Run => write_config(device, where, value);
  const config: ConfigAccess = { read_word: (where) => read_config(device, where), write_word: write, write_dword: write };
  return { function: device, irq, name, config, ...(msi === undefined ? {} : { msi }) };
}

const { fn } = source('linux', 'drivers/pci/pci.c');

export const pci_intx = fn(
  'Sets or clears DisINTx, the bit that keeps a device from asserting INTx at all.',
  function* pci_intx(pdev: AnyPciDev, enable: boolean) {
    atCall('pci_read_config_word');
    const pci_command = yield* pdev.config.read_word(PCI_COMMAND);
    const wanted = enable ? pci_command & ~PCI_COMMAND_INTX_DISABLE : pci_command | PCI_COMMAND_INTX_DISABLE;
    if (wanted === pci_command) return;
    atCall('pci_write_config_word');
    yield* pdev.config.write_word(PCI_COMMAND, wanted);
  },
);
