import { entering, handing, writing, type Mark, type PartSpec, type WireSpec } from '../topology';

/** Parts of a host's topology that several flows share: the device and how its line reaches the host's kernel; vfio-pci. */

export const PCI_COMMAND_INTX_DISABLE = 0x400;

/** A PCI function, as far as its line goes. */
export const pciFunction: PartSpec = {
  id: 'function',
  title: 'PCI function',
  kind: 'device',
  world: 'hardware',
  of: ['pci_function'],
  code: ['pci_function'],
  shows: ['irq_status', 'INTx'],
  blocked: [
    {
      when: (cell) => cell('irq_status') !== 0 && (cell('PCI_COMMAND') & PCI_COMMAND_INTX_DISABLE) !== 0,
      because: 'A cause is pending, but PCI_COMMAND.INTX_DISABLE is set: the function does not drive its line.',
    },
  ],
};

export const hostPin: PartSpec = {
  id: 'host-pin',
  title: 'Host I/O APIC pin',
  kind: 'pin',
  world: 'hardware',
  of: ['host_ioapic_pin'],
  reads: ['pci_function'],
  code: ['hardware:accept', 'hardware:end_of_interrupt', 'hardware:set_mask'],
  shows: ['mask', 'remote_irr'],
  blocked: [
    { when: (cell) => cell('mask') !== 0 && cell('INTx') !== 0, because: 'The line is up, but the pin is masked.' },
    {
      when: (cell) => cell('remote_irr') !== 0,
      because: 'Remote IRR is set: the pin sends nothing more until the host has ended this interrupt.',
    },
  ],
};

export const hostIrq: PartSpec = {
  id: 'host-irq',
  title: 'irq_desc',
  kind: 'irq',
  world: 'host',
  of: ['irq_desc(host irq *)'],
  code: ['kernel/irq/manage.c'],
  shows: ['depth', 'irq_data.IRQD_IRQ_DISABLED'],
  blocked: [
    {
      when: (cell) => cell('irq_data.IRQD_IRQ_STARTED') !== 0 && cell('depth') > 0,
      because: 'The host’s interrupt is disabled (depth is above 0): its handler does not run.',
    },
  ],
};

/** The line of the function, to the handler of vfio-pci. */
export const hostLine: readonly WireSpec[] = [
  { from: 'function', to: 'host-pin', kind: 'line', label: 'INTx', passed: [handing('line', 'drive_INTx')] },
  { from: 'host-pin', to: 'host-irq', kind: 'hardirq', passed: [entering('hardware:accept')] },
  { from: 'host-irq', to: 'ctx', kind: 'function pointer', label: 'vfio_intx_handler', passed: [entering('vfio_intx_handler')] },
];

/** vfio-pci’s context of the device’s INTx. */
export const intxContext: PartSpec = {
  id: 'ctx',
  title: 'vfio_pci_irq_ctx',
  kind: 'driver',
  world: 'host',
  of: ['vfio_pci_irq_ctx(ctx[0])'],
  reads: ['vfio_pci_core_device'],
  code: [
    'drivers/vfio/pci/vfio_pci_intrs.c',
    'drivers/vfio/virqfd.c',
    'drivers/vfio/pci/vfio_pci_config.c',
    'drivers/vfio/pci/vfio_pci_core.c',
  ],
  shows: ['masked', 'trigger'],
  blocked: [
    {
      when: (cell) => cell('virq_disabled') !== 0,
      because: 'virq_disabled is set: the guest has set DisINTx, and vfio-pci holds back what comes.',
    },
    {
      when: (cell) => cell('masked') !== 0 && !(cell('virq_disabled') !== 0),
      because: 'masked is set: the device stays quiet until somebody unmasks it.',
    },
  ],
};

/** An eventfd of the host, by the name of its instance; `*` for several. */
export const eventfd = (id: string, name: string, title = name): PartSpec => ({
  id,
  title,
  kind: 'eventfd',
  world: 'host',
  of: [`eventfd_ctx(${name})`],
  code: ['fs/eventfd.c', 'include/linux/eventfd.h'],
  shows: ['count'],
  blocked: [{ when: (cell) => cell('count') > 0, because: 'The count is above 0: the event waits to be read.' }],
});

/** The marks of a signalled eventfd: the kernel or a program adds to its count. */
export const signalled = (part: string, under?: string): readonly Mark[] => [
  writing(part, 'count', 'eventfd_signal_mask', under),
  writing(part, 'count', 'eventfd_write', under),
];
