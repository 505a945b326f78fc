import { bool, hex, int, oneOf, pointer, struct, type Field, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source, via, type Link, type Pointer } from '../../../../engine/fn';
import { acquire, Mutex, release } from '../../../../engine/mutex';
import { at, atCall, atWrite, behind, until } from '../../../../engine/steps';
import { since } from '../../../version';
import { device_register } from '../../drivers/base/core';
import { mdev_register_device, mdev_register_parent } from '../../drivers/vfio/mdev/mdev_core';
import { mdev_register_driver } from '../../drivers/vfio/mdev/mdev_driver';
import {
  _vfio_alloc_device,
  vfio_register_emulated_iommu_dev,
  vfio_set_irqs_validate_and_prepare,
  type VfioDeviceIoctl,
  type VfioIrqInfo,
  type VfioRegionInfo,
} from '../../drivers/vfio/vfio_main';
import type { VfioIrqSet } from '../../drivers/vfio/pci/vfio_pci_intrs';
import { EFAULT, EINVAL, ENOSPC, ENOTTY } from '../../errno';
import { eventfd_ctx_fdget, eventfd_ctx_put, type EventfdCtx } from '../../fs/eventfd';
import { device, device_driver } from '../../include/linux/device';
import { eventfd_signal } from '../../include/linux/eventfd';
import type { MdevCore, MdevDevice, MdevParentOps, MdevType } from '../../include/linux/mdev';
import { vfio_device, type VfioDevice } from '../../include/linux/vfio';
import {
  UART_FCR,
  UART_FCR_CLEAR_RCVR,
  UART_FCR_CLEAR_XMIT,
  UART_FCR_ENABLE_FIFO,
  UART_FCR_TRIGGER_14,
  UART_FCR_TRIGGER_4,
  UART_FCR_TRIGGER_8,
  UART_FCR_TRIGGER_MASK,
  UART_IER,
  UART_IER_MSI,
  UART_IER_RDI,
  UART_IER_RLSI,
  UART_IER_THRI,
  UART_IIR,
  UART_IIR_MSI,
  UART_IIR_NO_INT,
  UART_IIR_RDI,
  UART_IIR_RLSI,
  UART_IIR_THRI,
  UART_LCR,
  UART_LCR_DLAB,
  UART_LSR,
  UART_LSR_DR,
  UART_LSR_OE,
  UART_LSR_TEMT,
  UART_LSR_THRE,
  UART_MCR,
  UART_MCR_AFE,
  UART_MCR_DTR,
  UART_MCR_OUT2,
  UART_MCR_RTS,
  UART_MSR,
  UART_MSR_CTS,
  UART_MSR_DCD,
  UART_MSR_DCTS,
  UART_MSR_DDSR,
  UART_MSR_DSR,
  UART_RX,
  UART_SCR,
  UART_TX,
} from '../../include/uapi/linux/serial_reg';
import {
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_BAR1_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_PCI_ROM_REGION_INDEX,
} from '../../include/uapi/linux/vfio';
import * as uart_registers from '../../../hardware/registers/uart';

/**
 * mtty: a PCI serial card with one or two ports, made of nothing. What is sent comes back as received, and an “interrupt” is
 * an eventfd that is signalled by whoever happens to access a register. Interrupts were overhauled in 6.7.
 */

const MAX_FIFO_SIZE = 16;
const MAX_MTTYS = 24;
const MTTY_IO_BAR_SIZE = 0x8;
const MTTY_CONFIG_SPACE_SIZE = 0xff;
const overhauled = (): boolean => since('linux', '6.7');

type FifoCell = `fifo[${number}]`;
const FIFO = Array.from({ length: MAX_FIFO_SIZE }, (_, index): FifoCell => `fifo[${index}]`);

const rxtxFields: Readonly<Record<'head' | 'tail' | 'count' | FifoCell, Field<number>>> = {
  head: int(),
  tail: int(),
  count: int(),
  ...Object.fromEntries(FIFO.map((cell) => [cell, hex(8)])),
};
const RxtxCells = struct('rxtx', 'The FIFO that hands what is sent back as received.', rxtxFields);

const SerialPortCells = struct('serial_port', 'One UART. IIR, LSR and MSR are not kept: they are computed when they are read.', {
  'uart_reg[UART_IER]': uart_registers.ier(),
  'uart_reg[UART_LCR]': hex(8),
  'uart_reg[UART_MCR]': uart_registers.mcr(),
  'uart_reg[UART_SCR]': hex(8),
  dlab: bool(),
  overrun: bool(),
  divisor: hex(16),
  fcr: hex(8),
  max_fifo_size: int(),
  intr_trigger_level: int(),
});
export type SerialPort = InstanceOf<typeof SerialPortCells> & { readonly rxtx: InstanceOf<typeof RxtxCells> };

const serial_port = (name: string): SerialPort => Object.assign(SerialPortCells(name), { rxtx: RxtxCells(name) });

const NO_IRQ_INDEX = -1;

const MdevStateCells = struct('mdev_state', 'One mtty device: its configuration space, and whom it signals.', {
  irq_index: oneOf({ none: NO_IRQ_INDEX, VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX }, VFIO_PCI_INTX_IRQ_INDEX),
  intx_evtfd: pointer<EventfdCtx>(),
  msi_evtfd: pointer<EventfdCtx>(),
  intx_mask: bool(),
  nr_ports: int(),
  'dev_info.num_irqs': int(),
  'vconfig[PCI_VENDOR_ID]': hex(32),
  'vconfig[PCI_COMMAND]': hex(16),
  'vconfig[PCI_STATUS]': hex(16),
  'vconfig[PCI_CLASS_REVISION]': hex(32),
  'vconfig[PCI_BASE_ADDRESS_0]': hex(32),
  'vconfig[PCI_BASE_ADDRESS_1]': hex(32),
  'vconfig[PCI_SUBSYSTEM_VENDOR_ID]': hex(32),
  'vconfig[PCI_CAPABILITY_LIST]': hex(8),
  'vconfig[PCI_INTERRUPT_LINE]': hex(8),
  'vconfig[PCI_INTERRUPT_PIN]': hex(8),
  'region_info[0].size': int(),
  'region_info[1].size': int(),
  'region_info[0].start': hex(32),
  'region_info[1].start': hex(32),
});

