import type { Parameters } from '../../engine/machine';
import { entering, handing, type PartSpec, type Topology } from '../topology';
import { eventfd, intxContext, signalled } from './host';
import { delivery, eduDriver, guestCpu, irqfd, lapic, mainLoop, pirToIrr, posted, routing, vcpu, vectors } from './kvm';

/** VFIO MSI and MSI-X: a message that is posted into the guest by the hardware, or goes through the host, or through QEMU. */

const remapping = { given: (parameters: Parameters) => parameters['intremap'] !== 'off' };

const device: PartSpec = {
  id: 'function',
  title: 'PCI function',
  kind: 'device',
  world: 'hardware',
  of: ['pci_function', 'msix_entry', 'msi_capability'],
  code: ['pci_function', 'msi'],
  shows: ['irq_status', 'PCI_MSIX_ENTRY_VECTOR_CTRL', 'pending'],
  blocked: [
    { when: (cell) => cell('pending') !== 0, because: 'The vector is masked in the device: its message waits in the pending bit.' },
  ],
};

const iommu: PartSpec = {
  id: 'irte',
  title: 'IRTE',
  kind: 'route',
  world: 'hardware',
  of: ['irte'],
  code: ['hardware:interrupt_request', 'drivers/iommu/intel/irq_remapping.c'],
  shows: ['p_pst', 'vector'],
  ...remapping,
};

const hostLapic: PartSpec = {
  id: 'host-lapic',
  title: 'host CPU',
  kind: 'cpu',
  world: 'hardware',
  of: ['host_lapic(host CPU)'],
  code: ['host_lapic'],
  shows: [vectors('IRR', 'APIC_IRR')],
};

const wakeup: PartSpec = {
  id: 'wakeup',
  title: 'pi_wakeup_handler',
  kind: 'irq',
  world: 'kvm',
  code: ['pi_wakeup_handler', 'sysvec_kvm_posted_intr_wakeup_ipi'],
};

const vfio: PartSpec = {
  id: 'vfio',
  title: 'VFIOPCIDevice',
  kind: 'driver',
  world: 'qemu',
  of: ['VFIOPCIDevice', 'msix_table'],
  code: ['hw/vfio/pci.c', 'hw/vfio/common.c', 'hw/pci/msix.c', 'hw/pci/msi.c'],
  shows: ['interrupt', 'PCI_MSIX_ENTRY_VECTOR_CTRL', 'msix_pba'],
  blocked: [
    {
      when: (cell) => cell('msix_pba') !== 0,
      because: 'The guest has masked the vector: QEMU keeps the message in the pending bit array.',
    },
  ],
};

export const vfioMsi: Topology = {
  parts: [
    device,
    iommu,
    hostLapic,
    { ...intxContext, id: 'ctx', of: ['vfio_pci_irq_ctx'], blocked: [], shows: ['trigger'] },
    eventfd('kvm-fd', 'vector * kvm_interrupt', 'kvm_interrupt'),
    eventfd('fd', 'vector * interrupt', 'interrupt'),
    irqfd('irqfd', '*'),
    routing,
    lapic,
    posted,
    wakeup,
    vcpu,
    guestCpu,
    eduDriver('edu_msi_driver'),
    vfio,
    mainLoop,
  ],
  wires: [
    { from: 'function', to: 'irte', kind: 'msi', passed: [handing('msi', 'post_message')], ...remapping },
    {
      from: 'function',
      to: 'host-lapic',
      kind: 'msi',
      passed: [entering('receive_vector', 'post_message')],
      given: (parameters) => parameters['intremap'] === 'off',
    },
    { from: 'irte', to: 'pi', kind: 'msi', label: 'posted', passed: [entering('post_by_hardware')] },
    { from: 'irte', to: 'host-lapic', kind: 'msi', label: 'remapped', passed: [entering('receive_vector', 'interrupt_request')] },
    { from: 'pi', to: 'host-lapic', kind: 'msi', label: 'wake-up vector', passed: [entering('receive_vector', 'post_by_hardware')] },
    { from: 'host-lapic', to: 'ctx', kind: 'hardirq', label: 'vfio_msihandler', passed: [entering('vfio_msihandler')] },
    { from: 'host-lapic', to: 'wakeup', kind: 'hardirq', passed: [entering('pi_wakeup_handler')] },
    { from: 'wakeup', to: 'vcpu', kind: 'wake-up', passed: [entering('kvm_vcpu_wake_up', 'pi_wakeup_handler')] },
    { from: 'ctx', to: 'kvm-fd', kind: 'eventfd', label: 'trigger', passed: signalled('kvm-fd', 'vfio_msihandler') },
    { from: 'ctx', to: 'fd', kind: 'eventfd', label: 'trigger', passed: signalled('fd', 'vfio_msihandler') },
    { from: 'kvm-fd', to: 'irqfd', kind: 'eventfd', label: 'irqfd_wakeup', passed: [entering('irqfd_wakeup')] },
    { from: 'irqfd', to: 'routing', kind: 'call', label: 'GSI', passed: [entering('kvm_arch_set_irq_inatomic')] },
    {
      from: 'routing',
      to: 'lapic',
      kind: 'msi',
      passed: [entering('kvm_irq_delivery_to_apic_fast', 'kvm_arch_set_irq_inatomic'), entering('kvm_irq_delivery_to_apic', 'kvm_set_msi')],
    },
    ...delivery,
    pirToIrr,
    {
      from: 'cpu',
      to: 'driver',
      kind: 'function pointer',
      label: 'runs',
      passed: [entering('edu_msi_handler'), entering('readl'), entering('writel')],
    },
    {
      from: 'driver',
      to: 'function',
      kind: 'mmio',
      label: 'BAR',
      passed: [entering('pci_function:read_register', 'readl'), entering('pci_function:write_register', 'writel')],
    },

    { from: 'fd', to: 'loop', kind: 'eventfd', label: 'poll', passed: [handing('eventfd', '__pollwake', 'vfio_msihandler')] },
    { from: 'loop', to: 'vfio', kind: 'function pointer', label: 'fd handler', passed: [entering('vfio_msi_interrupt')] },
    { from: 'vfio', to: 'routing', kind: 'ioctl', label: 'KVM_SIGNAL_MSI', passed: [entering('kvm_send_userspace_msi')] },
    {
      from: 'vcpu',
      to: 'vfio',
      kind: 'mmio',
      label: 'MSI-X table',
      passed: [entering('msix_table_mmio_write'), entering('vfio_pci_write_config')],
    },
    { from: 'vfio', to: 'ctx', kind: 'ioctl', label: 'SET_IRQS', passed: [entering('vfio_pci_set_irqs_ioctl')] },
    { from: 'vfio', to: 'irqfd', kind: 'ioctl', label: 'KVM_IRQFD', passed: [entering('kvm_irqfd')] },
    { from: 'vfio', to: 'routing', kind: 'ioctl', label: 'SET_GSI_ROUTING', passed: [entering('kvm_set_irq_routing')] },
    {
      from: 'irqfd',
      to: 'irte',
      kind: 'call',
      label: 'irq_bypass',
      passed: [entering('modify_irte', 'irq_set_vcpu_affinity')],
      ...remapping,
    },
    {
      from: 'ctx',
      to: 'function',
      kind: 'mmio',
      label: 'MSI-X table',
      passed: [entering('write_msix_entry', 'vfio_pci_set_irqs_ioctl'), entering('write_capability', 'vfio_pci_set_irqs_ioctl')],
    },
  ],
};
