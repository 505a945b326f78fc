import type { Parameters } from '../../engine/machine';
import { entering, handing, type PartSpec, type Topology } from '../topology';
import { eventfd, hostIrq, hostLine, hostPin, intxContext, pciFunction, signalled } from './host';
import { delivery, guestCpu, inject, ioapic, irqfd, lapic, mainLoop, pic, posted, resampler, routing, vcpu } from './kvm';

/** VFIO INTx: from the device’s line to the guest’s handler, and back to the line. */

const by = (...ways: readonly string[]) => ({ given: (parameters: Parameters) => ways.includes(String(parameters['guest-irq'])) });

const throughQemu = { given: (parameters: Parameters) => parameters['kvm-intx'] !== true };

const virqfd: PartSpec = {
  id: 'virqfd',
  title: 'virqfd->inject',
  kind: 'worker',
  world: 'host',
  of: ['work_struct(virqfd.inject)'],
  code: ['virqfd_inject'],
  shows: ['WORK_STRUCT_PENDING'],
  blocked: [{ when: (cell) => cell('WORK_STRUCT_PENDING') !== 0, because: 'The work is queued: no worker has taken it yet.' }],
};

const device: PartSpec = {
  id: 'vfio',
  title: 'VFIOPCIDevice',
  kind: 'driver',
  world: 'qemu',
  of: ['VFIOPCIDevice'],
  code: ['hw/vfio/pci.c', 'hw/vfio/common.c'],
  shows: ['intx.pending', 'intx.kvm_accel'],
  blocked: [
    {
      when: (cell) => cell('intx.pending') !== 0,
      because: 'intx.pending is set: QEMU waits for the guest’s next access to a BAR before it unmasks the device.',
    },
  ],
};

const qemuIoapic: PartSpec = {
  id: 'qemu-ioapic',
  title: 'IOAPICCommonState',
  kind: 'controller',
  world: 'qemu',
  of: ['IOAPICCommonState'],
  code: ['hw/intc/ioapic.c'],
  ...by('split'),
};

const driver: PartSpec = {
  id: 'driver',
  title: 'edu_driver',
  kind: 'driver',
  world: 'guest',
  of: ['edu_driver'],
  code: ['edu_driver'],
  shows: ['handled', 'spurious'],
};

