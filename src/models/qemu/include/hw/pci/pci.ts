import { hex, int, struct, type InstanceOf } from '../../../../../engine/cell';
import { source, type Pointer } from '../../../../../engine/fn';
import { element, type Element } from '../../../element';
import { pci_set_irq } from '../../../hw/pci/pci';
import type { Mutex } from '../../../../../engine/mutex';
import type { AddressSpace } from '../../exec/memory';
import type { MSIMessage, MsixState } from './msi';
import * as pci_registers from '../../../../hardware/registers/pci';

/** PCI devices and buses as QEMU emulates them. */

export const PCI_NUM_PINS = 4;

export const PCI_INTX_ENABLED = 0;
export const PCI_INTX_INVERTED = 1;
export const PCI_INTX_DISABLED = 2;
export const PCI_INTX_MODES = { PCI_INTX_ENABLED, PCI_INTX_INVERTED, PCI_INTX_DISABLED } as const;

/** Where a device's INTx pin ends up: the GSI, for whoever wants to raise it without going through the bus. */
export interface PCIINTxRoute {
  readonly mode: 0 | 1 | 2;
  readonly irq: number;
}

/** PCI_DEVFN(). */
export const PCI_DEVFN = (slot: number, func: number): number => (slot << 3) | func;

/** A PCI device on an emulated bus. */
export interface PCIDevice {
  readonly name: string;
  readonly devfn: number;
  readonly bus: PCIBus;
  /** One bit per INTx pin that the device drives. */
  irq_state: number;
  /** The registers of the configuration space that matter here, by offset. */
  readonly config: ReadonlyMap<number, Element>;
  readonly config_read: Pointer<[addr: number, len: number], number>;
  readonly config_write: Pointer<[addr: number, val: number, len: number], void>;
  intx_routing_notifier: Pointer<[], void> | undefined;
  /** Where the message capabilities are in the configuration space, of a device that has them. */
  readonly msi_cap?: number;
  readonly msix_cap?: number;
  readonly msix?: MsixState;
  readonly msi_trigger?: Pointer<[dev: PCIDevice, msg: MSIMessage], void>;
  /** What the device's writes reach, and the lock of whoever is behind it. */
  readonly bus_master_as?: { readonly as: AddressSpace; readonly qemu_global_mutex: Mutex };
}

/** The cells of a device that raises INTx; `config` is QEMU's own copy, which a passed-through device has too. */
export const PCIDeviceCells = struct(
  'PCIDevice',
  'A PCI device as QEMU’s bus sees it: the pins that it drives, and QEMU’s copy of its configuration space.',
  {
    irq_state: hex(8),
    'config[PCI_COMMAND]': pci_registers.command(0x6),
    'config[PCI_STATUS]': pci_registers.status(0x10),
  },
);

const PCIBusCells = struct('PCIBus', 'An emulated PCI bus: how many devices assert each interrupt line of its host bridge.', {
  'irq_count[0]': int(),
  'irq_count[1]': int(),
  'irq_count[2]': int(),
  'irq_count[3]': int(),
  'irq_count[4]': int(),
  'irq_count[5]': int(),
  'irq_count[6]': int(),
  'irq_count[7]': int(),
});

/** How the board routes the bus's interrupts; the interrupt controller is filled in. */
export interface PCIBusIrqs {
  readonly map_irq: Pointer<[devfn: number, pin: number], number>;
  readonly set_irq: Pointer<[irq_num: number, level: 0 | 1], void>;
  readonly route_intx_to_irq: Pointer<[pin: number], PCIINTxRoute>;
}

export type PCIBus = InstanceOf<typeof PCIBusCells> & {
  readonly irq_count: readonly Element[];
  readonly devices: PCIDevice[];
  readonly irqs: PCIBusIrqs;
};

/** Makes a bus with eight interrupt lines, PIRQ A to H. */
export function pci_bus(name: string, irqs: PCIBusIrqs): PCIBus {
  const cells = PCIBusCells(name);
  const irq_count = [
    element(cells, 'irq_count[0]'),
    element(cells, 'irq_count[1]'),
    element(cells, 'irq_count[2]'),
    element(cells, 'irq_count[3]'),
    element(cells, 'irq_count[4]'),
    element(cells, 'irq_count[5]'),
    element(cells, 'irq_count[6]'),
    element(cells, 'irq_count[7]'),
  ];
  return Object.assign(cells, { irq_count, devices: [], irqs });
}

/** pci_bus_get_irq_level(): whether any device asserts a line. */
export const pci_bus_get_irq_level = (bus: PCIBus, irq_num: number): 0 | 1 => (bus.irq_count[irq_num]?.value ? 1 : 0);

const { fn } = source('qemu', 'include/hw/pci/pci.h');

export const pci_irq_assert = fn('The device raises its interrupt pin.', function* pci_irq_assert(pci_dev: PCIDevice) {
  yield* pci_set_irq(pci_dev, 1);
});

export const pci_irq_deassert = fn('The device lowers its interrupt pin.', function* pci_irq_deassert(pci_dev: PCIDevice) {
  yield* pci_set_irq(pci_dev, 0);
});