export type MdevState = InstanceOf<typeof MdevStateCells> & {
  readonly name: string;
  readonly mtty: Mtty;
  readonly s: readonly [SerialPort, SerialPort];
  readonly ops_lock: Mutex;
  readonly rxtx_lock: Mutex;
};

/** The registers of the configuration space: offset, bytes, cell. What is at 0x40 and above never changes. */
const VCONFIG = [
  [0x00, 4, 'vconfig[PCI_VENDOR_ID]'],
  [0x04, 2, 'vconfig[PCI_COMMAND]'],
  [0x06, 2, 'vconfig[PCI_STATUS]'],
  [0x08, 4, 'vconfig[PCI_CLASS_REVISION]'],
  [0x10, 4, 'vconfig[PCI_BASE_ADDRESS_0]'],
  [0x14, 4, 'vconfig[PCI_BASE_ADDRESS_1]'],
  [0x2c, 4, 'vconfig[PCI_SUBSYSTEM_VENDOR_ID]'],
  [0x34, 1, 'vconfig[PCI_CAPABILITY_LIST]'],
  [0x3c, 1, 'vconfig[PCI_INTERRUPT_LINE]'],
  [0x3d, 1, 'vconfig[PCI_INTERRUPT_PIN]'],
] as const;

const VENDOR_DATA: ReadonlyMap<number, number> = new Map([
  [0x40, 0x23],
  [0x43, 0x80],
  [0x44, 0x23],
  [0x48, 0x23],
  [0x4c, 0x23],
  ...'PCI Serial/UART'.split('').map((letter, index): [number, number] => [0x60 + index, letter.charCodeAt(0)]),
]);

const MttyCells = struct('mtty_dev', 'The driver: how many ports it could still make.', { mdev_avail_ports: int(MAX_MTTYS) });

/** What mtty.ko keeps in static variables. */
export type Mtty = InstanceOf<typeof MttyCells> & {
  readonly core: MdevCore;
  readonly types: readonly MttyType[];
  /** The devices that there are. */
  readonly devices: MdevState[];
};

interface MttyType extends MdevType {
  readonly nr_ports: number;
}

/** The module before it is loaded. */
export const mtty_module = (core: MdevCore): Mtty =>
  Object.assign(MttyCells('mtty'), {
    core,
    types: [
      { nr_ports: 1, sysfs_name: '1', pretty_name: 'Single port serial', parent: undefined },
      { nr_ports: 2, sysfs_name: '2', pretty_name: 'Dual port serial', parent: undefined },
    ],
    devices: [],
  });

/** What kzalloc() gives. */
function mdev_state(mtty: Mtty, name: string): MdevState {
  return Object.assign(MdevStateCells(name), {
    name,
    mtty,
    s: [serial_port(`${name} port 0`), serial_port(`${name} port 1`)] as const,
    ops_lock: Mutex(`${name} ops_lock`),
    rxtx_lock: Mutex(`${name} rxtx_lock`),
  });
}

const { fn, ops } = source('linux', 'samples/vfio-mdev/mtty.c');

const mtty_trigger_interrupt = fn(
  'The device’s interrupt: signals the eventfd that the user has set up. There is no hardware: whoever accesses a register raises it, here, in process context.',
  function* mtty_trigger_interrupt(mdev_state: MdevState) {
    if (overhauled()) yield* trigger_masked(mdev_state);
    else yield* trigger_always(mdev_state);
  },
);

/** Since 6.7: INTx masks itself when it fires, and what fires while it is masked is lost. */
function* trigger_masked(mdev_state: MdevState) {
  atCall('lockdep_assert_held');
  const { irq_index, msi_evtfd, intx_evtfd } = mdev_state;
  if (irq_index === VFIO_PCI_MSI_IRQ_INDEX) {
    at('msi_evtfd');
    if (msi_evtfd !== undefined) yield* signal(msi_evtfd);
  } else if (irq_index === VFIO_PCI_INTX_IRQ_INDEX) {
    at('intx_mask', mdev_state.intx_mask ? 'Masked: this interrupt is dropped, and nothing remembers it.' : undefined);
    if (intx_evtfd === undefined || mdev_state.intx_mask) return;
    behind('intx_mask');
    yield* signal(intx_evtfd);
    mdev_state.intx_mask = true;
  }
}

/** Until 6.6: nothing masks, and an index that was never set falls into the branch of INTx. */
function* trigger_always({ irq_index, msi_evtfd, intx_evtfd }: MdevState) {
  at('irq_index');
  const evtfd = irq_index === VFIO_PCI_MSI_IRQ_INDEX ? msi_evtfd : intx_evtfd;
  if (irq_index !== NO_IRQ_INDEX && evtfd === undefined) return;
  yield* signal(evtfd);
}

