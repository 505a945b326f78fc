import { bits, hex, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import { acquire, release, type Mutex } from '../../../../engine/mutex';
import { at, atCall, atWrite, causedBy, signal, until } from '../../../../engine/steps';
import { element } from '../../element';
import { PCI_DEVFN, PCIDeviceCells, type PCIBus, type PCIDevice } from '../../include/hw/pci/pci';
import { withOpaque } from '../../opaque';
import { do_pci_register_device, pci_set_irq } from '../pci/pci';
import { PCI_COMMAND, PCI_STATUS } from '../../../linux/include/uapi/linux/pci_regs';

/** edu, the PCI device that QEMU has for teaching: raises its INTx when told to, or when it has computed a factorial. DMA and MSI are not modelled. */

/** Its registers, as offsets into the BAR. */
export const EDU_FACT = 0x08;
export const EDU_STATUS = 0x20;
export const EDU_IRQ_STATUS = 0x24;
export const EDU_IRQ_RAISE = 0x60;
export const EDU_IRQ_ACK = 0x64;

export const EDU_STATUS_COMPUTING = 0x01;
export const EDU_STATUS_IRQFACT = 0x80;
export const FACT_IRQ = 0x1;

const STATUS_BITS = ['EDU_STATUS_COMPUTING', undefined, undefined, undefined, undefined, undefined, undefined, 'EDU_STATUS_IRQFACT'];

const EduStateCells = struct('EduState', 'QEMU’s device for teaching: causes of its interrupt, and a factorial in the making.', {
  fact: hex(32),
  status: bits(8, STATUS_BITS),
  irq_status: hex(32),
});

export type EduState = InstanceOf<typeof EduStateCells> & {
  readonly pdev: PCIDevice;
  readonly qemu_global_mutex: Mutex;
  /** The step that signalled the device's own thread last. */
  signalledAt: number;
};

/** Puts the device into a slot of the bus. */
export function edu_state(bus: PCIBus, slot: number, qemu_global_mutex: Mutex): EduState {
  const cells = PCIDeviceCells('edu');
  const pdev: PCIDevice = {
    name: 'edu',
    devfn: PCI_DEVFN(slot, 0),
    bus,
    get irq_state() {
      return cells.irq_state;
    },
    set irq_state(value) {
      cells.irq_state = value;
    },
    config: new Map([
      [PCI_COMMAND, element(cells, 'config[PCI_COMMAND]')],
      [PCI_STATUS, element(cells, 'config[PCI_STATUS]')],
    ]),
    config_read: withOpaque(do_pci_register_device.config_read, () => pdev),
    config_write: withOpaque(do_pci_register_device.config_write, () => pdev),
    intx_routing_notifier: undefined,
  };
  bus.devices.push(pdev);
  return Object.assign(EduStateCells('edu'), { pdev, qemu_global_mutex, signalledAt: -1 });
}

const { fn, ops } = source('qemu', 'hw/misc/edu.c');

const edu_raise_irq = fn(
  'Adds a cause, and raises the pin: a level that stays until every cause is acknowledged.',
  function* edu_raise_irq(edu: EduState, val: number) {
    edu.irq_status |= val;
    if (edu.irq_status !== 0) yield* pci_set_irq(edu.pdev, 1);
  },
);

const edu_lower_irq = fn('Acknowledges causes; the last one lowers the pin.', function* edu_lower_irq(edu: EduState, val: number) {
  edu.irq_status &= ~val;
  if (edu.irq_status === 0) yield* pci_set_irq(edu.pdev, 0);
});

const edu_mmio_read = fn('The guest reads a register.', function* edu_mmio_read(edu: EduState, addr: number, size: number) {
  if (size !== 4) return 0xffffffff;
  switch (addr) {
    case 0x00:
      return 0x010000ed;
    case EDU_FACT:
      at('fact');
      return edu.fact;
    case EDU_STATUS:
      atCall('qatomic_read');
      return edu.status;
    case EDU_IRQ_STATUS:
      at('irq_status');
      return edu.irq_status;
    default:
      return 0xffffffff;
  }
});

const edu_mmio_write = fn(
  'The guest writes a register. Raising and acknowledging happen right here, on the CPU’s own thread; a factorial is left to the device’s.',
  function* edu_mmio_write(edu: EduState, addr: number, val: number, size: number) {
    if (size !== 4) return;
    switch (addr) {
      case EDU_FACT:
        atCall('qatomic_read');
        if (edu.status & EDU_STATUS_COMPUTING) return;
        edu.fact = val;
        atCall('qatomic_or');
        edu.status |= EDU_STATUS_COMPUTING;
        edu.signalledAt = signal('wake-up', 'qemu_cond_signal', 'the device’s own thread computes');
        return;
      case EDU_STATUS:
        at('EDU_STATUS_IRQFACT');
        edu.status = val & EDU_STATUS_IRQFACT ? edu.status | EDU_STATUS_IRQFACT : edu.status & ~EDU_STATUS_IRQFACT;
        return;
      case EDU_IRQ_RAISE:
        return yield* edu_raise_irq(edu, val);
      case EDU_IRQ_ACK:
        return yield* edu_lower_irq(edu, val);
    }
  },
);

export const edu_fact_thread = fn(
  'The device’s own thread: waits for a number, computes its factorial, and takes the BQL to raise the interrupt. Any thread may drive a line that holds it.',
  function* edu_fact_thread(edu: EduState) {
    for (;;) {
      yield* until(() => (edu.status & EDU_STATUS_COMPUTING) !== 0);
      causedBy(edu.signalledAt);
      let ret = 1;
      for (let val = edu.fact; val > 0; val--) ret = Math.imul(ret, val);
      atWrite('fact', 'ret');
      edu.fact = ret;
      atCall('qatomic_and');
      edu.status &= ~EDU_STATUS_COMPUTING;
      if (!(edu.status & EDU_STATUS_IRQFACT)) continue;
      yield* acquire(edu.qemu_global_mutex, 'qemu_mutex_lock_iothread');
      yield* edu_raise_irq(edu, FACT_IRQ);
      release(edu.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    }
  },
);

export const edu_mmio_ops = ops('edu_mmio_ops', { read: edu_mmio_read, write: edu_mmio_write });
