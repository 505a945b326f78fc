import { bool, hex, means, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import { signal } from '../../engine/steps';
import { message_register, MSI_CAP, send_message, sends_messages, write_capability, type MessageSource } from './msi';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_STATUS_INTERRUPT } from '../linux/include/uapi/linux/pci_regs';
import * as pci_registers from './registers/pci';

/**
 * The physical device: a PCI function with an INTx pin and a BAR with three registers, as QEMU's `edu` has them.
 * Causes accumulate in `irq_status`; the driver reads it and acknowledges what it has seen.
 */

/** Register offsets in BAR 0. */
export const EDU_IRQ_STATUS = 0x24;
export const EDU_RAISE = 0x60;
export const EDU_ACK = 0x64;

const PciFunctionCells = struct('pci_function', 'The device itself: its configuration registers, its interrupt causes, its INTx wire.', {
  PCI_COMMAND: pci_registers.command(0x6),
  PCI_STATUS: pci_registers.status(0x10),
  irq_status: means('The causes that the driver has not acknowledged yet.', hex(32)),
  INTx: means('The INTx wire is asserted.', bool()),
});

export type PciFunction = InstanceOf<typeof PciFunctionCells> & {
  /** Whether the function implements the DisINTx bit and the interrupt status bit of PCI 2.3. */
  readonly pci_2_3: boolean;
  /** What it sends messages with, where it can. */
  readonly messages: MessageSource | undefined;
  /** Registers of the header that only say something, by their offset. */
  readonly header: ReadonlyMap<number, number>;
  /** The step that last raised the wire. */
  raisedAt: number;
};

/** Makes a device. */
export const pci_function = (name: string, pci_2_3: boolean, messages?: MessageSource, header?: ReadonlyMap<number, number>): PciFunction =>
  Object.assign(PciFunctionCells(name), { pci_2_3, messages, header: header ?? new Map<number, number>(), raisedAt: -1 });

const { fn } = source('hardware', 'pci_function');

const signalsByMessage = ({ messages }: PciFunction): boolean => messages !== undefined && sends_messages(messages);

const drive_INTx = fn(
  'The wire follows the causes, unless DisINTx holds it down or the function signals by messages. The status bit follows the causes always.',
  function* drive_INTx(dev: PciFunction) {
    const pending = dev.irq_status !== 0;
    const disabled = dev.pci_2_3 && (dev.PCI_COMMAND & PCI_COMMAND_INTX_DISABLE) !== 0;
    const status = pending ? dev.PCI_STATUS | PCI_STATUS_INTERRUPT : dev.PCI_STATUS & ~PCI_STATUS_INTERRUPT;
    if (dev.pci_2_3 && status !== dev.PCI_STATUS) dev.PCI_STATUS = status;
    const level = pending && !disabled && !signalsByMessage(dev);
    if (level === dev.INTx) return;
    dev.INTx = level;
    if (level) dev.raisedAt = signal('line', 'INTx', 'The wire reaches the host’s I/O APIC.');
  },
);

export const raise_cause = fn(
  'Something happened in the device: a cause is added.',
  function* raise_cause(dev: PciFunction, cause: number) {
    dev.irq_status |= cause;
    yield* drive_INTx(dev);
    if (dev.messages !== undefined && sends_messages(dev.messages)) yield* send_message(dev.messages, 31 - Math.clz32(cause));
  },
);

export const clear_cause = fn(
  'The device withdraws a cause, or the driver acknowledged it.',
  function* clear_cause(dev: PciFunction, cause: number) {
    dev.irq_status &= ~cause;
    yield* drive_INTx(dev);
  },
);

export const write_command = fn(
  'A write to the COMMAND register reaches the device.',
  function* write_command(dev: PciFunction, value: number) {
    // A function older than PCI 2.3 has no DisINTx: the bit reads as zero whatever is written.
    dev.PCI_COMMAND = dev.pci_2_3 ? value : value & ~PCI_COMMAND_INTX_DISABLE;
    yield* drive_INTx(dev);
  },
);

export const read_config = fn(
  'A read of the configuration space reaches the device.',
  function* read_config(dev: PciFunction, where: number) {
    if (where === PCI_COMMAND) return dev.PCI_COMMAND;
    const message = dev.messages === undefined ? undefined : message_register(dev.messages, where);
    return message?.value ?? dev.header.get(where) ?? 0;
  },
);

export const write_config = fn(
  'A write to the configuration space reaches the device. Enabling messages takes the wire down, disabling them lets it follow the causes again.',
  function* write_config(dev: PciFunction, where: number, value: number) {
    if (where === PCI_COMMAND) yield* write_command(dev, value);
    else if (where >= MSI_CAP && dev.messages !== undefined) {
      yield* write_capability(dev.messages, where, value);
      yield* drive_INTx(dev);
    }
  },
);

export const read_register = fn('A load from BAR 0 reaches the device.', function* read_register(dev: PciFunction, offset: number) {
  return offset === EDU_IRQ_STATUS ? dev.irq_status : 0;
});

export const write_register = fn(
  'A store to BAR 0 reaches the device.',
  function* write_register(dev: PciFunction, offset: number, value: number) {
    if (offset === EDU_ACK) yield* clear_cause(dev, value);
    else if (offset === EDU_RAISE) yield* raise_cause(dev, value);
  },
);
