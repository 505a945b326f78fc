import { source } from '../../engine/fn';
import { vlapic_timer_expired } from '../acrn/hypervisor/arch/x86/guest/vlapic';
import { IRQ_WORK_VECTOR, LOCAL_TIMER_VECTOR, read_msr, write_msr, X2APIC } from '../hardware/vmx_cpu';
import { hvc_write, type HvcStruct } from '../linux/drivers/tty/hvc/hvc_console';
import type { ConsoleGuest } from './console_guest';
import { IOAPIC } from './small_kernel';

/** What the User VM's Linux does besides serving its console: each is a task that sleeps until the guest's timer fires. */

/** What a task of the guest does when its time has come. */
export type Chore =
  | 'to_write'
  | 'to_move_interrupt'
  | 'to_read_config'
  | 'to_use_pic'
  | 'to_mask_pic'
  | 'to_save_chips'
  | 'to_restart_apic'
  | 'to_interrupt_itself';

/** The pin that a device’s line is connected to, and the low half of its redirection entry. */
export interface InterruptLine {
  readonly pin: number;
  readonly entry: number;
}

const { fn } = source('guest', 'console_chores');

export const task_wakes = fn(
  'A task of the guest has slept long enough: the hypervisor’s timer fires for the guest’s local APIC.',
  function* task_wakes({ cells, vcpu }: ConsoleGuest, chore: Chore) {
    cells[chore] += 1;
    yield* vlapic_timer_expired(vcpu);
  },
);

export const writes_hello = fn('A program writes to the console.', function* writes_hello({ cells }: ConsoleGuest, hvc: HvcStruct) {
  cells.to_write -= 1;
  yield* hvc_write(hvc, 'Hello');
});

/** Where the input queue's interrupt goes when it is moved. */
export const MOVED_VECTOR = 0x51;

/** The dwords of an MSI-X table's entry that are written. */
const MSG_DATA = 8;
const VECTOR_CTRL = 12;

export const moves_interrupt = fn(
  'The guest moves the input queue’s interrupt, as it does to have another CPU handle it: masks the entry of the MSI-X table, rewrites it, unmasks it. PCI wants it in this order.',
  function* moves_interrupt({ cells, cpu, input_entry }: ConsoleGuest) {
    cells.to_move_interrupt -= 1;
    cells.moving = true;
    yield* cpu.store(input_entry + VECTOR_CTRL, 4, 1);
    yield* cpu.store(input_entry + MSG_DATA, 4, MOVED_VECTOR);
    yield* cpu.store(input_entry + VECTOR_CTRL, 4, 0);
    yield* cpu.load(input_entry + MSG_DATA, 4);
    cells.moving = false;
  },
);

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

export const reads_config = fn(
  'The guest reads a register of the host bridge’s configuration space: the address goes to one port, the data comes from another.',
  function* reads_config({ cells, cpu }: ConsoleGuest) {
    cells.to_read_config -= 1;
    yield* cpu.out(CONFIG_ADDRESS, 4, 0x80000000);
    yield* cpu.in(CONFIG_DATA, 4);
  },
);

/** The PIC pair as Linux programs it: vectors from 0x30, and here only the serial port’s pin open. */
export const ISA_VECTORS = 0x30;
const SERIAL_PIN_OPEN = 0xef;
const ALL_MASKED = 0xff;
const PIC_EOI = 0x20;

export const pic_interrupt = fn(
  'An interrupt through the PIC, as a guest without I/O APIC has them: its end is told to the chip.',
  function* pic_interrupt({ cells, cpu }: ConsoleGuest) {
    cells.pic_interrupts += 1;
    yield* cpu.out(0x20, 1, PIC_EOI);
  },
);

