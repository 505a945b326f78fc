import { struct, type InstanceOf } from '../../../../../../../engine/cell';
import * as ioapic_registers from '../../../../../../hardware/registers/ioapic';

/** Registers of the I/O APIC and the local APIC, as the hypervisor's header names them. */

export const IOAPIC_RTE_DELMODE_FIXED = 0;
export const IOAPIC_RTE_DELMODE_LOPRI = 1;
export const IOAPIC_RTE_DELMODE_EXINT = 7;

const LOW = {
  dest_mode: 'dest_mode',
  delivery_status: 'delivery_status',
  polarity: 'intr_polarity',
  remote_irr: 'remote_irr',
  trigger_mode: 'trigger_mode',
  mask: 'intr_mask',
} as const;

const RteCells = struct(
  'ioapic_rte',
  'A redirection entry: vector, delivery mode and flags in the low half, the destination on top of the high one.',
  {
    'u.lo_32': ioapic_registers.entryLow(LOW),
    'u.hi_32': ioapic_registers.entryHigh(),
  },
);
export type IoapicRte = InstanceOf<typeof RteCells>;

/** Makes an entry as a reset leaves it: masked. */
export const ioapic_rte = (name: string): IoapicRte => RteCells(name, { 'u.lo_32': 0x10000, 'u.hi_32': 0x10000 });

/** What the bits of an entry mean: `bits` of the C union. */
export const rteBits = (rte: Pick<IoapicRte, 'u.lo_32' | 'u.hi_32'>) => ({
  vector: rte['u.lo_32'] & 0xff,
  delivery_mode: (rte['u.lo_32'] >>> 8) & 7,
  /** Physical, if not logical. */
  phys: ((rte['u.lo_32'] >>> 11) & 1) === 0,
  /** Active low, if not high. */
  activeLow: ((rte['u.lo_32'] >>> 13) & 1) === 1,
  remote_irr: ((rte['u.lo_32'] >>> 14) & 1) === 1,
  level: ((rte['u.lo_32'] >>> 15) & 1) === 1,
  masked: ((rte['u.lo_32'] >>> 16) & 1) === 1,
  dest_field: rte['u.hi_32'] >>> 24,
});

/** Bit 14 of the low half. */
export const REMOTE_IRR = 1 << 14;
