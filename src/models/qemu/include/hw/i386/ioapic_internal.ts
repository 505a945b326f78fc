import { hex, int, means, struct, type InstanceOf } from '../../../../../engine/cell';
import type { Board } from '../../../board';
import { elements, type Element } from '../../../element';
import type { IRQState } from '../../../hw/core/irq';
import type { MemoryRegion } from '../../exec/memory';
import { delayed_ioapic_service } from '../../../hw/intc/ioapic';
import { withOpaque } from '../../../opaque';
import { timer_new_ns, type QEMUTimer, type QEMUTimerList } from '../../../util/qemu-timer';
import * as ioapic_registers from '../../../../hardware/registers/ioapic';

/** The I/O APIC as both forms of it in QEMU share it. */

export const IOAPIC_NUM_PINS = 24;
export const IO_APIC_DEFAULT_ADDRESS = 0xfec00000;

export const IOAPIC_LVT_MASKED = 1 << 16;
export const IOAPIC_LVT_TRIGGER_MODE = 1 << 15;
export const IOAPIC_LVT_REMOTE_IRR = 1 << 14;
export const IOAPIC_LVT_DELIV_STATUS = 1 << 12;
/** The bits of an entry's lower half that only the chip writes. */
export const IOAPIC_RO_BITS = IOAPIC_LVT_REMOTE_IRR | IOAPIC_LVT_DELIV_STATUS;

export const IOAPIC_DM_EXTINT = 0x7;
export const IOAPIC_VECTOR_MASK = 0xff;

export const IOAPIC_IOREGSEL = 0x00;
export const IOAPIC_IOWIN = 0x10;
export const IOAPIC_EOI = 0x40;

export const IOAPIC_REG_ID = 0x00;
export const IOAPIC_REG_VER = 0x01;
export const IOAPIC_REG_ARB = 0x02;
export const IOAPIC_REG_REDTBL_BASE = 0x10;

const ENTRY = {
  dest_mode: 'DEST_MODE',
  delivery_status: 'DELIV_STATUS',
  polarity: 'POLARITY',
  remote_irr: 'REMOTE_IRR',
  trigger_mode: 'TRIGGER_MODE',
  mask: 'MASKED',
} as const;

const pins = Array.from({ length: IOAPIC_NUM_PINS }, (_, pin) => pin);
const redirectionTable = Object.fromEntries(
  pins.flatMap((pin) => [
    [`ioredtbl[${pin}][31:0]`, ioapic_registers.entryLow(ENTRY, IOAPIC_LVT_MASKED)],
    [`ioredtbl[${pin}][63:32]`, ioapic_registers.entryHigh()],
  ]),
);
const eois = Object.fromEntries(
  pins.map((pin) => [
    `irq_eoi[${pin}]`,
    means('How many ends of interrupt in a row found the pin still up: after too many the next one is delayed.', int()),
  ]),
);

const IOAPICCommonStateCells = struct(
  'IOAPICCommonState',
  'The I/O APIC: 24 inputs, each with an entry that says which message it becomes.',
  {
    id: hex(8),
    ioregsel: ioapic_registers.ioregsel(),
    irr: ioapic_registers.pins(ioapic_registers.IRR),
    ...redirectionTable,
    ...eois,
  },
);

/** An entry of the redirection table: 64 bits, held as two halves. */
export interface RedirectionEntry {
  readonly low: Element;
  readonly high: Element;
}

export type IOAPICCommonState = InstanceOf<typeof IOAPICCommonStateCells> & {
  readonly board: Board;
  /** 0x20 has an EOI register, 0x11 has none. */
  readonly version: 0x11 | 0x20;
  readonly ioredtbl: readonly RedirectionEntry[];
  /** How many ends of interrupt in a row each pin answered with another interrupt. */
  readonly irq_eoi: readonly Element[];
  readonly delayed_ioapic_service_timer: QEMUTimer;
  /** The registers and the inputs, once the chip is realized. */
  io_memory: MemoryRegion | undefined;
  gpio_in: readonly IRQState[];
};

/** An I/O APIC as after reset. */
export function ioapic_common_state(board: Board, timers: QEMUTimerList, version: 0x11 | 0x20 = 0x20): IOAPICCommonState {
  const cells = IOAPICCommonStateCells('ioapic');
  const low = elements(cells, IOAPIC_NUM_PINS, (pin) => `ioredtbl[${pin}][31:0]`);
  const high = elements(cells, IOAPIC_NUM_PINS, (pin) => `ioredtbl[${pin}][63:32]`);
  const s: IOAPICCommonState = Object.assign(cells, {
    board,
    version,
    ioredtbl: pins.map((pin) => ({ low: low[pin]!, high: high[pin]! })),
    irq_eoi: elements(cells, IOAPIC_NUM_PINS, (pin) => `irq_eoi[${pin}]`),
    delayed_ioapic_service_timer: timer_new_ns(
      'delayed_ioapic_service',
      timers,
      withOpaque(delayed_ioapic_service.cb, () => s),
    ),
    io_memory: undefined,
    gpio_in: [],
  });
  return s;
}