/** eventfd_signal(), with what becomes of a pointer that is none, or no longer one. */
function* signal(evtfd: EventfdCtx | undefined) {
  if (evtfd === undefined) {
    atCall(
      'eventfd_signal',
      'A NULL pointer: the kernel oopses. The task dies here, with ops_lock held; whoever needs that lock waits for ever.',
    );
    yield* until(() => false);
  } else if (evtfd.kref <= 0) {
    atCall('eventfd_signal', 'The eventfd has been freed: this writes to memory that may belong to somebody else by now.');
  } else {
    yield* eventfd_signal(evtfd);
  }
}

const mtty_create_config_space = fn(
  'Fills the configuration space: a 16550 with I/O BARs and INTA, and without any capability. So a guest can never use MSI.',
  function* mtty_create_config_space(mdev_state: MdevState) {
    at('vconfig');
    mdev_state['vconfig[PCI_VENDOR_ID]'] = 0x32534348;
    mdev_state['vconfig[PCI_COMMAND]'] = 0x0001;
    mdev_state['vconfig[PCI_STATUS]'] = 0x0200;
    mdev_state['vconfig[PCI_CLASS_REVISION]'] = 0x07000210;
    mdev_state['vconfig[PCI_BASE_ADDRESS_0]'] = 0x000001;
    if (mdev_state.nr_ports === 2) mdev_state['vconfig[PCI_BASE_ADDRESS_1]'] = 0x000001;
    mdev_state['vconfig[PCI_SUBSYSTEM_VENDOR_ID]'] = 0x32534348;
    mdev_state['vconfig[PCI_INTERRUPT_PIN]'] = 0x01;
  },
);

const handle_pci_cfg_write = fn(
  'A write to the configuration space: only the interrupt line and the BARs take it. A BAR answers all ones with its size.',
  function* handle_pci_cfg_write(mdev_state: MdevState, offset: number, value: number) {
    switch (offset) {
      case 0x3c:
        at('vconfig');
        mdev_state['vconfig[PCI_INTERRUPT_LINE]'] = value;
        return;
      case 0x10:
      case 0x14: {
        const cell = offset === 0x10 ? 'vconfig[PCI_BASE_ADDRESS_0]' : 'vconfig[PCI_BASE_ADDRESS_1]';
        const absent = mdev_state.nr_ports === 1 && offset === 0x14;
        const addr = value >>> 0 === 0xffffffff ? ~MTTY_IO_BAR_SIZE + 1 : value;
        at('cfg_addr');
        mdev_state[cell] = absent ? 0 : addr | (mdev_state[cell] & 0x3);
        return;
      }
      default:
        at('offset');
    }
  },
);

const handle_bar_write = fn(
  'A write to a UART register, and what follows from it. Some writes are causes of an interrupt, which is raised right here.',
  function* handle_bar_write(index: number, mdev_state: MdevState, offset: number, data: number) {
    const port = mdev_state.s[index];
    if (port === undefined) {
      at('index', 'There are two ports at most, and nobody checks the BAR: this is outside of the array.');
      return;
    }
    switch (offset) {
      case UART_TX:
        return yield* write_TX(mdev_state, port, data);
      case UART_IER:
        return yield* write_IER(mdev_state, port, data);
      case UART_FCR:
        return yield* write_FCR(mdev_state, port, data);
      case UART_LCR:
        port.dlab = (data & UART_LCR_DLAB) !== 0;
        if (port.dlab) {
          atWrite('divisor', 'UART_LCR_DLAB');
          port.divisor = 0;
        }
        atWrite('uart_reg', 'UART_LCR');
        port['uart_reg[UART_LCR]'] = data;
        return;
      case UART_MCR:
        return yield* write_MCR(mdev_state, port, data);
      case UART_SCR:
        atWrite('uart_reg', 'UART_SCR');
        port['uart_reg[UART_SCR]'] = data;
        return;
      default:
        at('offset');
    }
  },
);

function* write_TX(mdev_state: MdevState, port: SerialPort, data: number) {
  if (port.dlab) {
    port.divisor |= data;
    return;
  }
  yield* acquire(mdev_state.rxtx_lock, 'mutex_lock');
  if (port.rxtx.count < port.max_fifo_size) {
    port.rxtx[FIFO[port.rxtx.head]!] = data;
    port.rxtx.count += 1;
    atCall('CIRCULAR_BUF_INC_IDX');
    port.rxtx.head = (port.rxtx.head + 1) % MAX_FIFO_SIZE;
    port.overrun = false;
    at('UART_IER_RDI', 'What was sent is received at once. Only the byte that reaches the trigger level interrupts.');
    if (port['uart_reg[UART_IER]'] & UART_IER_RDI && port.rxtx.count === port.intr_trigger_level) yield* mtty_trigger_interrupt(mdev_state);
  } else {
    atWrite('overrun', 'overrun');
    port.overrun = true;
    if (port['uart_reg[UART_IER]'] & UART_IER_RLSI) {
      behind('UART_IER_RLSI');
      yield* mtty_trigger_interrupt(mdev_state);
    }
  }
  release(mdev_state.rxtx_lock, 'mutex_unlock');
}

function* write_IER(mdev_state: MdevState, port: SerialPort, data: number) {
  if (port.dlab) {
    atWrite('divisor', 'divisor');
    port.divisor |= data << 8;
    return;
  }
  port['uart_reg[UART_IER]'] = data;
  behind('uart_reg');
  yield* acquire(mdev_state.rxtx_lock, 'mutex_lock');
  at('UART_IER_THRI', 'An empty FIFO is ready to send: to ask for that interrupt is to get it.');
  if (data & UART_IER_THRI && is_empty(port)) {
    behind('UART_IER_THRI');
    yield* mtty_trigger_interrupt(mdev_state);
  }
  behind('UART_IER_THRI');
  release(mdev_state.rxtx_lock, 'mutex_unlock');
}

