import { bool, int, pointer, struct, type InstanceOf } from '../../engine/cell';
import { source, through } from '../../engine/fn';
import { at, until } from '../../engine/steps';
import { vfio_fops } from '../linux/drivers/vfio/container';
import { vfio_group_fops } from '../linux/drivers/vfio/group';
import type { Vfio, VfioGroupFile } from '../linux/drivers/vfio/vfio';
import { vfio_device_fops, type VfioDeviceFile } from '../linux/drivers/vfio/vfio_main';
import { eventfd_ctx, eventfd_fops, type EventfdCtx } from '../linux/fs/eventfd';
import { close, type FilesStruct } from '../linux/fs/file_table';
import { pread64, pwrite64 } from '../linux/fs/read_write';
import { poll_wqueues, ppoll, type PollWqueues } from '../linux/fs/select';
import {
  UART_FCR,
  UART_FCR_ENABLE_FIFO,
  UART_IER,
  UART_IER_RDI,
  UART_IIR,
  UART_IIR_NO_INT,
  UART_LSR,
  UART_LSR_DR,
  UART_RX,
  UART_TX,
} from '../linux/include/uapi/linux/serial_reg';
import {
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_TYPE1v2_IOMMU,
} from '../linux/include/uapi/linux/vfio';
import { EPOLLIN } from '../linux/kernel/sched/wait';
import { since } from '../version';

/**
 * A program that uses an mtty by itself, through VFIO and without any guest: a driver in user space. It sends to each port
 * and, for every interrupt that its eventfd counted, serves one port that has something.
 */

const ProgramCells = struct('program', 'A driver in user space: what it waits on, and what it has received.', {
  irq_fd: pointer<EventfdCtx>(),
  irq_index: int(),
  served: int(),
  failed: bool(),
});

export type Program = InstanceOf<typeof ProgramCells> &
  FilesStruct & {
    readonly vfio: Vfio;
    /** The device’s name. */
    readonly device: string;
    group: VfioGroupFile | undefined;
    file: VfioDeviceFile | undefined;
    readonly poll: PollWqueues;
    readonly received: number[];
    /** How many eventfds it has made. */
    eventfds: number;
    /** It asks for the device’s properties before anything else, as VFIO’s documentation wants it. */
    readonly careful: boolean;
    readonly ports: number;
  };

/** Makes the program before it runs; `irq_index` is VFIO_PCI_INTX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX. */
export const program = (irq_index: number, parts: Pick<Program, 'vfio' | 'device' | 'careful' | 'ports'>): Program =>
  Object.assign(ProgramCells('driver in user space', { irq_index }), {
    files: [],
    group: undefined,
    file: undefined,
    poll: poll_wqueues('program'),
    received: [],
    eventfds: 0,
    ...parts,
  });

const { fn } = source('user', 'mtty_program');

const ioctl = (p: Program, arg: Parameters<typeof vfio_device_fops.unlocked_ioctl.target>[1]) =>
  through('ioctl', 'ioctl', vfio_device_fops.unlocked_ioctl)(file(p), arg);

function file({ file: opened }: Program): VfioDeviceFile {
  if (opened === undefined) throw new Error('the program has not opened the device');
  return opened;
}

const outb = (p: Program, port: number, register: number, value: number) =>
  through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(file(p), port, register, 1, value);
const inb = (p: Program, port: number, register: number) => through('syscall', 'pread', pread64.ksys_pread64)(file(p), port, register, 1);

const open_group = fn(
  'Opens the device’s group and gives it a container: without one, no device of it can be opened.',
  function* open_group(p: Program) {
    const found = p.vfio.group_list.find(({ device_list }) => device_list.some(({ dev }) => dev.name === p.device));
    if (found === undefined) return;
    const group = yield* through('syscall', 'open', vfio_group_fops.open)(found);
    if (typeof group === 'number') return;
    p.group = group;
    if (!since('linux', '6.1')) return;
    const container = yield* through('syscall', 'open', vfio_fops.open)(p.vfio);
    yield* through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(group, { cmd: 'VFIO_GROUP_SET_CONTAINER', fd: container });
    yield* through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, { cmd: 'VFIO_SET_IOMMU', iommu_type: VFIO_TYPE1v2_IOMMU });
  },
);

const open_device = fn('Opens the device, by its name in the group.', function* open_device(p: Program) {
  if (p.group === undefined) return;
  const got: { fd: VfioDeviceFile | undefined } = { fd: undefined };
  yield* through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(p.group, { cmd: 'VFIO_GROUP_GET_DEVICE_FD', name: p.device, got });
  p.file = got.fd;
  if (got.fd !== undefined) p.files.push(got.fd.file);
});