export const uses_pic = fn(
  'The guest initialises the PIC pair and opens the serial port’s pin.',
  function* uses_pic({ cells, cpu }: ConsoleGuest) {
    cells.to_use_pic -= 1;
    for (const [port, words] of [
      [0x20, [0x11, ISA_VECTORS, 0x04, 0x01]],
      [0xa0, [0x11, ISA_VECTORS + 8, 0x02, 0x01]],
    ] as const) {
      for (const [i, word] of words.entries()) yield* cpu.out(i === 0 ? port : port + 1, 1, word);
    }
    yield* cpu.out(0x21, 1, SERIAL_PIN_OPEN);
  },
);

export const masks_pic = fn(
  'With interrupts off the guest masks the serial port’s pin, and opens it again later, as disable_irq() and enable_irq() may do.',
  function* masks_pic({ cells, cpu }: ConsoleGuest) {
    cells.to_mask_pic -= 1;
    yield* cpu.set_interrupts(false);
    cells.masking = true;
    yield* cpu.out(0x21, 1, ALL_MASKED);
    cells.masking = false;
    yield* cpu.set_interrupts(true);
    yield* cpu.out(0x21, 1, SERIAL_PIN_OPEN);
  },
);

const READ_ISR = 0x0b;
const ELCR = 0x4d0;

export const saves_chips = fn(
  'The guest notes what its interrupt controllers hold, as before it is suspended: the PIC’s mask and what is in service, which pins are level-triggered, a pin of the I/O APIC, the local APIC’s timer.',
  function* saves_chips({ cells, cpu, vcpu }: ConsoleGuest) {
    cells.to_save_chips -= 1;
    yield* cpu.in(0x21, 1);
    yield* cpu.out(0xa0, 1, READ_ISR);
    yield* cpu.in(0xa0, 1);
    const levels = yield* cpu.in(ELCR, 1);
    yield* cpu.out(ELCR, 1, levels);
    yield* cpu.store(IOAPIC, 4, 0x10);
    yield* cpu.load(IOAPIC + 0x10, 4);
    for (const register of [X2APIC.SPIV, X2APIC.LVTT, X2APIC.TMCCT]) yield* read_msr(vcpu, register);
  },
);

const SPIV_OFF = 0xff;
const SPIV_ON = 0x1ff;
const TIMER_COUNT = 1_000_000;
const DIVIDE_BY_16 = 3;

export const restarts_apic = fn(
  'The guest switches its local APIC off by software and on again, as around a suspend: that masks every local source, so the timer is programmed anew.',
  function* restarts_apic({ cells, vcpu }: ConsoleGuest) {
    cells.to_restart_apic -= 1;
    yield* write_msr(vcpu, X2APIC.SPIV, SPIV_OFF);
    yield* write_msr(vcpu, X2APIC.SPIV, SPIV_ON);
    yield* write_msr(vcpu, X2APIC.ESR, 0);
    yield* write_msr(vcpu, X2APIC.LVTT, LOCAL_TIMER_VECTOR);
    yield* write_msr(vcpu, X2APIC.TDCR, DIVIDE_BY_16);
    yield* write_msr(vcpu, X2APIC.TMICT, TIMER_COUNT);
  },
);

export const interrupts_itself = fn(
  'The guest wants something done in an interrupt: by the register for that, then by the command register with itself as the destination.',
  function* interrupts_itself({ cells, vcpu }: ConsoleGuest) {
    cells.to_interrupt_itself -= 1;
    yield* write_msr(vcpu, X2APIC.SELF_IPI, IRQ_WORK_VECTOR);
    yield* write_msr(vcpu, X2APIC.ICR, IRQ_WORK_VECTOR);
  },
);

export const routes_line = fn(
  'The guest opens the device’s pin of the I/O APIC: selects a half of the entry, writes it. The hypervisor answers for that page itself.',
  function* routes_line({ cpu }: ConsoleGuest, { pin, entry }: InterruptLine) {
    yield* cpu.store(IOAPIC, 4, 0x10 + 2 * pin);
    yield* cpu.store(IOAPIC + 0x10, 4, entry);
  },
);