/** The test that the driver uses for an empty FIFO. A full one passes it too: 16 bytes bring head back to tail. */
const is_empty = (port: SerialPort): boolean => port.rxtx.head === port.rxtx.tail;

function* write_FCR(mdev_state: MdevState, port: SerialPort, data: number) {
  port.fcr = data;
  behind('fcr');
  yield* acquire(mdev_state.rxtx_lock, 'mutex_lock');
  if (data & (UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT)) {
    at('UART_FCR_CLEAR_RCVR');
    port.rxtx.count = 0;
    port.rxtx.head = 0;
    port.rxtx.tail = 0;
  }
  behind('UART_FCR_CLEAR_RCVR');
  release(mdev_state.rxtx_lock, 'mutex_unlock');
  at('UART_FCR_TRIGGER_MASK');
  port.intr_trigger_level = trigger_level(data & UART_FCR_TRIGGER_MASK);
  behind('UART_FCR_TRIGGER_MASK');
  at('intr_trigger_level', 'Whatever was asked for, the level is 1: there is no timer that could bring up what stays below a higher one.');
  port.intr_trigger_level = 1;
  port.max_fifo_size = data & UART_FCR_ENABLE_FIFO ? MAX_FIFO_SIZE : 1;
}

function trigger_level(asked: number): number {
  switch (asked) {
    case UART_FCR_TRIGGER_14:
      return 14;
    case UART_FCR_TRIGGER_8:
      return 8;
    case UART_FCR_TRIGGER_4:
      return 4;
    default:
      return 1;
  }
}

function* write_MCR(mdev_state: MdevState, port: SerialPort, data: number) {
  atWrite('uart_reg', 'UART_MCR');
  port['uart_reg[UART_MCR]'] = data;
  if (!(port['uart_reg[UART_IER]'] & UART_IER_MSI)) return;
  at('UART_MCR_OUT2');
  if (data & UART_MCR_OUT2) {
    behind('UART_MCR_OUT2');
    yield* mtty_trigger_interrupt(mdev_state);
  }
  at('UART_MCR_RTS');
  if (data & (UART_MCR_RTS | UART_MCR_DTR)) {
    behind('UART_MCR_RTS');
    yield* mtty_trigger_interrupt(mdev_state);
  }
}

const handle_bar_read = fn(
  'A read of a UART register. IIR shows the causes that hold now, for as long as they hold; but reading what was received may be a cause itself.',
  function* handle_bar_read(index: number, mdev_state: MdevState, offset: number) {
    const port = mdev_state.s[index];
    if (port === undefined) {
      at('index', 'There are two ports at most, and nobody checks the BAR: this is outside of the array.');
      return 0;
    }
    switch (offset) {
      case UART_RX:
        return yield* read_RX(mdev_state, port);
      case UART_IER:
        at('UART_IER');
        return port.dlab ? port.divisor >> 8 : port['uart_reg[UART_IER]'] & 0x0f;
      case UART_IIR:
        return yield* locked(mdev_state, port, 'UART_IIR', interrupt_id);
      case UART_LCR:
        at('UART_LCR');
        return port['uart_reg[UART_LCR]'];
      case UART_MCR:
        at('UART_MCR');
        return port['uart_reg[UART_MCR]'];
      case UART_LSR:
        return yield* locked(mdev_state, port, 'UART_LSR', line_status);
      case UART_MSR:
        return yield* locked(mdev_state, port, 'UART_MSR', modem_status);
      case UART_SCR:
        at('UART_SCR');
        return port['uart_reg[UART_SCR]'];
      default:
        at('offset');
        return 0;
    }
  },
);

function* read_RX(mdev_state: MdevState, port: SerialPort) {
  if (port.dlab) {
    at('divisor');
    return port.divisor & 0xff;
  }
  let data = 0;
  yield* acquire(mdev_state.rxtx_lock, 'mutex_lock');
  if (!is_empty(port)) {
    data = port.rxtx[FIFO[port.rxtx.tail]!] ?? 0;
    port.rxtx.count -= 1;
    atCall('CIRCULAR_BUF_INC_IDX');
    port.rxtx.tail = (port.rxtx.tail + 1) % MAX_FIFO_SIZE;
  }
  if (is_empty(port)) {
    at('UART_IER_THRI', 'The last byte was taken: there is room to send.');
    if (port['uart_reg[UART_IER]'] & UART_IER_THRI) yield* mtty_trigger_interrupt(mdev_state);
  }
  release(mdev_state.rxtx_lock, 'mutex_unlock');
  return data;
}

/** Computes a register from the FIFO’s state, which must not change meanwhile. */
function* locked(mdev_state: MdevState, port: SerialPort, token: string, compute: (port: SerialPort) => number) {
  behind(token);
  yield* acquire(mdev_state.rxtx_lock, 'mutex_lock');
  at(token);
  const value = compute(port);
  behind(token);
  release(mdev_state.rxtx_lock, 'mutex_unlock');
  return value;
}

/** IIR. A real UART encodes the most urgent cause; here the codes of all are OR-ed, and RDI with THRI looks like RLSI. */
function interrupt_id(port: SerialPort): number {
  const ier = port['uart_reg[UART_IER]'];
  let iir = 0;
  if (ier & UART_IER_RLSI && port.overrun) iir |= UART_IIR_RLSI;
  if (ier & UART_IER_RDI && port.rxtx.count >= port.intr_trigger_level) iir |= UART_IIR_RDI;
  if (ier & UART_IER_THRI && is_empty(port)) iir |= UART_IIR_THRI;
  if (ier & UART_IER_MSI && port['uart_reg[UART_MCR]'] & (UART_MCR_RTS | UART_MCR_DTR)) iir |= UART_IIR_MSI;
  return (iir === 0 ? UART_IIR_NO_INT : iir) | 0xc0;
}

