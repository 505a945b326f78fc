import { int, struct, type InstanceOf } from '../../engine/cell';
import { addressOf, architecturally, bound, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { at, until } from '../../engine/steps';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { ISA_IRQ_VECTOR, legacy_pic, type LegacyPic } from '../linux/arch/x86/kernel/i8259';
import { native_init_IRQ } from '../linux/arch/x86/kernel/irqinit';
import { IRQ_HANDLED, IRQ_NONE, type IrqDesc, type irqreturn_t } from '../linux/kernel/irq/irqdesc';
import { request_irq } from '../linux/kernel/irq/manage';
import { UART_IER_RDI, UART_IER_THRI, UART_IIR_NO_INT, UART_IIR_RDI, UART_IIR_THRI } from '../qemu/hw/char/serial';
import { EDU_FACT, EDU_IRQ_ACK, EDU_IRQ_RAISE, EDU_IRQ_STATUS, EDU_STATUS, EDU_STATUS_IRQFACT } from '../qemu/hw/misc/edu';
import { EDU_BAR, EDU_IRQ, SERIAL_PORTS } from '../qemu/pc_machine';
import type { GuestCpu } from './cpu';
import type { PicProgram } from './pic_programs';

/**
 * A guest of the older PC, with drivers of our own for its serial ports and its edu. It is either Linux, which drives the 8259
 * pair in its own way, or a small program that shows one of the pair's modes.
 */

/** A CPU that its guest can also halt, and tell what to do with a vector. */
export interface PcCpu extends GuestCpu {
  readonly halt: () => Run;
  readonly handle_with: (handle: (vector: number) => Run) => void;
  /** Whether it runs yet. */
  readonly started: () => boolean;
}

/** What happens while something else does. */
export type Overlap = 'none' | 'more-urgent' | 'less-urgent' | 'together' | 'again' | 'withdrawn' | 'reinitialized' | 'forgotten';

/** What the guest gets wrong. */
export type Mistake = 'none' | 'elcr' | 'hasty';

export interface PcGuestOptions {
  readonly program: PicProgram | undefined;
  readonly overlap: Overlap;
  readonly mistake: Mistake;
}

const DriverCells = struct('pc_drivers', 'What the guest’s drivers have done: interrupts that they had something to do for, and others.', {
  'handled[4]': int(),
  'handled[10]': int(),
  'handled[12]': int(),
  spurious: int(),
  received: int(),
  sent: int(),
});

export interface PcGuest extends PcGuestOptions {
  readonly cpu: PcCpu;
  readonly pic: LegacyPic;
  readonly drivers: InstanceOf<typeof DriverCells>;
  descs: readonly IrqDesc[];
  /** Whether the devices are up: overlaps begin then. */
  busy: boolean;
  /** A guest that takes no interrupts is told to look. */
  look: boolean;
  /** The bytes that each port has yet to send. */
  readonly queued: [number, number];
}

/** Makes the guest; its CPU's thread is added by pc_guest_context(). */
export const pc_guest = (cpu: PcCpu, options: PcGuestOptions): PcGuest => ({
  ...options,
  cpu,
  pic: legacy_pic(cpu),
  drivers: DriverCells('guest'),
  descs: [],
  busy: false,
  look: false,
  queued: [0, 0],
});

/** Which inputs of the slave firmware makes level-triggered: those that PCI interrupts are routed to, IRQ 10 and 11. */
const ELCR2_PCI = 0x0c;

/** One of the guest's serial ports. */
interface SerialPort {
  readonly guest: PcGuest;
  readonly port: 0 | 1;
}

const { fn } = source('guest', 'pc');

const firmware = fn(
  'Firmware has routed PCI interrupts to IRQ 10 and 11, and makes those inputs level-triggered: their lines are shared, and levels do not get lost.',
  function* firmware({ cpu, mistake }: PcGuest) {
    yield* cpu.set_interrupts(false);
    yield* cpu.out(0x4d0, 1, 0);
    if (mistake === 'elcr') at('ELCR', 'forgotten: the inputs stay edge-triggered');
    else yield* cpu.out(0x4d1, 1, ELCR2_PCI);
  },
);

const uart_irq = fn(
  'The serial driver’s handler: asks the port why it interrupts and serves that, until it has no reason left. A hasty driver serves one reason only.',
  function* uart_irq({ guest, port }: SerialPort): Run<irqreturn_t> {
    const { cpu, drivers } = guest;
    const { iobase, isairq } = SERIAL_PORTS[port];
    let served = false;
    for (;;) {
      const iir = yield* cpu.in(iobase + 2, 1);
      if (iir === UART_IIR_NO_INT) break;
      served = true;
      if (iir === UART_IIR_RDI) {
        yield* cpu.in(iobase, 1);
        drivers.received += 1;
      } else if (iir === UART_IIR_THRI) yield* uart_transmit(guest, port);
      if (guest.mistake === 'hasty') break;
    }
    if (port === 0) yield* overlapping(guest, 'more-urgent', raise_edu);
    if (served) drivers[`handled[${isairq}]`] += 1;
    else drivers.spurious += 1;
    return served ? IRQ_HANDLED : IRQ_NONE;
  },
);

const uart_transmit = fn(
  'The port is empty: sends the next byte, or says that an empty port is no reason to interrupt any more.',
  function* uart_transmit(guest: PcGuest, port: 0 | 1) {
    const { cpu, queued, drivers } = guest;
    const { iobase } = SERIAL_PORTS[port];
    if (queued[port] === 0) return yield* cpu.out(iobase + 1, 1, UART_IER_RDI);
    queued[port]--;
    drivers.sent += 1;
    yield* cpu.out(iobase, 1, 0x61 + port);
  },
);

const edu_irq = fn('edu’s handler: reads why it interrupts, and acknowledges that.', function* edu_irq(guest: PcGuest): Run<irqreturn_t> {
  const { cpu, drivers } = guest;
  const status = yield* cpu.load(EDU_BAR.addr + EDU_IRQ_STATUS, 4);
  if (status === 0) {
    drivers.spurious += 1;
    return IRQ_NONE;
  }
  yield* overlapping(guest, 'less-urgent', send_on_first_port);
  yield* overlapping(guest, 'again', raise_edu_again);
  yield* cpu.store(EDU_BAR.addr + EDU_IRQ_ACK, 4, status);
  drivers['handled[10]'] += 1;
  return IRQ_HANDLED;
});

/** Has something else happen while a handler runs, once. */
function* overlapping(guest: PcGuest, overlap: Overlap, act: (guest: PcGuest) => Run): Run {
  if (guest.overlap !== overlap || !guest.busy) return;
  guest.busy = false;
  yield* act(guest);
}

const send = fn(
  'The guest sends a byte: it only says that an empty port is a reason to interrupt. The handler does the rest.',
  function* send(guest: PcGuest, port: 0 | 1) {
    guest.queued[port]++;
    yield* guest.cpu.out(SERIAL_PORTS[port].iobase + 1, 1, UART_IER_RDI | UART_IER_THRI);
  },
);
const send_on_first_port = (guest: PcGuest): Run => send(guest, 0);

const raise_edu_again = fn(
  'Another reason comes up in edu, when its handler has looked already: acknowledging what was there leaves this one.',
  function* raise_edu_again({ cpu }: PcGuest) {
    yield* cpu.store(EDU_BAR.addr + EDU_IRQ_RAISE, 4, 0x4);
  },
);

const raise_edu = fn(
  'The guest tells edu to interrupt. The device does so before this store is over.',
  function* raise_edu({ cpu }: PcGuest) {
    yield* cpu.store(EDU_BAR.addr + EDU_IRQ_RAISE, 4, 0x2);
  },
);

const compute_factorial = fn(
  'The guest has edu compute, and interrupt when it is done: that comes from another thread, when it comes.',
  function* compute_factorial({ cpu }: PcGuest) {
    yield* cpu.store(EDU_BAR.addr + EDU_STATUS, 4, EDU_STATUS_IRQFACT);
    yield* cpu.store(EDU_BAR.addr + EDU_FACT, 4, 5);
  },
);

/** Reaches the handler of the device behind an interrupt: by a call, or as the handler of a vector. A spurious interrupt has none. */
export function* serve_device(guest: PcGuest, irq: number, kind: 'call' | 'hardirq' = 'call'): Run {
  switch (irq) {
    case SERIAL_PORTS[0].isairq:
      yield* architecturally(kind, uart_irq)({ guest, port: 0 });
      break;
    case SERIAL_PORTS[1].isairq:
      yield* architecturally(kind, uart_irq)({ guest, port: 1 });
      break;
    case EDU_IRQ:
      yield* architecturally(kind, edu_irq)(guest);
      break;
    default:
      guest.drivers.spurious += 1;
  }
}

const boot_linux = fn(
  'The guest is Linux: it initializes the pair, and its drivers request their interrupts.',
  function* boot_linux(guest: PcGuest) {
    const { cpu } = guest;
    guest.descs = yield* native_init_IRQ(guest.pic);
    cpu.handle_with((vector) => architecturally('hardirq', common_interrupt)(guest.descs[vector - ISA_IRQ_VECTOR(0)]));
    yield* cpu.set_interrupts(true);
    for (const port of [0, 1] as const) {
      const handler = addressOf(bound(uart_irq, (): SerialPort => ({ guest, port })));
      yield* request_irq(guest.descs[SERIAL_PORTS[port].isairq]!, handler, 0, 'serial', port);
    }
    yield* request_irq(guest.descs[EDU_IRQ]!, addressOf(bound(edu_irq, () => guest)), 0, 'edu', guest);
  },
);

const boot_program = fn(
  'The guest is a small program: it initializes the pair in its own way.',
  function* boot_program(guest: PcGuest, program: PicProgram) {
    yield* program.initialize(guest);
    guest.cpu.handle_with((vector) => program.interrupt(guest, vector - ISA_IRQ_VECTOR(0)));
    if (program.takes_interrupts) yield* guest.cpu.set_interrupts(true);
  },
);

const forget = fn(
  'ICW1 to the master, whose IRQ 4 is requested: the chip forgets the request. What it has told the CPU is another matter.',
  function* forget({ cpu }: PcGuest) {
    yield* cpu.out(0x20, 1, 0x11);
  },
);

const open_ports = fn(
  'The guest opens its serial ports: a byte that comes in is a reason to interrupt. A hasty driver opens a port when it has something to send.',
  function* open_ports({ cpu, mistake }: PcGuest) {
    if (mistake === 'hasty') return;
    for (const { iobase } of SERIAL_PORTS) yield* cpu.out(iobase + 1, 1, UART_IER_RDI);
  },
);

const work = fn(
  'The guest has its devices interrupt: its first serial port, by sending a byte; edu, by telling it to; and both devices of the slave at once, where that is wanted.',
  function* work(guest: PcGuest) {
    const { cpu, overlap, program } = guest;
    guest.busy = true;
    yield* send(guest, 0);
    yield* poll_now(guest);
    yield* raise_edu(guest);
    yield* poll_now(guest);
    const flags = cpu.interrupts_on();
    if (overlap === 'together') {
      yield* cpu.set_interrupts(false);
      yield* send(guest, 1);
      yield* raise_edu(guest);
      yield* cpu.set_interrupts(flags);
    }
    if (overlap === 'withdrawn') {
      yield* cpu.set_interrupts(false);
      yield* raise_edu(guest);
      yield* cpu.store(EDU_BAR.addr + EDU_IRQ_ACK, 4, 0xff);
      yield* cpu.set_interrupts(flags);
    }
    if (overlap === 'forgotten' && program !== undefined) {
      yield* cpu.set_interrupts(false);
      yield* send(guest, 0);
      yield* forget(guest);
      yield* cpu.set_interrupts(flags);
      yield* program.initialize(guest);
    }
    if (overlap === 'reinitialized') yield* send(guest, 0);
    yield* poll_now(guest);
    yield* compute_factorial(guest);
  },
);

/** A guest that takes no interrupts has to look. */
export function* poll_now(guest: PcGuest): Run {
  if (guest.program?.poll !== undefined) yield* guest.program.poll(guest);
}

/** The guest's CPU: boots, works, and idles. */
export function pc_guest_context(guest: PcGuest, priority: number): void {
  running().thread('guest', 'guest CPU', 'guest', priority, function* () {
    yield* until(guest.cpu.started);
    yield* guest_code(guest);
  });
}

/** The idle loop: halted until an interrupt comes. Who takes none looks when told to. */
function* idle(guest: PcGuest): Run {
  for (;;) {
    if (guest.program?.poll === undefined) yield* guest.cpu.halt();
    else {
      yield* guest.cpu.spin(() => guest.look);
      guest.look = false;
      yield* poll_now(guest);
    }
  }
}

const guest_code = fn('All that the guest does.', function* guest_code(guest: PcGuest) {
  yield* firmware(guest);
  if (guest.program === undefined) yield* boot_linux(guest);
  else yield* boot_program(guest, guest.program);
  yield* open_ports(guest);
  yield* work(guest);
  yield* idle(guest);
});
