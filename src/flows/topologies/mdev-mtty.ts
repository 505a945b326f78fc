import { entering, handing, writing, type PartSpec, type Topology } from '../topology';
import { eventfd, signalled } from './host';
import { delivery, guestCpu, inject, ioapic, irqfd, lapic, mainLoop, pirToIrr, posted, resampler, routing, vcpu } from './kvm';
import { vfioLine } from './qemu';

/** mtty: a serial port that a kernel module makes up, given to a guest or to a program. */

const state: PartSpec = {
  id: 'mdev',
  title: 'mdev_state',
  kind: 'device',
  world: 'host',
  of: ['mdev_state'],
  code: ['samples/vfio-mdev/mtty.c'],
  shows: ['irq_index', 'intx_evtfd', 'intx_mask'],
  blocked: [
    { when: (cell) => cell('intx_mask') === 1, because: 'intx_mask is set: mtty signals nobody until it is unmasked.' },
    { when: (cell) => cell('intx_evtfd') === 0 && cell('msi_evtfd') === 0, because: 'No eventfd is set: mtty has nobody to signal.' },
  ],
};

const port = (index: number): PartSpec => ({
  id: `port${index}`,
  title: `serial_port ${index}`,
  kind: 'device',
  world: 'host',
  of: [`serial_port(* port ${index})`, `rxtx(* port ${index})`],
  code: ['handle_bar_write', 'handle_bar_read'],
  shows: ['uart_reg[UART_IER]', 'count'],
});

const driver: PartSpec = {
  id: 'driver',
  title: 'uart_8250_port',
  kind: 'driver',
  world: 'guest',
  of: ['uart_8250_port', 'uart_port'],
  code: ['drivers/tty/serial/8250/8250_port.c', 'drivers/tty/serial/8250/8250_core.c', 'drivers/tty/serial/serial_core.c'],
  shows: ['ier', 'icount.tx', 'icount.rx'],
};

const program: PartSpec = {
  id: 'program',
  title: 'program',
  kind: 'driver',
  world: 'user',
  of: ['program'],
  code: ['mtty_program'],
  given: (parameters) => parameters['user'] !== 'qemu',
};

export const mdevMtty: Topology = {
  parts: [
    state,
    port(0),
    port(1),
    eventfd('fd', 'intx.interrupt'),
    eventfd('program-fd', 'irq_fd *', 'irq_fd'),
    irqfd('irqfd', '*'),
    inject,
    routing,
    ioapic(21),
    resampler,
    lapic,
    posted,
    vcpu,
    guestCpu,
    driver,
    vfioLine,
    mainLoop,
    program,
  ],
  wires: [
    { from: 'driver', to: 'cpu', kind: 'mmio', label: 'ports', passed: [entering('io_serial_out'), entering('io_serial_in')] },
    { from: 'cpu', to: 'driver', kind: 'function pointer', label: 'handler', passed: [entering('serial8250_interrupt')] },
    {
      from: 'vcpu',
      to: 'vfio',
      kind: 'mmio',
      passed: [entering('vfio_region_write'), entering('vfio_region_read'), entering('vfio_pci_write_config')],
    },
    { from: 'vfio', to: 'mdev', kind: 'syscall', label: 'pread, pwrite', passed: [entering('mtty_write'), entering('mtty_read')] },
    { from: 'vfio', to: 'mdev', kind: 'ioctl', label: 'SET_IRQS', passed: [entering('mtty_set_irqs')] },
    { from: 'program', to: 'mdev', kind: 'syscall', label: 'pread, pwrite', passed: [entering('mtty_write'), entering('mtty_read')] },
    { from: 'program', to: 'mdev', kind: 'ioctl', label: 'SET_IRQS', passed: [entering('mtty_set_irqs')] },
    {
      from: 'mdev',
      to: 'port0',
      kind: 'call',
      label: 'BAR 0',
      passed: [writing('port0', 'uart_reg*'), writing('port0', 'count'), writing('port0', 'fcr')],
    },
    {
      from: 'mdev',
      to: 'port1',
      kind: 'call',
      label: 'BAR 1',
      passed: [writing('port1', 'uart_reg*'), writing('port1', 'count'), writing('port1', 'fcr')],
    },
    { from: 'mdev', to: 'fd', kind: 'eventfd', label: 'intx_evtfd', passed: signalled('fd') },
    { from: 'mdev', to: 'program-fd', kind: 'eventfd', label: 'evtfd', passed: signalled('program-fd') },
    { from: 'program-fd', to: 'program', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake')] },
    { from: 'fd', to: 'irqfd', kind: 'eventfd', label: 'irqfd_wakeup', passed: [entering('irqfd_wakeup')] },
    {
      from: 'irqfd',
      to: 'inject',
      kind: 'workqueue',
      passed: [handing('workqueue', '__queue_work', 'irqfd_wakeup'), handing('workqueue', '__queue_work', 'kvm_irqfd_assign')],
    },
    { from: 'inject', to: 'routing', kind: 'call', label: 'GSI', passed: [entering('linux:kvm_set_irq', 'irqfd_inject')] },
    { from: 'routing', to: 'ioapic', kind: 'line', label: 'pin', passed: [entering('kvm_set_ioapic_irq')] },
    { from: 'ioapic', to: 'lapic', kind: 'msi', label: 'vector', passed: [entering('kvm_irq_delivery_to_apic', 'ioapic_service')] },
    // The vCPU is never in the guest when mtty signals: its own thread writes the port, so what was posted is taken at the entry.
    ...delivery.filter(({ from }) => from !== 'pi'),
    pirToIrr,
    { from: 'lapic', to: 'ioapic', kind: 'call', label: 'EOI', passed: [entering('linux:kvm_ioapic_update_eoi')] },
    { from: 'ioapic', to: 'resampler', kind: 'call', label: 'ack', passed: [entering('irqfd_resampler_ack')] },
    { from: 'vcpu', to: 'ioapic', kind: 'mmio', passed: [entering('ioapic_mmio_write')] },
    { from: 'vfio', to: 'irqfd', kind: 'ioctl', label: 'KVM_IRQFD', passed: [entering('kvm_irqfd')] },
    { from: 'fd', to: 'loop', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake', 'mtty_trigger_interrupt')] },
    {
      from: 'loop',
      to: 'vfio',
      kind: 'function pointer',
      label: 'fd handler',
      passed: [entering('vfio_intx_interrupt'), entering('vfio_intx_mmap_enable')],
    },
    { from: 'vfio', to: 'routing', kind: 'ioctl', label: 'KVM_IRQ_LINE', passed: [entering('kvm_vm_ioctl_irq_line')] },
  ],
};