export const reopen = fn('Closes the device and opens it again, as another program might after this one.', function* reopen(p: Program) {
  yield* close(p, file(p).file);
  yield* open_device(p);
});

export const set_irq_eventfd = fn(
  'Makes an eventfd and hands it to the device: VFIO_DEVICE_SET_IRQS with one eventfd.',
  function* set_irq_eventfd(p: Program) {
    const irq_fd = eventfd_ctx(`irq_fd ${++p.eventfds}`);
    p.irq_fd = irq_fd;
    const flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    return yield* ioctl(p, { cmd: 'VFIO_DEVICE_SET_IRQS', set: { index: p.irq_index, flags, count: 1, data: irq_fd } });
  },
);

export const disable_irq = fn('Takes the interrupt down: no data, no interrupts.', function* disable_irq(p: Program) {
  const flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
  return yield* ioctl(p, { cmd: 'VFIO_DEVICE_SET_IRQS', set: { index: p.irq_index, flags, count: 0 } });
});

export const trigger_irq = fn(
  'Has the device raise its interrupt, to see whether it arrives: no data, one interrupt.',
  function* trigger_irq(p: Program) {
    const flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
    return yield* ioctl(p, { cmd: 'VFIO_DEVICE_SET_IRQS', set: { index: p.irq_index, flags, count: 1 } });
  },
);

export const close_eventfd = fn('Closes the eventfd.', function* close_eventfd(p: Program) {
  const { irq_fd } = p;
  at('irq_fd');
  if (irq_fd === undefined) return;
  p.irq_fd = undefined;
  yield* through('syscall', 'close', eventfd_fops.release)(irq_fd);
});

export const replace_eventfd = fn('Hands another eventfd to the device, and closes the old one.', function* replace_eventfd(p: Program) {
  const old = p.irq_fd;
  yield* set_irq_eventfd(p);
  if (old !== undefined) yield* through('syscall', 'close', eventfd_fops.release)(old);
});

const unmask_irq = fn('INTx masks itself, or says that it does: opens it again.', function* unmask_irq(p: Program) {
  const flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
  yield* ioctl(p, { cmd: 'VFIO_DEVICE_SET_IRQS', set: { index: p.irq_index, flags, count: 1 } });
});

const query = fn('Asks what the device is, and what its interrupt can do.', function* query(p: Program) {
  yield* ioctl(p, { cmd: 'VFIO_DEVICE_GET_INFO' });
  yield* ioctl(p, { cmd: 'VFIO_DEVICE_GET_IRQ_INFO', info: { index: p.irq_index, flags: 0, count: 0 } });
});

export const send = fn('Sends a byte.', function* send(p: Program, port: number, byte: number) {
  yield* outb(p, port, UART_TX, byte);
});

const serve_one = fn('Serves the first port that says it has something: takes all that it received.', function* serve_one(p: Program) {
  for (let port = 0; port < p.ports; port++) {
    if ((yield* inb(p, port, UART_IIR)) & UART_IIR_NO_INT) continue;
    while ((yield* inb(p, port, UART_LSR)) & UART_LSR_DR) p.received.push(yield* inb(p, port, UART_RX));
    p.served += 1;
    return;
  }
});

const wait_for_irq = fn('Sleeps until the eventfd has counted something, and takes the count.', function* wait_for_irq(p: Program) {
  if (p.irq_fd === undefined) at('irq_fd', 'It has closed its eventfd: nothing can wake it any more.');
  yield* until(() => p.irq_fd !== undefined);
  const irq_fd = p.irq_fd!;
  yield* through('syscall', 'ppoll', ppoll.do_sys_poll)([{ fd: irq_fd, events: EPOLLIN, revents: 0 }], p.poll, undefined);
  return yield* through('syscall', 'read', eventfd_fops.read_iter)(irq_fd);
});

export const mtty_program = fn(
  'Sets the interrupt up, enables it at each port, sends, and serves what comes back.',
  function* mtty_program(p: Program, bytes: readonly number[]) {
    yield* open_group(p);
    yield* open_device(p);
    if (p.careful) yield* query(p);
    p.failed = (yield* set_irq_eventfd(p)) !== 0;
    for (let port = 0; port < p.ports; port++) {
      yield* outb(p, port, UART_FCR, UART_FCR_ENABLE_FIFO);
      yield* outb(p, port, UART_IER, UART_IER_RDI);
    }
    for (const byte of bytes) for (let port = 0; port < p.ports; port++) yield* send(p, port, byte);
    for (;;) {
      const count = yield* wait_for_irq(p);
      for (let n = 0; n < count; n++) yield* serve_one(p);
      if (p.irq_index === VFIO_PCI_INTX_IRQ_INDEX) yield* unmask_irq(p);
    }
  },
);
