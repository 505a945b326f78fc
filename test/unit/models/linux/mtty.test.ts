import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { mdev_init } from '../../../../src/models/linux/drivers/vfio/mdev/mdev_core';
import { create_file } from '../../../../src/models/linux/drivers/vfio/mdev/mdev_sysfs';
import { vfio_core } from '../../../../src/models/linux/drivers/vfio/vfio';
import type { VfioIrqSet } from '../../../../src/models/linux/drivers/vfio/pci/vfio_pci_intrs';
import { EINVAL, ENOTTY } from '../../../../src/models/linux/errno';
import { eventfd_ctx, type EventfdCtx } from '../../../../src/models/linux/fs/eventfd';
import { kernfs_fop_write_iter } from '../../../../src/models/linux/fs/kernfs/file';
import { mdev_core } from '../../../../src/models/linux/include/linux/mdev';
import {
  UART_FCR,
  UART_FCR_CLEAR_RCVR,
  UART_FCR_ENABLE_FIFO,
  UART_IER,
  UART_IER_RDI,
  UART_IER_RLSI,
  UART_IER_THRI,
  UART_IIR,
  UART_IIR_NO_INT,
  UART_IIR_RDI,
  UART_IIR_RLSI,
  UART_IIR_THRI,
  UART_LSR,
  UART_LSR_DR,
  UART_LSR_OE,
  UART_LSR_THRE,
  UART_RX,
  UART_TX,
} from '../../../../src/models/linux/include/uapi/linux/serial_reg';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
} from '../../../../src/models/linux/include/uapi/linux/vfio';
import { alloc_workqueue } from '../../../../src/models/linux/kernel/workqueue';
import { mtty_dev_init, mtty_module } from '../../../../src/models/linux/samples/vfio-mdev/mtty';
import { createBench } from '../../../conform/bench';

/** mtty’s registers and interrupts, beaten with whatever a user may do to them. */

type Linux = '6.1' | '6.12';

const OPENED = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
const DISABLED = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE;
const UNMASKED = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE;
const FIFO_SIZE = 16;

/** A device of type mtty-2, open, that has told how many interrupts it has. */
function card(linux: Linux) {
  const { bench, made } = createBench({ linux }, () => {
    const vfio = vfio_core(
      { system_wq: alloc_workqueue('events', 'kworker', 1), vfio_irqfd_cleanup_wq: alloc_workqueue('cleanup', 'cleanup', 1) },
      7,
    );
    return { vfio, mtty: mtty_module(mdev_core(vfio)) };
  });
  const { perform } = bench;
  const { vfio, mtty } = made;
  perform(() => mdev_init(mtty.core));
  perform(() => mtty_dev_init(mtty));
  perform(() => kernfs_fop_write_iter(create_file(mtty.types[1]!), '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'));
  const { ops } = vfio.group_list[0]!.device_list[0]!;
  let eventfds = 0;
  const device = {
    // eventfd(2) needs a running machine.
    eventfd: (): EventfdCtx =>
      perform(function* () {
        return eventfd_ctx(`eventfd ${++eventfds}`);
      }),
    state: mtty.devices[0]!,
    write: (bar: number, offset: number, value: number, size = 1) => perform(() => ops.write.target(bar, offset, size, value)),
    read: (bar: number, offset: number, size = 1) => perform(() => ops.read.target(bar, offset, size)),
    setIrqs: (set: VfioIrqSet) => perform(() => ops.ioctl.target({ cmd: 'VFIO_DEVICE_SET_IRQS', set })),
    /** Connects INTx or MSI to a new eventfd. */
    connect: (index: number): EventfdCtx => {
      const data = device.eventfd();
      assert.equal(device.setIrqs({ index, flags: OPENED, count: 1, data }), 0);
      return data;
    },
  };
  perform(() => ops.ioctl.target({ cmd: 'VFIO_DEVICE_GET_INFO' }));
  return device;
}

type Card = ReturnType<typeof card>;