const line_status = (port: SerialPort): number =>
  (is_empty(port) ? UART_LSR_TEMT | UART_LSR_THRE : UART_LSR_DR) | (port.overrun ? UART_LSR_OE : 0);

function modem_status(port: SerialPort): number {
  const clear = !(port['uart_reg[UART_MCR]'] & UART_MCR_AFE) || port.rxtx.count < port.max_fifo_size;
  return UART_MSR_DSR | UART_MSR_DDSR | UART_MSR_DCD | (clear ? UART_MSR_CTS | UART_MSR_DCTS : 0);
}

const mdev_read_base = fn('Notes where the BARs are, from the configuration space.', function* mdev_read_base(mdev_state: MdevState) {
  at('region_info');
  if (mdev_state['region_info[0].size'] !== 0) mdev_state['region_info[0].start'] = mdev_state['vconfig[PCI_BASE_ADDRESS_0]'] & ~0xf;
  if (mdev_state['region_info[1].size'] !== 0) mdev_state['region_info[1].start'] = mdev_state['vconfig[PCI_BASE_ADDRESS_1]'] & ~0xf;
});

/** Up to four bytes of the configuration space. */
function read_vconfig(mdev_state: MdevState, offset: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) {
    const byte = offset + i;
    const register = VCONFIG.find(([start, size]) => byte >= start && byte < start + size);
    const held = register === undefined ? (VENDOR_DATA.get(byte) ?? 0) : (mdev_state[register[2]] >>> (8 * (byte - register[0]))) & 0xff;
    value = value * 0x100 + held;
  }
  return value;
}

const mdev_access = fn(
  'One access to a region, under ops_lock: the configuration space or a BAR. Negative for a region that is neither.',
  function* mdev_access(mdev_state: MdevState, region: number, offset: number, count: number, access: Access) {
    yield* acquire(mdev_state.ops_lock, 'mutex_lock');
    let value: number | undefined;
    if (region === VFIO_PCI_CONFIG_REGION_INDEX) {
      at('VFIO_PCI_CONFIG_REGION_INDEX');
      if (access.is_write) yield* handle_pci_cfg_write(mdev_state, offset, access.value);
      value = access.is_write ? count : read_vconfig(mdev_state, offset, count);
    } else if (region < VFIO_PCI_ROM_REGION_INDEX) {
      at('start');
      if ((region === 0 || region === 1) && mdev_state[`region_info[${region}].start`] === 0) yield* mdev_read_base(mdev_state);
      if (access.is_write) yield* handle_bar_write(region, mdev_state, offset, access.value & 0xff);
      value = access.is_write ? count : yield* handle_bar_read(region, mdev_state, offset);
    }
    release(mdev_state.ops_lock, 'mutex_unlock');
    return value;
  },
);

type Access = { readonly is_write: false } | { readonly is_write: true; readonly value: number };

/** Cuts an access into pieces of four, two or one byte, as far as it is aligned. */
function* pieces(offset: number, count: number): Generator<readonly [offset: number, count: number]> {
  let done = 0;
  while (done < count) {
    const [at, left] = [offset + done, count - done];
    const filled = left >= 4 && at % 4 === 0 ? 4 : left >= 2 && at % 2 === 0 ? 2 : 1;
    yield [at, filled];
    done += filled;
  }
}

const mtty_read = fn(
  'read(2) of the device, in pieces of at most four bytes. The result is the last piece.',
  function* mtty_read(mdev_state: MdevState, region: number, offset: number, count: number) {
    let value: number | undefined = 0;
    for (const [at, filled] of pieces(offset, count)) {
      value = yield* mdev_access(mdev_state, region, at, filled, { is_write: false });
      if (value === undefined) return -EFAULT;
    }
    return value;
  },
);

const mtty_write = fn(
  'write(2) to the device, in pieces of at most four bytes.',
  function* mtty_write(mdev_state: MdevState, region: number, offset: number, count: number, value: number) {
    for (const [at, filled] of pieces(offset, count)) {
      const piece = Math.floor(value / 2 ** (8 * (at - offset)));
      if ((yield* mdev_access(mdev_state, region, at, filled, { is_write: true, value: piece })) === undefined) return -EFAULT;
    }
    return count;
  },
);

const mtty_disable_intx = fn(
  'Lets go of the INTx eventfd: from here on no index is chosen.',
  function* mtty_disable_intx(mdev_state: MdevState) {
    const { intx_evtfd } = mdev_state;
    at('intx_evtfd');
    if (intx_evtfd === undefined) return;
    yield* eventfd_ctx_put(intx_evtfd);
    mdev_state.intx_evtfd = undefined;
    mdev_state.intx_mask = false;
    mdev_state.irq_index = NO_IRQ_INDEX;
  },
);

const mtty_disable_msi = fn('Lets go of the MSI eventfd.', function* mtty_disable_msi(mdev_state: MdevState) {
  const { msi_evtfd } = mdev_state;
  at('msi_evtfd');
  if (msi_evtfd === undefined) return;
  yield* eventfd_ctx_put(msi_evtfd);
  mdev_state.msi_evtfd = undefined;
  mdev_state.irq_index = NO_IRQ_INDEX;
});

const mtty_set_irqs = fn(
  'Connects an interrupt to an eventfd, disconnects it, masks or unmasks it. Until 6.6 much of this was accepted and ignored.',
  function* mtty_set_irqs(mdev_state: MdevState, set: VfioIrqSet) {
    yield* acquire(mdev_state.ops_lock, 'mutex_lock');
    const ret = overhauled() ? yield* set_irqs(mdev_state, set) : yield* set_irqs_until_6_6(mdev_state, set);
    release(mdev_state.ops_lock, 'mutex_unlock');
    return ret;
  },
);

