import { randomFrom } from '../../src/engine/random';

/** What is done to an interrupt controller from outside, the same for every implementation that is compared. */
export type Operation =
  /** A byte to an I/O port, or a word to an address. */
  | { readonly kind: 'write'; readonly at: number; readonly value: number }
  | { readonly kind: 'read'; readonly at: number }
  | { readonly kind: 'line'; readonly pin: number; readonly level: 0 | 1 }
  | { readonly kind: 'acknowledge' };

/** An implementation, driven by plain calls. */
export interface Chips {
  write(at: number, value: number): void;
  read(at: number): number;
  line(pin: number, level: 0 | 1): void;
  /** The vector that the CPU takes, or -1 if it takes none. */
  acknowledge(): number;
}

/** Performs operations and gives every answer: of reads and of acknowledge cycles. */
export function perform(chips: Chips, operations: readonly Operation[]): number[] {
  const answers: number[] = [];
  for (const operation of operations) {
    switch (operation.kind) {
      case 'write':
        chips.write(operation.at, operation.value);
        break;
      case 'read':
        answers.push(chips.read(operation.at));
        break;
      case 'line':
        chips.line(operation.pin, operation.level);
        break;
      case 'acknowledge':
        answers.push(chips.acknowledge());
        break;
    }
  }
  return answers;
}

const write = (at: number, value: number): Operation => ({ kind: 'write', at, value });
const read = (at: number): Operation => ({ kind: 'read', at });
const line = (pin: number, level: 0 | 1): Operation => ({ kind: 'line', pin, level });
const acknowledge: Operation = { kind: 'acknowledge' };

const [MASTER, SLAVE] = [0x20, 0xa0];
const [READ_IRR, READ_ISR, EOI] = [0x0a, 0x0b, 0x20];

/** A pair of 8259s as a PC sets it up, with its vectors at 0x20 and 0x28 and nothing masked. */
export const setUpPics: readonly Operation[] = [
  [MASTER, 0x11],
  [MASTER + 1, 0x20],
  [MASTER + 1, 4],
  [MASTER + 1, 1],
  [SLAVE, 0x11],
  [SLAVE + 1, 0x28],
  [SLAVE + 1, 2],
  [SLAVE + 1, 1],
  [MASTER + 1, 0],
  [SLAVE + 1, 0],
].map(([at, value]) => write(at!, value!));

/** Whole interrupts of random inputs, some while another one is in service, with reads of all registers and changes of the mask between. */
export function picOperations(count: number): readonly Operation[] {
  const random = randomFrom(2);
  const below = (end: number): number => Math.floor(random() * end);
  const endOf = (pin: number): Operation[] => (pin < 8 ? [write(MASTER, EOI)] : [write(SLAVE, EOI), write(MASTER, EOI)]);
  const registers = [MASTER, SLAVE].flatMap((port) => [
    write(port, READ_IRR),
    read(port),
    write(port, READ_ISR),
    read(port),
    read(port + 1),
  ]);
  return Array.from({ length: count }, () => {
    const [first, second] = [3 + below(5), below(2) === 0 ? below(2) : 8 + below(8)];
    return [
      write(SLAVE + 1, 1 << below(8)),
      line(first, 1),
      acknowledge,
      line(first, 0),
      // The inputs 0, 1 and, through 2, 8 to 15 are more urgent than all that `first` may be.
      line(second, 1),
      acknowledge,
      line(second, 0),
      ...registers,
      write(SLAVE + 1, 0),
      acknowledge,
      ...endOf(second),
      ...endOf(first),
      ...registers,
    ];
  }).flat();
}

const [SELECT, WINDOW, LOCAL_EOI, LOCAL_SPURIOUS] = [0xfec00000, 0xfec00010, 0xfee000b0, 0xfee000f0];
const [LEVEL, MASKED] = [1 << 15, 1 << 16];

/** A local APIC that is on. */
export const setUpApics: readonly Operation[] = [write(LOCAL_SPURIOUS, 0x1ff)];

/** Whole interrupts of random pins, edges and levels, each with its redirection entry written and read. */
export function apicOperations(count: number): readonly Operation[] {
  const random = randomFrom(3);
  const below = (end: number): number => Math.floor(random() * end);
  return Array.from({ length: count }, () => {
    const pin = 3 + below(13);
    const entry = 0x30 + below(0xc0) + (below(2) === 0 ? LEVEL : 0);
    const readEntry = [write(SELECT, 0x10 + 2 * pin), read(WINDOW)];
    return [
      write(SELECT, 0x11 + 2 * pin),
      write(WINDOW, 0),
      read(WINDOW),
      write(SELECT, 0x10 + 2 * pin),
      write(WINDOW, entry),
      line(pin, 1),
      ...readEntry,
      acknowledge,
      line(pin, 0),
      write(LOCAL_EOI, 0),
      ...readEntry,
      acknowledge,
      write(WINDOW, entry | MASKED),
      read(WINDOW),
    ];
  }).flat();
}
