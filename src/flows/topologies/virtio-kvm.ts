import type { Parameters } from '../../engine/machine';
import { entering, handing, type PartSpec, type Topology } from '../topology';
import { eventfd, signalled } from './host';
import { delivery, guestCpu, inject, ioapic, irqfd, lapic, mainLoop, pic, posted, routing, vcpu } from './kvm';

/** virtio with KVM: the driver’s kick through an ioeventfd to the device in QEMU, and the device’s interrupt back. */

const disk = (parameters: Parameters): boolean => parameters['device'] === 'disk';
const console_ = (parameters: Parameters): boolean => !disk(parameters);
const withPin = { given: (parameters: Parameters) => parameters['interrupts'] !== 'msix' };

const driver: PartSpec = {
  id: 'driver',
  title: 'virtio driver',
  kind: 'driver',
  world: 'guest',
  of: ['virtio_pci_device'],
  code: [
    'drivers/char/virtio_console.c',
    'drivers/tty/hvc/hvc_console.c',
    'drivers/block/virtio_blk.c',
    'drivers/virtio/virtio_pci_common.c',
    'drivers/virtio/virtio_ring.c',
    'virtio_driver',
  ],
  shows: ['msix_enabled', 'intx_enabled'],
};

const ring: PartSpec = {
  id: 'ring',
  title: 'virtqueue',
  kind: 'queue',
  world: 'guest',
  of: ['vring_avail', 'vring_used'],
  shows: ['vring_used_event', 'vring_avail_event'],
};

const ioeventfd: PartSpec = {
  id: 'ioeventfd',
  title: '_ioeventfd',
  kind: 'irqfd',
  world: 'kvm',
  of: ['_ioeventfd'],
  code: ['kvm_ioeventfd', 'ioeventfd_write', 'ioeventfd_in_range', 'kvm_assign_ioeventfd'],
  shows: ['addr'],
};

const proxy: PartSpec = {
  id: 'proxy',
  title: 'VirtIOPCIProxy',
  kind: 'driver',
  world: 'qemu',
  of: ['VirtIOPCIProxy', 'msix_table'],
  code: ['hw/virtio/virtio-pci.c', 'hw/virtio/virtio-bus.c', 'hw/pci/msix.c', 'hw/pci/msi.c', 'hw/pci/pci.c'],
  shows: ['PCI_MSIX_ENTRY_VECTOR_CTRL', 'msix_pba'],
  blocked: [
    { when: (cell) => cell('msix_pba') !== 0, because: 'The guest has masked the vector: the message waits in the pending bit array.' },
  ],
};

const device: PartSpec = {
  id: 'device',
  title: 'VirtIODevice',
  kind: 'device',
  world: 'qemu',
  of: ['VirtIODevice'],
  code: [
    'hw/virtio/virtio.c',
    'hw/char/virtio-serial-bus.c',
    'hw/char/virtio-console.c',
    'hw/block/virtio-blk.c',
    'hw/block/dataplane/virtio-blk.c',
  ],
  shows: ['status', 'isr'],
};

const iothread: PartSpec = {
  id: 'iothread',
  title: 'iothread',
  kind: 'loop',
  world: 'qemu',
  of: ['AioContext(iothread0)'],
  code: ['iothread.c', 'util/fdmon-poll.c'],
  shows: ['notified'],
  given: disk,
};