function* set_irqs_until_6_6(mdev_state: MdevState, { index, flags, data }: VfioIrqSet) {
  at(index === VFIO_PCI_MSI_IRQ_INDEX ? 'VFIO_PCI_MSI_IRQ_INDEX' : 'VFIO_PCI_INTX_IRQ_INDEX');
  const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
  if (index !== VFIO_PCI_INTX_IRQ_INDEX && index !== VFIO_PCI_MSI_IRQ_INDEX) return 0;
  if (action !== VFIO_IRQ_SET_ACTION_TRIGGER) {
    at(
      'VFIO_IRQ_SET_ACTION_UNMASK',
      'Masking and unmasking are accepted and do nothing; an eventfd that shall unmask is not even looked at.',
    );
    return 0;
  }
  if (index === VFIO_PCI_INTX_IRQ_INDEX) {
    if (flags & VFIO_IRQ_SET_DATA_NONE) {
      at('intx_evtfd', 'The reference is dropped, the pointer stays: the next interrupt signals through it all the same.');
      if (mdev_state.intx_evtfd !== undefined) yield* eventfd_ctx_put(mdev_state.intx_evtfd);
    } else if (flags & VFIO_IRQ_SET_DATA_EVENTFD && data !== undefined) {
      const evt = yield* eventfd_ctx_fdget(data);
      mdev_state.intx_evtfd = evt;
      mdev_state.irq_index = VFIO_PCI_INTX_IRQ_INDEX;
    }
    return 0;
  }
  if (flags & VFIO_IRQ_SET_DATA_NONE) {
    if (mdev_state.msi_evtfd !== undefined) {
      behind('VFIO_PCI_MSI_IRQ_INDEX');
      yield* eventfd_ctx_put(mdev_state.msi_evtfd);
    }
    atWrite('irq_index', 'VFIO_PCI_MSI_IRQ_INDEX', 'Back to INTx, whether or not INTx was ever set up.');
    mdev_state.irq_index = VFIO_PCI_INTX_IRQ_INDEX;
  } else if (flags & VFIO_IRQ_SET_DATA_EVENTFD && data !== undefined && mdev_state.msi_evtfd === undefined) {
    behind('VFIO_PCI_MSI_IRQ_INDEX');
    const evt = yield* eventfd_ctx_fdget(data);
    mdev_state.msi_evtfd = evt;
    atWrite('irq_index', 'VFIO_PCI_MSI_IRQ_INDEX irq_index');
    mdev_state.irq_index = VFIO_PCI_MSI_IRQ_INDEX;
  }
  return 0;
}

function* set_irqs(mdev_state: MdevState, set: VfioIrqSet) {
  switch (set.index) {
    case VFIO_PCI_INTX_IRQ_INDEX:
      return yield* set_intx(mdev_state, set);
    case VFIO_PCI_MSI_IRQ_INDEX:
      return yield* set_msi(mdev_state, set);
    default:
      at('ENOTTY');
      return -ENOTTY;
  }
}

function* set_intx(mdev_state: MdevState, set: VfioIrqSet) {
  const { flags, count, data } = set;
  const is_intx = mdev_state.irq_index === VFIO_PCI_INTX_IRQ_INDEX;
  const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
  if (action === VFIO_IRQ_SET_ACTION_MASK || action === VFIO_IRQ_SET_ACTION_UNMASK) {
    const mask = action === VFIO_IRQ_SET_ACTION_MASK;
    at(mask ? 'VFIO_IRQ_SET_ACTION_MASK' : 'VFIO_IRQ_SET_ACTION_UNMASK');
    if (!is_intx || count !== 1) return -EINVAL;
    if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
      behind(mask ? 'VFIO_IRQ_SET_ACTION_MASK' : 'VFIO_IRQ_SET_ACTION_UNMASK');
      at('ENOTTY', 'No eventfd can mask or unmask. QEMU then leaves KVM’s irqfd alone and handles INTx by itself.');
      return -ENOTTY;
    }
    if (flags & VFIO_IRQ_SET_DATA_NONE || set.bool === true) {
      atWrite('intx_mask', mask ? 'VFIO_IRQ_SET_ACTION_MASK' : 'VFIO_IRQ_SET_ACTION_UNMASK');
      mdev_state.intx_mask = mask;
    }
    return 0;
  }
  at('VFIO_IRQ_SET_ACTION_TRIGGER');
  if (is_intx && count === 0 && flags & VFIO_IRQ_SET_DATA_NONE) {
    yield* mtty_disable_intx(mdev_state);
    return 0;
  }
  if (mdev_state.irq_index === VFIO_PCI_MSI_IRQ_INDEX || count !== 1) return -EINVAL;
  if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
    yield* mtty_disable_intx(mdev_state);
    if (data === undefined) return 0;
    const evt = yield* eventfd_ctx_fdget(data);
    mdev_state.intx_evtfd = evt;
    mdev_state.irq_index = VFIO_PCI_INTX_IRQ_INDEX;
    return 0;
  }
  return is_intx ? yield* trigger_by_hand(mdev_state, set) : -EINVAL;
}