const linux = fc.constantFrom<Linux>('6.1', '6.12');
const byte = fc.integer({ min: 0, max: 0xff });

type Operation =
  | { readonly kind: 'write'; readonly bar: number; readonly offset: number; readonly value: number }
  | { readonly kind: 'read'; readonly bar: number; readonly offset: number };

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), bar: fc.nat({ max: 1 }), offset: fc.nat({ max: 7 }), value: byte }),
  fc.record({ kind: fc.constant('read' as const), bar: fc.nat({ max: 1 }), offset: fc.nat({ max: 7 }) }),
);

const perform = (of: Card, operation: Operation): number =>
  operation.kind === 'write' ? of.write(operation.bar, operation.offset, operation.value) : of.read(operation.bar, operation.offset);

/** What holds of a port after every access. */
function sound({ s }: Card['state']): void {
  for (const { rxtx, max_fifo_size, intr_trigger_level, divisor } of s) {
    assert.equal(
      (rxtx.head - rxtx.tail - rxtx.count + 2 * FIFO_SIZE) % FIFO_SIZE,
      0,
      'count is the distance from tail to head, but for a full round',
    );
    assert.ok(rxtx.count >= 0 && rxtx.count <= FIFO_SIZE);
    assert.ok([rxtx.head, rxtx.tail].every((index) => index >= 0 && index < FIFO_SIZE));
    assert.ok(max_fifo_size === 1 || max_fifo_size === FIFO_SIZE);
    assert.ok(intr_trigger_level <= 1);
    assert.ok(divisor <= 0xffff);
  }
}

/** IIR as it follows from what is enabled and from what LSR says, for a FIFO that is not full. */
function expectedIir({ s }: Card['state'], bar: number): number {
  const port = s[bar]!;
  const ier = port['uart_reg[UART_IER]'];
  const causes =
    (ier & UART_IER_RLSI && port.overrun ? UART_IIR_RLSI : 0) |
    (ier & UART_IER_RDI && port.rxtx.count > 0 ? UART_IIR_RDI : 0) |
    (ier & UART_IER_THRI && port.rxtx.count === 0 ? UART_IIR_THRI : 0);
  return causes === 0 ? UART_IIR_NO_INT : causes;
}

