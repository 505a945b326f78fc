import { bool, hex, int, means, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import { APIC_DEST_LOGICAL, APIC_DEST_NOSHORT, APIC_DEST_PHYSICAL } from '../include/asm/apicdef';
import type { KvmLapicIrq } from './lapic';
import * as ioapic_registers from '../../../../hardware/registers/ioapic';

/** A redirection entry of KVM's I/O APIC: its fields, the two halves as a guest writes them, and the message that it sends. */

export const IOAPIC_EDGE_TRIG = 0;
export const IOAPIC_LEVEL_TRIG = 1;

export const DELIVERY_MODES = {
  APIC_DM_FIXED: 0,
  APIC_DM_LOWEST: 1,
  APIC_DM_SMI: 2,
  APIC_DM_REMRD: 3,
  APIC_DM_NMI: 4,
  APIC_DM_INIT: 5,
  APIC_DM_STARTUP: 6,
  APIC_DM_EXTINT: 7,
} as const;
type DeliveryMode = (typeof DELIVERY_MODES)[keyof typeof DELIVERY_MODES];

export const kvm_ioapic_redirect_entry = struct(
  'kvm_ioapic_redirect_entry',
  'One redirection entry: where the pin’s interrupt goes, and whether one is in service.',
  {
    'fields.vector': means(ioapic_registers.VECTOR, hex(8)),
    'fields.delivery_mode': means(ioapic_registers.DELIVERY_MODE, oneOf(DELIVERY_MODES, 0)),
    'fields.dest_mode': means(ioapic_registers.DEST_MODE, int()),
    'fields.delivery_status': means(ioapic_registers.DELIVERY_STATUS, bool()),
    'fields.polarity': means(ioapic_registers.POLARITY, int()),
    'fields.remote_irr': means(ioapic_registers.REMOTE_IRR, bool()),
    'fields.trig_mode': means(ioapic_registers.TRIGGER_MODE, oneOf({ IOAPIC_EDGE_TRIG, IOAPIC_LEVEL_TRIG }, IOAPIC_EDGE_TRIG)),
    'fields.mask': means(ioapic_registers.MASK, bool(true)),
    'fields.dest_id': means(ioapic_registers.DESTINATION, int()),
    // What a guest writes to reserved bits is kept: bits 23:17, and the four bytes between the mask and the destination.
    'fields.reserve[0]': hex(8),
    'fields.reserved[0]': hex(8),
    'fields.reserved[1]': hex(8),
    'fields.reserved[2]': hex(8),
    'fields.reserved[3]': hex(8),
  },
);
export type KvmIoapicRedirectEntry = InstanceOf<typeof kvm_ioapic_redirect_entry>;

/** An entry to look at. */
export type EntryFields = { readonly [K in Exclude<keyof KvmIoapicRedirectEntry, symbol>]: KvmIoapicRedirectEntry[K] };

/** What a reset leaves: masked. */
export const RESET_ENTRY: EntryFields = {
  'fields.vector': 0,
  'fields.delivery_mode': 0,
  'fields.dest_mode': 0,
  'fields.delivery_status': false,
  'fields.polarity': 0,
  'fields.remote_irr': false,
  'fields.trig_mode': IOAPIC_EDGE_TRIG,
  'fields.mask': true,
  'fields.dest_id': 0,
  'fields.reserve[0]': 0,
  'fields.reserved[0]': 0,
  'fields.reserved[1]': 0,
  'fields.reserved[2]': 0,
  'fields.reserved[3]': 0,
};

/** An entry in halves. */
export interface EntryHalves {
  readonly low: number;
  readonly high: number;
}

/** The two halves of an entry as the guest sees them. */
export function entryBits(e: EntryFields): EntryHalves {
  const low =
    e['fields.vector'] |
    (e['fields.delivery_mode'] << 8) |
    (e['fields.dest_mode'] << 11) |
    (Number(e['fields.delivery_status']) << 12) |
    (e['fields.polarity'] << 13) |
    (Number(e['fields.remote_irr']) << 14) |
    (e['fields.trig_mode'] << 15) |
    (Number(e['fields.mask']) << 16) |
    (e['fields.reserve[0]'] << 17) |
    (e['fields.reserved[0]'] << 24);
  const high = e['fields.reserved[1]'] | (e['fields.reserved[2]'] << 8) | (e['fields.reserved[3]'] << 16) | (e['fields.dest_id'] << 24);
  return { low: low >>> 0, high: high >>> 0 };
}

/** Writes the low half: all of it but the two bits that are the chip's own. */
export function setLow(e: KvmIoapicRedirectEntry, val: number): void {
  e['fields.vector'] = val & 0xff;
  e['fields.delivery_mode'] = ((val >>> 8) & 7) as DeliveryMode;
  e['fields.dest_mode'] = (val >>> 11) & 1;
  e['fields.polarity'] = (val >>> 13) & 1;
  e['fields.trig_mode'] = (val >>> 15) & 1 ? IOAPIC_LEVEL_TRIG : IOAPIC_EDGE_TRIG;
  e['fields.mask'] = ((val >>> 16) & 1) === 1;
  setIfChanged(e, 'fields.reserve[0]', (val >>> 17) & 0x7f);
  setIfChanged(e, 'fields.reserved[0]', val >>> 24);
}

/** Writes the high half. */
export function setHigh(e: KvmIoapicRedirectEntry, val: number): void {
  e['fields.dest_id'] = val >>> 24;
  setIfChanged(e, 'fields.reserved[1]', val & 0xff);
  setIfChanged(e, 'fields.reserved[2]', (val >>> 8) & 0xff);
  setIfChanged(e, 'fields.reserved[3]', (val >>> 16) & 0xff);
}

function setIfChanged(e: KvmIoapicRedirectEntry, field: `fields.reserve${string}` & keyof KvmIoapicRedirectEntry, value: number): void {
  if (e[field] !== value) e[field] = value;
}

/** Where an entry's destination is to be looked for. */
export const destMode = (e: EntryFields): number => (e['fields.dest_mode'] ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL);
/** Whether an entry is level-triggered. */
export const isLevel = (e: EntryFields): boolean => e['fields.trig_mode'] === IOAPIC_LEVEL_TRIG;
/** Loads both halves, the chip's own two bits included. */
export function loadEntry(e: KvmIoapicRedirectEntry, { low, high }: EntryHalves): void {
  setLow(e, low);
  setHigh(e, high);
  e['fields.delivery_status'] = ((low >>> 12) & 1) === 1;
  e['fields.remote_irr'] = ((low >>> 14) & 1) === 1;
}

/** The message that an entry sends. */
export const messageOf = (e: EntryFields, level: boolean): KvmLapicIrq => ({
  dest_id: e['fields.dest_id'],
  vector: e['fields.vector'],
  dest_mode: destMode(e),
  trig_mode: isLevel(e),
  delivery_mode: e['fields.delivery_mode'] << 8,
  level,
  shorthand: APIC_DEST_NOSHORT,
  msi_redir_hint: false,
});