function* set_msi(mdev_state: MdevState, set: VfioIrqSet) {
  const { flags, count, data } = set;
  const is_msi = mdev_state.irq_index === VFIO_PCI_MSI_IRQ_INDEX;
  at('VFIO_PCI_MSI_IRQ_INDEX');
  if ((flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) !== VFIO_IRQ_SET_ACTION_TRIGGER) return -ENOTTY;
  if (is_msi && count === 0 && flags & VFIO_IRQ_SET_DATA_NONE) {
    yield* mtty_disable_msi(mdev_state);
    return 0;
  }
  if (mdev_state.irq_index === VFIO_PCI_INTX_IRQ_INDEX || count !== 1) return -EINVAL;
  if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
    yield* mtty_disable_msi(mdev_state);
    if (data === undefined) return 0;
    behind('VFIO_PCI_MSI_IRQ_INDEX');
    const evt = yield* eventfd_ctx_fdget(data);
    mdev_state.msi_evtfd = evt;
    atWrite('irq_index', 'mtty_disable_msi');
    mdev_state.irq_index = VFIO_PCI_MSI_IRQ_INDEX;
    return 0;
  }
  return is_msi ? yield* trigger_by_hand(mdev_state, set) : -EINVAL;
}

/** The loop-back test of VFIO’s interface: user space raises the interrupt itself. */
function* trigger_by_hand(mdev_state: MdevState, { index, flags, bool: trigger }: VfioIrqSet) {
  if (flags & VFIO_IRQ_SET_DATA_NONE || (flags & VFIO_IRQ_SET_DATA_BOOL && trigger === true)) {
    if (index === VFIO_PCI_MSI_IRQ_INDEX) behind('VFIO_PCI_MSI_IRQ_INDEX');
    yield* mtty_trigger_interrupt(mdev_state);
  }
  return 0;
}

const mtty_get_region_info = fn(
  'VFIO_DEVICE_GET_REGION_INFO: a BAR of eight registers for each port, and the configuration space. None can be mapped, so every access comes here.',
  function* mtty_get_region_info(mdev_state: MdevState, info: VfioRegionInfo) {
    if (info.index >= VFIO_PCI_NUM_REGIONS) return -EINVAL;
    yield* acquire(mdev_state.ops_lock, 'mutex_lock');
    const size = region_size(mdev_state, info.index);
    behind('mutex_lock');
    at('region_info');
    if (info.index === 0 || info.index === 1) mdev_state[`region_info[${info.index}].size`] = size;
    info.size = size;
    release(mdev_state.ops_lock, 'mutex_unlock');
    return 0;
  },
);

function region_size({ nr_ports }: MdevState, index: number): number {
  switch (index) {
    case VFIO_PCI_CONFIG_REGION_INDEX:
      return MTTY_CONFIG_SPACE_SIZE;
    case VFIO_PCI_BAR0_REGION_INDEX:
      return MTTY_IO_BAR_SIZE;
    case VFIO_PCI_BAR1_REGION_INDEX:
      return nr_ports === 2 ? MTTY_IO_BAR_SIZE : 0;
    default:
      return 0;
  }
}

const mtty_get_irq_info = fn(
  'VFIO_DEVICE_GET_IRQ_INFO: one INTx, which is said to mask itself, and one MSI. Whether INTx does is another matter: until 6.6 it did not.',
  function* mtty_get_irq_info(info: VfioIrqInfo) {
    const { index } = info;
    const known =
      index === VFIO_PCI_INTX_IRQ_INDEX || index === VFIO_PCI_MSI_IRQ_INDEX || (index === VFIO_PCI_REQ_IRQ_INDEX && !overhauled());
    at('index');
    if (!known) return -EINVAL;
    at('count');
    info.count = 1;
    const more = index === VFIO_PCI_INTX_IRQ_INDEX ? VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED : VFIO_IRQ_INFO_NORESIZE;
    info.flags = VFIO_IRQ_INFO_EVENTFD | more;
    return 0;
  },
);

const mtty_get_device_info = fn(
  'VFIO_DEVICE_GET_INFO: a PCI device. The answer is kept, and bounds every later request about interrupts.',
  function* mtty_get_device_info() {
    at('num_irqs');
    return VFIO_PCI_NUM_IRQS;
  },
);

const mtty_ioctl = fn('The ioctls of the device.', function* mtty_ioctl(mdev_state: MdevState, arg: VfioDeviceIoctl) {
  switch (arg.cmd) {
    case 'VFIO_DEVICE_GET_INFO': {
      const num_irqs = yield* mtty_get_device_info();
      at('dev_info');
      mdev_state['dev_info.num_irqs'] = num_irqs;
      if (arg.info !== undefined) Object.assign(arg.info, { flags: VFIO_DEVICE_FLAGS_PCI, num_regions: VFIO_PCI_NUM_REGIONS, num_irqs });
      return 0;
    }
    case 'VFIO_DEVICE_GET_REGION_INFO':
      return yield* mtty_get_region_info(mdev_state, arg.info);
    case 'VFIO_DEVICE_GET_IRQ_INFO':
      at('num_irqs');
      return arg.info.index < mdev_state['dev_info.num_irqs'] ? yield* mtty_get_irq_info(arg.info) : -EINVAL;
    case 'VFIO_DEVICE_SET_IRQS': {
      const ret = yield* vfio_set_irqs_validate_and_prepare(arg.set, mdev_state['dev_info.num_irqs'], VFIO_PCI_NUM_IRQS);
      return ret === 0 ? yield* mtty_set_irqs(mdev_state, arg.set) : ret;
    }
  }
});

const mtty_init_dev = fn(
  'A new device: takes its ports from those that are left, and makes its configuration space.',
  function* mtty_init_dev(mdev_state: MdevState, { nr_ports }: MttyType) {
    const { mtty } = mdev_state;
    at('avail_ports');
    if (mtty.mdev_avail_ports < nr_ports) return -ENOSPC;
    atCall('atomic_try_cmpxchg');
    mtty.mdev_avail_ports -= nr_ports;
    start(mdev_state, nr_ports);
    yield* mtty_create_config_space(mdev_state);
    return 0;
  },
);

