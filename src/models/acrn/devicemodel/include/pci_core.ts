import { bool, int, means, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import type { OpsTable } from '../../../../engine/fn';
import type { Fn } from '../../../../engine/fn';
import { pthread_mutex, type PthreadMutex } from '../pthread';
import type { Vmctx } from './dm';
import * as pci_registers from '../../../hardware/registers/pci';

/** PCI devices of the device model. */

export const LINTR_STATES = { IDLE: 0, ASSERTED: 1, PENDING: 2 } as const;
export const { IDLE, ASSERTED, PENDING } = LINTR_STATES;

const VdevCells = struct('pci_vdev', 'A virtual PCI device: which kind of interrupt its driver has enabled, and the state of its line.', {
  'msi.enabled': bool(),
  'msix.enabled': bool(),
  'msix.function_mask': bool(),
  'lintr.state': means('The line: down, up, or to be up once DisINTx is cleared (PENDING).', oneOf(LINTR_STATES, IDLE)),
  'lintr.pin': int(),
  'lintr.ioapic_irq': int(),
});

const MsixTableEntry = struct('msix_table_entry', 'An entry of the MSI-X table, in BAR 1.', {
  addr: pci_registers.messageAddress(),
  msg_data: pci_registers.messageData(32),
  vector_control: pci_registers.vectorControl(1),
});
export type MsixTableEntry = InstanceOf<typeof MsixTableEntry>;
export const msix_table_entry = MsixTableEntry;
export const PCIM_MSIX_VCTRL_MASK = 1;

/** A BAR that has an address. */
export interface PciBar {
  readonly type: 'PCIBAR_IO' | 'PCIBAR_MEM32' | 'PCIBAR_MEM64';
  readonly addr: number;
  readonly size: number;
}

/** What a kind of device does: `pci_vdev_ops`. */
export type PciVdevOps = OpsTable<{
  readonly vdev_init: Fn<[ctx: Vmctx, dev: PciVdev], number>;
  readonly vdev_barwrite: Fn<[dev: PciVdev, baridx: number, offset: number, size: number, value: number], void>;
  readonly vdev_barread: Fn<[dev: PciVdev, baridx: number, offset: number, size: number], number>;
}>;

export type PciVdev = InstanceOf<typeof VdevCells> & {
  readonly name: string;
  readonly vmctx: Vmctx;
  readonly dev_ops: PciVdevOps;
  readonly bar: (PciBar | undefined)[];
  readonly msix_table: MsixTableEntry[];
  msix_table_bar: number;
  readonly lintr_lock: PthreadMutex;
  /** What the device is: `arg`. */
  arg: unknown;
};

/** Allocates a device. */
export const pci_vdev = (name: string, vmctx: Vmctx, dev_ops: PciVdevOps): PciVdev =>
  Object.assign(VdevCells(name), {
    name,
    vmctx,
    dev_ops,
    bar: [],
    msix_table: [],
    msix_table_bar: -1,
    lintr_lock: pthread_mutex(`${name} lintr.lock`),
    arg: undefined,
  });
