import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import {
  message_source,
  MSI_CAP,
  MSIX_CAP,
  send_message,
  sends_messages,
  write_capability,
  write_msix_entry,
  type MessageSource,
} from '../../../../src/models/hardware/msi';
import {
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
} from '../../../../src/models/linux/include/uapi/linux/pci_regs';
import { onMachine } from '../support';

const ENTRIES = 3;
const REGISTERS = [
  MSI_CAP + PCI_MSI_FLAGS,
  MSI_CAP + PCI_MSI_ADDRESS_LO,
  MSI_CAP + PCI_MSI_ADDRESS_HI,
  MSI_CAP + PCI_MSI_DATA_64,
  MSIX_CAP + PCI_MSIX_FLAGS,
  0,
];

const word = fc.integer({ min: 0, max: 0xffffffff });
/** Also entries that the table has not. */
const entry = fc.integer({ min: 0, max: ENTRIES });
const operation = fc.oneof(
  fc.record({ what: fc.constant('cause' as const), cause: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ what: fc.constant('capability' as const), where: fc.constantFrom(...REGISTERS), value: word }),
  fc.record({
    what: fc.constant('entry' as const),
    nr: entry,
    field: fc.constantFrom('PCI_MSIX_ENTRY_LOWER_ADDR' as const, 'PCI_MSIX_ENTRY_DATA' as const, 'PCI_MSIX_ENTRY_VECTOR_CTRL' as const),
    value: word,
  }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

interface Message {
  readonly address: number;
  readonly data: number;
}

function device(): { readonly messages: MessageSource; readonly sent: Message[] } {
  const sent: Message[] = [];
  const messages = message_source('device', 3, ENTRIES, function* (address, data) {
    sent.push({ address, data });
  });
  return { messages, sent };
}

function* perform(messages: MessageSource, op: Operation): Run {
  if (op.what === 'capability') yield* write_capability(messages, op.where, op.value);
  else if (op.what === 'entry') yield* write_msix_entry(messages, op.nr, op.field, op.value);
  else if (sends_messages(messages)) yield* send_message(messages, op.cause);
}

const operations = fc.array(operation, { maxLength: 60 });
const msixIs = ({ msix }: MessageSource, flags: number): boolean =>
  (msix.PCI_MSIX_FLAGS & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) === flags;

test('whatever is written, a masked entry sends nothing, and what is pending is masked', () => {
  fc.assert(
    fc.property(operations, (all) => {
      onMachine(function* () {
        const { messages, sent } = device();
        for (const op of all) {
          const before = sent.length;
          yield* perform(messages, op);
          assert.ok(sent.length === before || sends_messages(messages));
          if (!msixIs(messages, PCI_MSIX_FLAGS_ENABLE)) continue;
          for (const { pending, PCI_MSIX_ENTRY_VECTOR_CTRL } of messages.table)
            assert.ok(!pending || (PCI_MSIX_ENTRY_VECTOR_CTRL & 1) === 1);
        }
      });
    }),
  );
});

test('read-only bits of the capabilities stay as the device has them', () => {
  fc.assert(
    fc.property(operations, (all) => {
      onMachine(function* () {
        const { messages } = device();
        const fixed = () => [
          messages.msi.PCI_MSI_FLAGS & ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE),
          messages.msix.PCI_MSIX_FLAGS & ~(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL),
        ];
        const before = fixed();
        for (const op of all) yield* perform(messages, op);
        assert.deepEqual(fixed(), before);
      });
    }),
  );
});

test('causes of a masked vector become one message, with what the entry says when it is unmasked', () => {
  const causes = fc.array(fc.integer({ min: 0, max: ENTRIES - 1 }), { maxLength: 20 });
  fc.assert(
    fc.property(causes, fc.boolean(), fc.tuple(word, word, word), (given, function_masked, data) => {
      onMachine(function* () {
        const { messages, sent } = device();
        const flags = function_masked ? PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL : PCI_MSIX_FLAGS_ENABLE;
        yield* write_capability(messages, MSIX_CAP + PCI_MSIX_FLAGS, flags);
        if (function_masked) for (const nr of data.keys()) yield* write_msix_entry(messages, nr, 'PCI_MSIX_ENTRY_VECTOR_CTRL', 0);
        for (const cause of given) yield* send_message(messages, cause);
        assert.equal(sent.length, 0);
        for (const [nr, value] of data.entries()) yield* write_msix_entry(messages, nr, 'PCI_MSIX_ENTRY_DATA', value);
        if (function_masked) yield* write_capability(messages, MSIX_CAP + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
        else for (const nr of data.keys()) yield* write_msix_entry(messages, nr, 'PCI_MSIX_ENTRY_VECTOR_CTRL', 0);
        assert.deepEqual(
          sent.map((message) => message.data),
          data.filter((_, nr) => given.includes(nr)),
        );
        assert.ok(messages.table.every(({ pending }) => !pending));
      });
    }),
  );
});
