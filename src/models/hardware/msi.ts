import { bool, means, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { at, signal } from '../../engine/steps';
import {
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
} from '../linux/include/uapi/linux/pci_regs';
import * as pci_registers from './registers/pci';

/**
 * Message-signalled interrupts as the device has them: an interrupt is a write of a programmed word to a programmed
 * address. What it means is for whoever listens there.
 */

/** Where the capabilities are in the configuration space. */
export const MSI_CAP = 0x50;
export const MSIX_CAP = 0xa0;

const MsiCells = struct('msi_capability', 'The device’s MSI capability: one address, one word, no mask.', {
  PCI_MSI_FLAGS: pci_registers.msiFlags(),
  PCI_MSI_ADDRESS_LO: pci_registers.messageAddress(),
  PCI_MSI_DATA_64: pci_registers.messageData(16),
});

const MsixCells = struct('msix_capability', 'The device’s MSI-X capability.', { PCI_MSIX_FLAGS: pci_registers.msixFlags() });

const EntryCells = struct('msix_entry', 'An entry of the MSI-X table in the device, with its bit in the pending array.', {
  PCI_MSIX_ENTRY_LOWER_ADDR: pci_registers.messageAddress(),
  PCI_MSIX_ENTRY_DATA: pci_registers.messageData(32),
  PCI_MSIX_ENTRY_VECTOR_CTRL: pci_registers.vectorControl(1),
  pending: means(pci_registers.PENDING, bool()),
});

/** A word of an MSI-X entry. */
export type MsixField = 'PCI_MSIX_ENTRY_LOWER_ADDR' | 'PCI_MSIX_ENTRY_DATA' | 'PCI_MSIX_ENTRY_VECTOR_CTRL';

/** The offset of a word in an MSI-X entry, which has 16 bytes. */
export const MSIX_ENTRY_OFFSET = { PCI_MSIX_ENTRY_LOWER_ADDR: 0, PCI_MSIX_ENTRY_DATA: 8, PCI_MSIX_ENTRY_VECTOR_CTRL: 12 } as const;
export const PCI_MSIX_ENTRY_SIZE = 16;

/** What a device has to send messages with. */
export interface MessageSource {
  readonly msi: InstanceOf<typeof MsiCells>;
  readonly msix: InstanceOf<typeof MsixCells>;
  readonly table: readonly InstanceOf<typeof EntryCells>[];
  /** The memory write that a message is, on its way to the IOMMU. */
  readonly post: (address: number, data: number) => Run;
}

/** Makes the capabilities: 2^`log` MSI messages, as many MSI-X entries as asked for. */
export function message_source(name: string, log: number, entries: number, post: MessageSource['post']): MessageSource {
  return {
    msi: MsiCells(name, { PCI_MSI_FLAGS: PCI_MSI_FLAGS_64BIT | (log << 1) }),
    msix: MsixCells(name, { PCI_MSIX_FLAGS: entries - 1 }),
    table: Array.from({ length: entries }, (_, n) => EntryCells(`${name} ${n}`)),
    post,
  };
}

const { fn } = source('hardware', 'msi');

/** Whether the device signals by messages now; then it must not assert INTx. */
export const sends_messages = ({ msi, msix }: MessageSource): boolean =>
  (msi.PCI_MSI_FLAGS & PCI_MSI_FLAGS_ENABLE) !== 0 || (msix.PCI_MSIX_FLAGS & PCI_MSIX_FLAGS_ENABLE) !== 0;

const post_message = fn(
  'A memory write leaves the device: to the CPU, as it were, but the IOMMU sees it first.',
  function* post_message(messages: MessageSource, address: number, data: number) {
    signal('msi', 'address', 'From here on the device has done its part: nobody answers a posted write.');
    yield* messages.post(address, data);
  },
);

const send_msix = fn(
  'Sends an entry’s message, or where entry or function are masked remembers it in the pending bit.',
  function* send_msix(messages: MessageSource, nr: number) {
    const entry = messages.table[nr];
    if (entry === undefined) return;
    if (messages.msix.PCI_MSIX_FLAGS & PCI_MSIX_FLAGS_MASKALL || entry.PCI_MSIX_ENTRY_VECTOR_CTRL & 1) {
      if (!entry.pending) entry.pending = true;
      return;
    }
    if (entry.pending) entry.pending = false;
    yield* post_message(messages, entry.PCI_MSIX_ENTRY_LOWER_ADDR, entry.PCI_MSIX_ENTRY_DATA);
  },
);

/** How many messages the driver has let the device use; those beyond share the last. */
const allowed = (flags: number): number => 1 << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);

export const send_message = fn(
  'The device has something to say: it writes the message of this cause. With MSI the messages differ in the low bits of the word.',
  function* send_message(messages: MessageSource, cause: number) {
    const { msi } = messages;
    if (!(msi.PCI_MSI_FLAGS & PCI_MSI_FLAGS_ENABLE)) {
      yield* send_msix(messages, cause % messages.table.length);
      return;
    }
    const nr = cause % allowed(msi.PCI_MSI_FLAGS);
    yield* post_message(messages, msi.PCI_MSI_ADDRESS_LO, msi.PCI_MSI_DATA_64 | nr);
  },
);

const resend_pending = fn(
  'Entries were unmasked: what became pending meanwhile is sent now.',
  function* resend_pending(messages: MessageSource) {
    if (!(messages.msix.PCI_MSIX_FLAGS & PCI_MSIX_FLAGS_ENABLE)) return;
    for (const [nr, entry] of messages.table.entries()) if (entry.pending) yield* send_msix(messages, nr);
  },
);

export const write_msix_entry = fn(
  'A word of the MSI-X table is written.',
  function* write_msix_entry(messages: MessageSource, nr: number, field: MsixField, value: number) {
    const entry = messages.table[nr];
    if (entry === undefined || entry[field] === value >>> 0) return;
    entry[field] = value;
    if (field === 'PCI_MSIX_ENTRY_VECTOR_CTRL') yield* resend_pending(messages);
  },
);

/** The register of a capability that an offset of the configuration space is, for who reads or writes it. */
export function message_register(messages: MessageSource, where: number): { value: number } | undefined {
  const { msi, msix } = messages;
  switch (where) {
    case MSI_CAP + PCI_MSI_FLAGS:
      return register(msi, 'PCI_MSI_FLAGS', PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    case MSI_CAP + PCI_MSI_ADDRESS_LO:
      return register(msi, 'PCI_MSI_ADDRESS_LO', 0xfffffffc);
    case MSI_CAP + PCI_MSI_ADDRESS_HI:
      return { value: 0 };
    case MSI_CAP + PCI_MSI_DATA_64:
      return register(msi, 'PCI_MSI_DATA_64', 0xffff);
    case MSIX_CAP + PCI_MSIX_FLAGS:
      return register(msix, 'PCI_MSIX_FLAGS', PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    default:
      return undefined;
  }
}

export const write_capability = fn(
  'A register of a message capability is written.',
  function* write_capability(messages: MessageSource, where: number, value: number) {
    const target = message_register(messages, where);
    at('capability');
    if (target === undefined) return;
    target.value = value;
    if (where === MSIX_CAP + PCI_MSIX_FLAGS) yield* resend_pending(messages);
  },
);

function register<K extends string>(cells: Record<K, number>, name: K, writable: number): { value: number } {
  return {
    get value(): number {
      return cells[name];
    },
    set value(value: number) {
      const wanted = ((cells[name] & ~writable) | (value & writable)) >>> 0;
      if (wanted !== cells[name]) cells[name] = wanted;
    },
  };
}