export const virtioKvm: Topology = {
  parts: [
    eventfd('host-fd', '* host_notifier', 'host_notifier'),
    { ...eventfd('guest-fd', '* guest_notifier', 'guest_notifier'), given: disk },
    irqfd('irqfd', '*'),
    inject,
    routing,
    { ...ioapic(21), ...withPin },
    { ...pic(10), given: (parameters) => parameters['interrupts'] === 'intx-pc' },
    lapic,
    posted,
    vcpu,
    ioeventfd,
    guestCpu,
    driver,
    ring,
    { ...mainLoop, given: console_ },
    iothread,
    device,
    proxy,
  ],
  wires: [
    { from: 'driver', to: 'ring', kind: 'call', label: 'avail', passed: [entering('virtqueue_add_split')] },
    { from: 'driver', to: 'cpu', kind: 'mmio', label: 'kick', passed: [entering('vp_notify')] },
    { from: 'ring', to: 'driver', kind: 'call', label: 'used', passed: [entering('detach_buf_split')] },
    { from: 'vcpu', to: 'ioeventfd', kind: 'mmio', passed: [entering('ioeventfd_write')] },
    { from: 'ioeventfd', to: 'host-fd', kind: 'eventfd', passed: signalled('host-fd', 'ioeventfd_write') },
    { from: 'host-fd', to: 'loop', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake', 'ioeventfd_write')] },
    { from: 'host-fd', to: 'iothread', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake', 'ioeventfd_write')] },
    {
      from: 'loop',
      to: 'device',
      kind: 'function pointer',
      label: 'fd handler',
      passed: [entering('virtio_queue_host_notifier_read')],
    },
    {
      from: 'iothread',
      to: 'device',
      kind: 'function pointer',
      label: 'fd handler',
      passed: [entering('virtio_queue_notify_vq', 'iothread_run'), entering('virtio_blk_handle_vq', 'iothread_run')],
    },
    {
      from: 'vcpu',
      to: 'proxy',
      kind: 'mmio',
      passed: [
        entering('virtio_pci_notify_write'),
        entering('virtio_ioport_write'),
        entering('virtio_pci_common_write'),
        entering('virtio_pci_isr_read'),
        entering('virtio_ioport_read'),
        entering('msix_table_mmio_write'),
      ],
    },
    {
      from: 'proxy',
      to: 'device',
      kind: 'call',
      label: 'kick',
      passed: [entering('virtio_queue_notify'), entering('virtio_queue_notify_vq', 'kvm_cpu_exec'), entering('virtio_set_status')],
    },
    { from: 'device', to: 'proxy', kind: 'function pointer', label: 'notify', passed: [entering('virtio_pci_notify')] },
    { from: 'proxy', to: 'routing', kind: 'ioctl', label: 'KVM_SIGNAL_MSI', passed: [entering('kvm_send_userspace_msi')] },
    { from: 'proxy', to: 'routing', kind: 'ioctl', label: 'KVM_IRQ_LINE', passed: [entering('kvm_vm_ioctl_irq_line')], ...withPin },
    { from: 'device', to: 'guest-fd', kind: 'eventfd', passed: signalled('guest-fd') },
    { from: 'guest-fd', to: 'irqfd', kind: 'eventfd', label: 'irqfd_wakeup', passed: [entering('irqfd_wakeup')] },
    {
      from: 'irqfd',
      to: 'inject',
      kind: 'workqueue',
      passed: [handing('workqueue', '__queue_work', 'irqfd_wakeup'), handing('workqueue', '__queue_work', 'kvm_irqfd_assign')],
    },
    { from: 'inject', to: 'routing', kind: 'call', label: 'GSI', passed: [entering('linux:kvm_set_irq', 'irqfd_inject')] },
    { from: 'irqfd', to: 'routing', kind: 'call', label: 'GSI', passed: [entering('kvm_arch_set_irq_inatomic')] },
    { from: 'proxy', to: 'irqfd', kind: 'ioctl', label: 'KVM_IRQFD', passed: [entering('kvm_irqfd')] },
    { from: 'proxy', to: 'ioeventfd', kind: 'ioctl', label: 'KVM_IOEVENTFD', passed: [entering('kvm_ioeventfd')] },
    {
      from: 'routing',
      to: 'lapic',
      kind: 'msi',
      passed: [entering('kvm_irq_delivery_to_apic_fast', 'kvm_arch_set_irq_inatomic'), entering('kvm_irq_delivery_to_apic', 'kvm_set_msi')],
    },
    { from: 'routing', to: 'ioapic', kind: 'line', label: 'pin', passed: [entering('kvm_set_ioapic_irq')] },
    { from: 'routing', to: 'pic', kind: 'line', label: 'pin', passed: [entering('kvm_set_pic_irq')] },
    { from: 'ioapic', to: 'lapic', kind: 'msi', label: 'vector', passed: [entering('kvm_irq_delivery_to_apic', 'ioapic_service')] },
    { from: 'lapic', to: 'ioapic', kind: 'call', label: 'EOI', passed: [entering('linux:kvm_ioapic_update_eoi')] },
    { from: 'vcpu', to: 'ioapic', kind: 'mmio', passed: [entering('ioapic_mmio_write')] },
    ...delivery,
    {
      from: 'cpu',
      to: 'driver',
      kind: 'function pointer',
      label: 'handler',
      passed: [entering('vp_vring_interrupt'), entering('vp_interrupt')],
    },
  ],
};
