import { source } from '../../../../../../engine/fn';
import { handle_edge_irq, irq_chip_ack_parent } from '../../../../kernel/irq/chip';
import { pci_msi_mask_irq, pci_msi_unmask_irq } from '../../../../drivers/pci/msi/msi';

/** How x86 sets up the interrupts that devices send as messages. */

const { ops } = source('linux', 'arch/x86/kernel/apic/msi.c');

/** The flow handler of a message, and how it is acknowledged. */
export const msi_handler = ops('x86_init_dev_msi_info', { handle_irq: handle_edge_irq });
export const msi_ack = ops('x86_init_dev_msi_info', { irq_ack: irq_chip_ack_parent });

/** The chips that all devices share until 6.2: without interrupt remapping, and behind it. */
const chip = { irq_mask: pci_msi_mask_irq, irq_unmask: pci_msi_unmask_irq, irq_ack: irq_chip_ack_parent };
export const pci_msi_controller = ops('pci_msi_controller', chip);
export const pci_msi_ir_controller = ops('pci_msi_ir_controller', chip);
