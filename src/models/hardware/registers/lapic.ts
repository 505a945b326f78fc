import { bit, bitsOf, hex, means, register, vectors, type Field } from '../../../engine/cell';

/** The registers of a local APIC as the manuals have them, for whoever emulates one. */

type Word = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
export type VectorWords<N extends string> = { readonly [K in `${N}[${Word}]`]: Field<number> };

/** A 256-bit register with one bit per vector, as eight words `name[0]` … `name[7]`. */
export const vectorWords = <N extends string>(name: N, sentence: string): VectorWords<N> =>
  Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`${name}[${n}]`, means(sentence, vectors(n))])) as VectorWords<N>;

export const IRR = 'Interrupt request register: vectors that have arrived and that the CPU has not taken yet.';
export const ISR =
  'In-service register: vectors that the CPU has taken and whose EOI is due. They hold back those of the same and of lower class.';
export const TMR = 'Trigger mode register: vectors that came level-triggered; their EOI is told to the I/O APIC.';
export const EOI_EXIT_BITMAP = 'Vectors whose EOI leaves the guest, because somebody waits for it; all others the CPU ends by itself.';

const VECTOR = bitsOf(7, 0, 'vector', 'The vector that is delivered.');
const STATUS = bit(12, 'delivery status', 'The message is on its way and was not accepted yet.');

export const DELIVERY_MODES = ['Fixed', 'Lowest priority', 'SMI', undefined, 'NMI', 'INIT', 'Startup', 'ExtINT'];
const DELIVERY_MODE = bitsOf(
  10,
  8,
  'delivery mode',
  'What the interrupt is for the CPU: a vector, NMI, SMI, INIT, or the 8259’s (ExtINT).',
  DELIVERY_MODES,
);
const MASKED = bit(16, 'masked', 'Nothing is delivered from here.');

export const id = () =>
  means(
    'The identifier by which a physical destination names this CPU.',
    register(32, [bitsOf(31, 24, 'APIC ID', 'The identifier, in xAPIC mode.')]),
  );
const PRIORITY = [
  bitsOf(7, 4, 'class', 'Vectors of this class (vector / 16) and below wait.'),
  bitsOf(3, 0, 'sub-class', 'Not compared: only the class decides.'),
];
export const tpr = (width: 8 | 32 = 32) =>
  means('Task priority register: the guest’s own threshold. Its CR8 is the upper half.', register(width, PRIORITY));
export const ppr = (width: 8 | 32 = 32) =>
  means(
    'Processor priority register: the higher of the task priority and the class in service. A vector must be of a higher class to be taken.',
    register(width, PRIORITY),
  );
export const ldr = () =>
  means(
    'Logical destination register: the groups of CPUs that this one is in.',
    register(32, [bitsOf(31, 24, 'logical ID', 'One bit per CPU in the flat model.')]),
  );
export const dfr = (initial = 0) =>
  means(
    'Destination format register: how logical destinations are read.',
    register(32, [bitsOf(31, 28, 'model', 'All ones: flat; all zeroes: cluster.')], initial),
  );
export const svr = (initial = 0xff) =>
  means(
    'Spurious-interrupt vector register: holds the switch of the whole local APIC.',
    register(
      32,
      [
        bitsOf(7, 0, 'vector', 'The vector of a request that was gone when the CPU took it.'),
        bit(8, 'APIC enabled', 'The local APIC is on; off, it takes only INIT, NMI, SMI and startup.'),
        bit(12, 'EOI-broadcast suppression', 'An EOI is not told to I/O APICs: the guest writes to theirs itself.'),
      ],
      initial,
    ),
  );
export const esr = () =>
  means(
    'Error status register: what went wrong since it was last written.',
    register(32, [
      bit(5, 'send illegal vector', 'A vector below 16 was to be sent.'),
      bit(6, 'receive illegal vector', 'A vector below 16 arrived, or stands in the LVT.'),
      bit(7, 'illegal register', 'A reserved register was accessed.'),
    ]),
  );