export const vfioIntx: Topology = {
  parts: [
    pciFunction,
    hostPin,
    hostIrq,
    intxContext,
    eventfd('fd', 'intx.interrupt'),
    eventfd('unmask-fd', 'intx.unmask'),
    virqfd,
    { ...resampler, ...by('ioapic', 'isa', 'pic') },
    irqfd('irqfd', '*'),
    inject,
    routing,
    { ...ioapic(21), ...by('ioapic') },
    { ...ioapic(10), ...by('isa') },
    { ...pic(10), ...by('isa', 'pic') },
    lapic,
    posted,
    vcpu,
    guestCpu,
    driver,
    device,
    { ...mainLoop, ...throughQemu },
    qemuIoapic,
  ],
  wires: [
    ...hostLine,
    { from: 'ctx', to: 'fd', kind: 'eventfd', label: 'trigger', passed: signalled('fd') },
    { from: 'fd', to: 'irqfd', kind: 'eventfd', label: 'irqfd_wakeup', passed: [entering('irqfd_wakeup')] },
    {
      from: 'irqfd',
      to: 'inject',
      kind: 'workqueue',
      passed: [handing('workqueue', '__queue_work', 'irqfd_wakeup'), handing('workqueue', '__queue_work', 'kvm_irqfd_assign')],
    },
    { from: 'inject', to: 'routing', kind: 'call', label: 'GSI', passed: [entering('linux:kvm_set_irq', 'irqfd_inject')] },
    {
      from: 'irqfd',
      to: 'routing',
      kind: 'call',
      label: 'GSI',
      passed: [entering('kvm_irq_delivery_to_apic_fast', 'kvm_arch_set_irq_inatomic')],
      ...by('split'),
    },
    { from: 'routing', to: 'ioapic', kind: 'line', label: 'pin', passed: [entering('kvm_set_ioapic_irq')] },
    { from: 'routing', to: 'pic', kind: 'line', label: 'pin', passed: [entering('kvm_set_pic_irq')] },
    {
      from: 'routing',
      to: 'lapic',
      kind: 'msi',
      passed: [entering('kvm_irq_delivery_to_apic_fast', 'kvm_arch_set_irq_inatomic'), entering('kvm_irq_delivery_to_apic', 'kvm_set_msi')],
      ...by('split'),
    },
    { from: 'ioapic', to: 'lapic', kind: 'msi', label: 'vector', passed: [entering('kvm_irq_delivery_to_apic', 'ioapic_service')] },
    { from: 'pic', to: 'vcpu', kind: 'line', label: 'INTR', passed: [entering('kvm_vcpu_kick', 'pic_unlock'), entering('pic_intack')] },
    ...delivery,
    {
      from: 'cpu',
      to: 'driver',
      kind: 'function pointer',
      label: 'runs',
      passed: [entering('edu_irq_handler'), entering('readl'), entering('writel')],
    },
    {
      from: 'driver',
      to: 'function',
      kind: 'mmio',
      label: 'BAR',
      passed: [entering('pci_function:read_register', 'readl'), entering('pci_function:write_register', 'writel')],
    },
    { from: 'vcpu', to: 'ioapic', kind: 'mmio', passed: [entering('ioapic_mmio_write')] },
    { from: 'vcpu', to: 'pic', kind: 'mmio', label: 'port', passed: [entering('pic_ioport_write')] },
    { from: 'lapic', to: 'ioapic', kind: 'call', label: 'EOI', passed: [entering('linux:kvm_ioapic_update_eoi')] },
    { from: 'ioapic', to: 'resampler', kind: 'call', label: 'ack', passed: [entering('irqfd_resampler_ack', 'kvm_ioapic_update_eoi')] },
    { from: 'pic', to: 'resampler', kind: 'call', label: 'ack', passed: [entering('irqfd_resampler_ack', 'pic_clear_isr')] },
    { from: 'irqfd', to: 'resampler', kind: 'workqueue', label: 'shutdown', passed: [entering('irqfd_resampler_shutdown')] },
    {
      from: 'resampler',
      to: 'routing',
      kind: 'call',
      label: 'lower',
      passed: [entering('linux:kvm_set_irq', 'irqfd_resampler_ack'), entering('linux:kvm_set_irq', 'irqfd_resampler_shutdown')],
    },
    { from: 'resampler', to: 'unmask-fd', kind: 'eventfd', label: 'resamplefd', passed: signalled('unmask-fd', 'irqfd_resampler_ack') },
    { from: 'unmask-fd', to: 'ctx', kind: 'eventfd', label: 'unmask', passed: [entering('virqfd_wakeup')] },
    { from: 'ctx', to: 'virqfd', kind: 'workqueue', passed: [handing('workqueue', '__queue_work', 'virqfd_wakeup')] },
    { from: 'virqfd', to: 'ctx', kind: 'workqueue', passed: [entering('virqfd_inject')] },
    {
      from: 'ctx',
      to: 'function',
      kind: 'mmio',
      label: 'DisINTx',
      passed: [entering('pci_check_and_mask_intx'), entering('pci_check_and_unmask_intx'), entering('pci_intx', 'vfio_pci_set_irqs_ioctl')],
      given: (parameters) => parameters['disintx'] === true,
    },
    {
      from: 'ctx',
      to: 'host-irq',
      kind: 'call',
      label: 'disable_irq',
      passed: [entering('disable_irq_nosync'), entering('enable_irq')],
      given: (parameters) => parameters['disintx'] !== true,
    },

    {
      from: 'vfio',
      to: 'ctx',
      kind: 'ioctl',
      label: 'SET_IRQS',
      passed: [entering('vfio_pci_set_irqs_ioctl'), entering('vfio_basic_config_write')],
    },
    { from: 'vfio', to: 'irqfd', kind: 'ioctl', label: 'KVM_IRQFD', passed: [entering('kvm_irqfd')] },
    {
      from: 'vcpu',
      to: 'vfio',
      kind: 'mmio',
      passed: [
        entering('vfio_region_read'),
        entering('vfio_region_write'),
        entering('vfio_pci_write_config'),
        entering('vfio_intx_update'),
      ],
    },
    { from: 'vfio', to: 'function', kind: 'syscall', label: 'pread, pwrite', passed: [entering('vfio_pci_bar_rw')] },
    { from: 'fd', to: 'loop', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake', 'vfio_send_intx_eventfd')] },
    {
      from: 'loop',
      to: 'vfio',
      kind: 'function pointer',
      label: 'fd handler',
      passed: [entering('vfio_intx_interrupt'), entering('vfio_intx_mmap_enable')],
    },
    {
      from: 'vfio',
      to: 'routing',
      kind: 'ioctl',
      label: 'KVM_IRQ_LINE',
      passed: [entering('kvm_vm_ioctl_irq_line')],
      ...by('ioapic', 'isa', 'pic'),
    },
    { from: 'vfio', to: 'vcpu', kind: 'ioctl', label: 'memslots', passed: [entering('kvm_vm_ioctl_set_memory_region')], ...throughQemu },
    { from: 'vfio', to: 'qemu-ioapic', kind: 'line', label: 'pin', passed: [entering('qemu:ioapic_set_irq')], ...throughQemu },
    {
      from: 'qemu-ioapic',
      to: 'routing',
      kind: 'ioctl',
      label: 'KVM_IRQ_LINE',
      passed: [entering('kvm_vm_ioctl_irq_line', 'qemu:ioapic_service')],
      ...throughQemu,
    },
    { from: 'vcpu', to: 'qemu-ioapic', kind: 'mmio', passed: [entering('ioapic_mem_write')] },
    { from: 'vcpu', to: 'qemu-ioapic', kind: 'vmexit', label: 'IOAPIC_EOI', passed: [entering('ioapic_eoi_broadcast')] },
    { from: 'qemu-ioapic', to: 'routing', kind: 'ioctl', label: 'SET_GSI_ROUTING', passed: [entering('kvm_set_irq_routing')] },
    { from: 'qemu-ioapic', to: 'unmask-fd', kind: 'eventfd', label: 'resample', passed: signalled('unmask-fd', 'kvm_resample_fd_notify') },
  ],
};