describe('mtty’s registers', () => {
  it('stay sound whatever is written and read, in both ports', () => {
    fc.assert(
      fc.property(linux, fc.array(anyOperation, { maxLength: 60 }), (version, operations) => {
        const of = card(version);
        of.connect(VFIO_PCI_INTX_IRQ_INDEX);
        for (const operation of operations) {
          const result = perform(of, operation);
          assert.ok(operation.kind === 'write' ? result === 1 : result >= 0 && result <= 0xff);
          sound(of.state);
        }
      }),
    );
  });

  it('give back what was sent, in order, and say so in LSR and IIR, up to 15 bytes', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: byte },
      { weight: 2, arbitrary: fc.constant('read' as const) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    );
    fc.assert(
      fc.property(
        linux,
        fc.nat({ max: 1 }),
        fc.integer({ min: 0, max: 7 }),
        fc.array(step, { maxLength: 60 }),
        (version, bar, ier, steps) => {
          const of = card(version);
          of.connect(VFIO_PCI_INTX_IRQ_INDEX);
          of.write(bar, UART_FCR, UART_FCR_ENABLE_FIFO);
          of.write(bar, UART_IER, ier);
          let queue: readonly number[] = [];
          for (const what of steps) {
            if (what === 'clear') {
              of.write(bar, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
              queue = [];
            } else if (what === 'read') {
              assert.equal(of.read(bar, UART_RX), queue[0] ?? 0);
              queue = queue.slice(1);
            } else if (queue.length < FIFO_SIZE - 1) {
              of.write(bar, UART_TX, what);
              queue = [...queue, what];
            }
            assert.equal(of.read(bar, UART_LSR) & UART_LSR_DR, queue.length > 0 ? UART_LSR_DR : 0);
            assert.equal(of.read(bar, UART_LSR) & UART_LSR_THRE, queue.length > 0 ? 0 : UART_LSR_THRE);
            assert.equal(of.read(bar, UART_IIR) & 0x0f, expectedIir(of.state, bar));
            assert.equal(of.state.s[1 - bar]!.rxtx.count, 0, 'the other port is left alone');
          }
        },
      ),
    );
  });

  it('take sixteen bytes for none: none can be read, each further one is an overrun, and IIR goes on announcing', () => {
    const of = card('6.12');
    of.write(0, UART_FCR, UART_FCR_ENABLE_FIFO);
    of.write(0, UART_IER, UART_IER_RDI);
    for (let n = 1; n <= FIFO_SIZE; n++) of.write(0, UART_TX, n);
    assert.equal(of.read(0, UART_LSR) & (UART_LSR_DR | UART_LSR_OE), 0);
    assert.equal(of.read(0, UART_RX), 0);
    assert.equal(of.read(0, UART_IIR) & 0x0f, UART_IIR_RDI);
    of.write(0, UART_TX, 0x55);
    assert.equal(of.read(0, UART_LSR) & UART_LSR_OE, UART_LSR_OE);
    of.write(0, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
    of.write(0, UART_TX, 0x66);
    assert.equal(of.read(0, UART_RX), 0x66);
  });

  it('say the size of a BAR when all ones are written, and keep an address', () => {
    fc.assert(
      fc.property(linux, fc.constantFrom(0x10, 0x14), fc.integer({ min: 0, max: 0x1fff }), (version, offset, address) => {
        const of = card(version);
        of.write(VFIO_PCI_CONFIG_REGION_INDEX, offset, 0xffffffff, 4);
        assert.equal(of.read(VFIO_PCI_CONFIG_REGION_INDEX, offset, 4) >>> 0, 0xfffffff9);
        of.write(VFIO_PCI_CONFIG_REGION_INDEX, offset, address * 8, 4);
        assert.equal(of.read(VFIO_PCI_CONFIG_REGION_INDEX, offset, 4), (address * 8) | 1);
      }),
    );
  });
});

/** What a user may ask about interrupts, with an eventfd of its own each time. */
const request = fc.record({
  index: fc.constantFrom(VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX),
  action: fc.constantFrom(VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK, VFIO_IRQ_SET_ACTION_TRIGGER),
  data: fc.constantFrom(VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL, VFIO_IRQ_SET_DATA_EVENTFD),
  count: fc.nat({ max: 1 }),
  bool: fc.boolean(),
  closes: fc.boolean(),
});
type Request = typeof request extends fc.Arbitrary<infer R> ? R : never;

function ask(of: Card, { index, action, data, count, bool, closes }: Request, made: EventfdCtx[]): number {
  const own = of.eventfd();
  if (data === VFIO_IRQ_SET_DATA_EVENTFD && !closes) made.push(own);
  const eventfd = data === VFIO_IRQ_SET_DATA_EVENTFD && !closes ? { data: own } : {};
  return of.setIrqs({ index, flags: action | data, count, bool, ...eventfd });
}