/** The first assignments to a new device. */
function start(mdev_state: MdevState, nr_ports: number): void {
  mdev_state.nr_ports = nr_ports;
  mdev_state.irq_index = NO_IRQ_INDEX;
  at('max_fifo_size');
  for (const port of mdev_state.s) port.max_fifo_size = MAX_FIFO_SIZE;
}

const mtty_close = fn('The last user has closed the device. Until 6.6 nothing was done here.', function* mtty_close(mdev_state: MdevState) {
  if (overhauled()) {
    yield* mtty_disable_intx(mdev_state);
    yield* mtty_disable_msi(mdev_state);
  }
});

const device_ops = ops('mtty_dev_ops', { init: mtty_init_dev, read: mtty_read, write: mtty_write, ioctl: mtty_ioctl });
const close_ops = ops('mtty_dev_ops', { close_device: mtty_close });

const mtty_probe = fn('The mdev core has made a device: makes a VFIO device of it.', function* mtty_probe(mtty: Mtty, mdev: MdevDevice) {
  const state = mdev_state(mtty, mdev.uuid);
  const on = () => state;
  const type = typeOf(mtty, mdev.type);
  const vdev: VfioDevice = vfio_device({
    dev: mdev.dev,
    host: mtty.core.vfio.host,
    ops: {
      init: boundPointer(boundPointer(device_ops.init, on), () => type),
      read: boundPointer(device_ops.read, on),
      write: boundPointer(device_ops.write, on),
      ioctl: boundPointer(device_ops.ioctl, on),
      ...(overhauled() ? { close_device: boundPointer(close_ops.close_device, on) } : {}),
    },
  });
  const ret = yield* via('vfio_alloc_device', _vfio_alloc_device)(mtty.core.vfio, vdev);
  if (ret !== 0) return ret;
  mtty.devices.push(state);
  return yield* vfio_register_emulated_iommu_dev(mtty.core.vfio, vdev);
});

function typeOf(mtty: Mtty, type: MdevType): MttyType {
  const own = mtty.types.find((candidate) => candidate === type);
  if (own === undefined) throw new Error(`mtty has no type ${type.sysfs_name}`);
  return own;
}

const mtty_get_available = fn(
  'How many devices of this type the ports that are left would do for.',
  function* mtty_get_available(mtty: Mtty, mtype: MdevType) {
    at('mdev_avail_ports');
    return Math.floor(mtty.mdev_avail_ports / typeOf(mtty, mtype).nr_ports);
  },
);

const mtty_driver = ops('mtty_driver', { probe: mtty_probe, get_available: mtty_get_available });

const mtty_create = fn(
  'A new device: finds out from the type’s name how many ports it has, and makes its configuration space.',
  function* mtty_create(mtty: Mtty, kobj: MdevType, mdev: MdevDevice) {
    atCall('kzalloc');
    const state = mdev_state(mtty, mdev.uuid);
    start(state, typeOf(mtty, kobj).nr_ports);
    yield* mtty_create_config_space(state);
    atCall('list_add');
    mtty.devices.push(state);
    return 0;
  },
);

const mtty_open = fn('The device is opened: nothing to do.', function* mtty_open(_mdev_state: MdevState) {
  return 0;
});

const mdev_fops = ops('mdev_fops', {
  create: mtty_create,
  open: mtty_open,
  release: mtty_close,
  read: mtty_read,
  write: mtty_write,
  ioctl: mtty_ioctl,
});

/** The operations on one mediated device, which find its structure as mdev_get_drvdata() does. */
function parentOps(mtty: Mtty): MdevParentOps {
  return {
    supported_type_groups: mtty.types,
    create: boundPointer(mdev_fops.create, () => mtty),
    open: withState(mdev_fops.open, mtty),
    release: withState(mdev_fops.release, mtty),
    read: withState(mdev_fops.read, mtty),
    write: withState(mdev_fops.write, mtty),
    ioctl: withState(mdev_fops.ioctl, mtty),
  };
}

function withState<A extends readonly unknown[], R>(
  { target, registration }: Pointer<[mdev_state: MdevState, ...A], R>,
  mtty: Mtty,
): Pointer<[mdev: MdevDevice, ...A], R> {
  const stateOf = (mdev: MdevDevice): MdevState => {
    const state = mtty.devices.find(({ name }) => name === mdev.uuid);
    if (state === undefined) throw new Error(`mtty never made ${mdev.uuid}`);
    return state;
  };
  const found = Object.assign((mdev: MdevDevice, ...args: A) => target(stateOf(mdev), ...args), {
    info: target.info,
    over: (link: Link, mdev: MdevDevice, ...args: A) => target.over(link, stateOf(mdev), ...args),
  });
  return { target: found, registration };
}

export const mtty_dev_init = fn(
  'mtty.ko is loaded: a device of its own, without any hardware, becomes the parent that mediated devices are made of.',
  function* mtty_dev_init(mtty: Mtty) {
    const { core } = mtty;
    const parent = device('mtty');
    atCall('cdev_add');
    if (!since('linux', '5.19')) {
      yield* device_register(parent);
      return yield* mdev_register_device(core, parent, parentOps(mtty));
    }
    const driver = {
      driver: device_driver('mtty'),
      device_api: 'vfio-pci',
      probe: boundPointer(mtty_driver.probe, () => mtty),
      get_available: boundPointer(mtty_driver.get_available, () => mtty),
    };
    yield* mdev_register_driver(core, driver);
    yield* device_register(parent);
    return yield* mdev_register_parent(core, parent, driver, mtty.types);
  },
);