export const icrLow = () =>
  means(
    'Interrupt command register, low half: writing it sends an inter-processor interrupt.',
    register(32, [
      VECTOR,
      DELIVERY_MODE,
      bit(11, 'logical', 'The destination is a logical one; clear: a physical one.'),
      STATUS,
      bit(14, 'assert', 'Level: assert; clear is for INIT level de-assert only.'),
      bit(15, 'level', 'Level-triggered; clear: edge.'),
      bitsOf(19, 18, 'shorthand', 'Whom it goes to instead of the destination.', ['none', 'self', 'all', 'all but self']),
    ]),
  );
export const icrHigh = () =>
  means(
    'Interrupt command register, high half: to whom. All of it in x2APIC mode.',
    register(32, [bitsOf(31, 24, 'destination', 'The APIC ID or the group, in xAPIC mode.')]),
  );

export const LVT = {
  timer: 'Local vector table: the timer.',
  thermal: 'Local vector table: the thermal sensor.',
  performance: 'Local vector table: the performance counters.',
  lint0: 'Local vector table: the pin LINT0, where the 8259’s INTR arrives.',
  lint1: 'Local vector table: the pin LINT1, where NMI arrives.',
  error: 'Local vector table: an error that the error status register tells.',
  cmci: 'Local vector table: corrected machine checks.',
} as const;
/** An entry of the local vector table. */
export const lvt = (which: keyof typeof LVT, initial = 0x10000) => {
  const pins = [
    bit(13, 'active low', 'The pin is active low; clear: high.'),
    bit(14, 'remote IRR', 'A level was accepted and its EOI is due.'),
    bit(15, 'level', 'Level-triggered; clear: edge.'),
  ];
  const own = which === 'timer' ? [bitsOf(18, 17, 'timer mode', 'How the timer counts.', ['one-shot', 'periodic', 'TSC deadline'])] : pins;
  const mode = which === 'timer' || which === 'error' ? [] : [DELIVERY_MODE];
  return means(LVT[which], register(32, [VECTOR, ...mode, STATUS, ...own, MASKED], initial));
};

export const apicBase = (initial = 0) =>
  means(
    'IA32_APIC_BASE: where the registers are, and in which mode.',
    register(
      32,
      [
        bit(8, 'BSP', 'This CPU started first.'),
        bit(10, 'x2APIC', 'The registers are MSRs, identifiers have 32 bits.'),
        bit(11, 'enabled', 'There is a local APIC.'),
        bitsOf(31, 12, 'base', 'The page of the registers, in xAPIC mode.'),
      ],
      initial,
    ),
  );

/** What a hypervisor asks the CPU to inject at VM entry. */
export const entryInterruption = () =>
  means(
    'VM-entry interruption information: what the CPU delivers to the guest at the next entry.',
    register(32, [
      bitsOf(7, 0, 'vector', 'The vector.'),
      bitsOf(10, 8, 'type', 'What it is.', [
        'external interrupt',
        undefined,
        'NMI',
        'hardware exception',
        'software interrupt',
        undefined,
        'software exception',
      ]),
      bit(31, 'valid', 'There is something to deliver.'),
    ]),
  );
export const rvi = () => means('Requesting virtual interrupt: the highest vector that waits, as the CPU evaluates it.', hex(8));
export const svi = () => means('Servicing virtual interrupt: the highest vector in service.', hex(8));

export const PIR = 'Posted-interrupt requests: vectors posted by a device or a CPU that the virtual APIC has not taken in yet.';
export const ON = 'Outstanding notification: a notification was sent and not answered; further posts send none.';
export const SN = 'Suppress notification: posts are only recorded, as the vCPU is not loaded and will look by itself.';
export const NV = 'Notification vector: what posts are announced with: to a running guest, or to the host that shall wake a sleeping one.';
export const NDST = 'Notification destination: the physical CPU that posts are announced to.';