describe('mtty’s interrupts', () => {
  it('since 6.7: whatever is asked, one eventfd at most is connected, each reference is the device’s or the user’s, and nothing is left behind', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(request, anyOperation), { maxLength: 40 }), (history) => {
        const of = card('6.12');
        const made: EventfdCtx[] = [];
        for (const what of history) {
          const result = 'kind' in what ? perform(of, what) : ask(of, what, made);
          if (!('kind' in what)) assert.ok([0, -EINVAL, -ENOTTY].includes(result));
          const { intx_evtfd, msi_evtfd, irq_index } = of.state;
          assert.ok(intx_evtfd === undefined || msi_evtfd === undefined);
          assert.equal(
            irq_index,
            intx_evtfd !== undefined ? VFIO_PCI_INTX_IRQ_INDEX : msi_evtfd !== undefined ? VFIO_PCI_MSI_IRQ_INDEX : -1,
          );
          for (const ctx of made) assert.equal(ctx.kref, ctx === intx_evtfd || ctx === msi_evtfd ? 2 : 1);
        }
        of.setIrqs({ index: VFIO_PCI_INTX_IRQ_INDEX, flags: DISABLED, count: 0 });
        of.setIrqs({ index: VFIO_PCI_MSI_IRQ_INDEX, flags: DISABLED, count: 0 });
        assert.ok(made.every(({ kref }) => kref === 1));
      }),
    );
  });

  it('since 6.7: INTx is signalled once, and not again until it is unmasked; before, and by MSI, as often as there are causes', () => {
    fc.assert(
      fc.property(linux, fc.boolean(), fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (version, msi, unmasks) => {
        const of = card(version);
        const index = msi ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_INTX_IRQ_INDEX;
        const eventfd = of.connect(index);
        let masked = false;
        let expected = 0;
        for (const unmask of unmasks) {
          of.write(0, UART_IER, UART_IER_THRI);
          if (!masked) expected++;
          masked = version === '6.12' && !msi;
          assert.equal(eventfd.count, expected);
          if (unmask) {
            const result = of.setIrqs({ index, flags: UNMASKED, count: 1 });
            assert.equal(result, msi && version === '6.12' ? -ENOTTY : 0);
            masked = false;
          }
        }
      }),
    );
  });

  it('unmasking does not look whether a cause is left, unlike vfio-pci’s', () => {
    const of = card('6.12');
    const eventfd = of.connect(VFIO_PCI_INTX_IRQ_INDEX);
    for (const bar of [0, 1]) of.write(bar, UART_FCR, UART_FCR_ENABLE_FIFO);
    for (const bar of [0, 1]) of.write(bar, UART_IER, UART_IER_RDI);
    for (const bar of [0, 1]) of.write(bar, UART_TX, 0x61);
    assert.equal(eventfd.count, 1);
    of.read(0, UART_RX);
    of.setIrqs({ index: VFIO_PCI_INTX_IRQ_INDEX, flags: UNMASKED, count: 1 });
    assert.equal(eventfd.count, 1);
    assert.equal(of.read(1, UART_IIR) & 0x0f, UART_IIR_RDI);
  });

  it('an eventfd cannot unmask INTx: until 6.6 the answer is 0 all the same', () => {
    for (const [version, answer] of [
      ['6.1', 0],
      ['6.12', -ENOTTY],
    ] as const) {
      const of = card(version);
      const trigger = of.connect(VFIO_PCI_INTX_IRQ_INDEX);
      const unmask = of.eventfd();
      const flags = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_EVENTFD;
      assert.equal(of.setIrqs({ index: VFIO_PCI_INTX_IRQ_INDEX, flags, count: 1, data: unmask }), answer);
      assert.equal(unmask.kref, 1);
      assert.equal(trigger.kref, 2);
    }
  });

  it('until 6.6: an interrupt that was never set up kills whoever writes the register; since 6.7 there is none', () => {
    assert.throws(() => card('6.1').write(0, UART_IER, UART_IER_THRI), /wait for something that never comes/);
    const of = card('6.12');
    assert.equal(of.write(0, UART_IER, UART_IER_THRI), 1);
  });

  it('until 6.6: every DATA_NONE drops a reference, whether or not there is one to drop', () => {
    const of = card('6.1');
    const eventfd = of.connect(VFIO_PCI_INTX_IRQ_INDEX);
    assert.equal(eventfd.kref, 2);
    of.setIrqs({ index: VFIO_PCI_INTX_IRQ_INDEX, flags: DISABLED, count: 0 });
    of.setIrqs({ index: VFIO_PCI_INTX_IRQ_INDEX, flags: DISABLED, count: 1 });
    assert.equal(eventfd.kref, 0);
    assert.equal(of.state.intx_evtfd, eventfd);
  });
});
