import type { Parameters } from '../../engine/machine';
import { entering, handing, onThread, writing, type PartSpec, type Topology } from '../topology';
import { highestVector, vectors } from './kvm';

/** ACRN: a kick of the User VM’s driver becomes an I/O request of the device model, whose answer comes back as an interrupt. */

const intx = { given: (parameters: Parameters) => parameters['interrupt'] === 'intx' };
const FREE = 3;

const part = (id: string, title: string, kind: PartSpec['kind'], world: PartSpec['world'], rest: Partial<PartSpec>): PartSpec => ({
  id,
  title,
  kind,
  world,
  ...rest,
});

export const acrnVirtioConsole: Topology = {
  worlds: { host: 'Service VM', hypervisor: 'ACRN hypervisor', qemu: 'acrn-dm', guest: 'User VM', hardware: 'Hardware' },
  parts: [
    part('terminal', 'terminal', 'device', 'hardware', { of: ['tty_struct'], code: ['terminal'], shows: ['typed', 'shown'] }),
    part('callback', 'acrn_hv_callback', 'irq', 'host', {
      of: ['irq_cpustat_t'],
      code: ['arch/x86/kernel/cpu/acrn.c'],
      shows: ['irq_hv_callback_count'],
    }),
    part('work', 'ioreq_work', 'worker', 'host', {
      of: ['work_struct(ioreq_work)'],
      code: ['drivers/virt/acrn/ioreq.c'],
      shows: ['WORK_STRUCT_PENDING'],
      blocked: [{ when: (cell) => cell('WORK_STRUCT_PENDING') !== 0, because: 'The work is queued: no worker has taken it yet.' }],
    }),
    part('client', 'acrn_ioreq_client', 'queue', 'host', {
      of: ['acrn_ioreq_client'],
      code: ['acrn_ioreq_client_wait', 'has_pending_request', 'find_ioreq_client'],
      shows: ['ioreqs_map'],
    }),
    part('kick-fd', 'kick eventfd', 'eventfd', 'host', {
      of: ['eventfd_ctx(virtio*)', 'eventfd_ctx(kick*)', 'eventfd_ctx(*kick*)'],
      code: ['drivers/virt/acrn/ioeventfd.c', 'fs/eventfd.c'],
      shows: ['count'],
      given: (parameters) => parameters['iothread'] === true,
    }),
    part('service-vlapic', 'vlapic of Service VM', 'controller', 'hypervisor', {
      of: ['acrn_vlapic(VM0 vCPU 0)', 'pi_desc(VM0 vCPU 0)'],
      shows: [vectors('pir', 'pir')],
    }),
    part('slot', 'acrn_io_request', 'queue', 'hypervisor', {
      of: ['acrn_io_request'],
      code: ['hypervisor/dm/io_req.c'],
      shows: ['processed', 'reqs.value'],
      blocked: [
        {
          when: (cell) => cell('processed') !== FREE && cell('processed') >= 0,
          because: 'The request is not free yet: the vCPU waits until the device model has served it.',
        },
      ],
    }),
    part('vioapic', 'acrn_vioapic', 'controller', 'hypervisor', {
      of: ['acrn_single_vioapic(VM1)'],
      code: ['hypervisor/dm/vioapic.c'],
      shows: ['pin_state[0]'],
      ...intx,
    }),
    part('vlapic', 'acrn_vlapic', 'controller', 'hypervisor', {
      of: ['acrn_vlapic(VM1 vCPU 0)'],
      code: ['hypervisor/arch/x86/guest/vlapic.c'],
      shows: [vectors('IRR', 'apic_page.irr'), vectors('ISR', 'apic_page.isr')],
    }),
    part('pi', 'pi_desc', 'object', 'hypervisor', { of: ['pi_desc(VM1 vCPU 0)'], shows: [vectors('pir', 'pir'), 'POSTED_INTR_ON'] }),
    part('vcpu', 'acrn_vcpu', 'cpu', 'hypervisor', {
      of: ['acrn_vcpu(VM1 vCPU 0)'],
      reads: ['sched_event(VM1 vCPU 0 VCPU_EVENT_IOREQ)'],
      code: [
        'hypervisor/arch/x86/guest/vmexit.c',
        'hypervisor/arch/x86/guest/virq.c',
        'hypervisor/arch/x86/guest/vcpu.c',
        'hypervisor/common/hv_main.c',
        'hypervisor/arch/x86/guest/vmx_io.c',
      ],
      shows: ['arch.pending_req', 'arch.exit_reason'],
      blocked: [
        {
          when: (cell) => cell('waiting_thread') !== 0,
          because: 'The vCPU waits for VCPU_EVENT_IOREQ: its request is with the device model.',
        },
      ],
    }),
    part('cpu', 'guest CPU', 'cpu', 'guest', {
      of: ['guest_cpu(VM1 vCPU 0)', 'vmcs(VM1 vCPU 0)'],
      reads: ['acrn_vlapic(VM1 vCPU 0)'],
      code: ['vmx_cpu'],
      shows: ['running', 'VMX_GUEST_RFLAGS.IF'],
      blocked: [
        {
          when: (cell) => cell('VMX_GUEST_RFLAGS.IF') === 0 && highestVector(cell, 'apic_page.irr') >= 0,
          because: 'IF is clear: the CPU takes no interrupt until the guest sets it.',
        },
      ],
    }),
    part('driver', 'virtio_console', 'driver', 'guest', {
      of: ['hvc_struct', 'virtio_pci_device'],
      code: [
        'drivers/char/virtio_console.c',
        'drivers/tty/hvc/hvc_console.c',
        'drivers/virtio/virtio_ring.c',
        'drivers/virtio/virtio_pci_common.c',
        'console_chores',
      ],
      shows: ['n_outbuf'],
    }),
    part('ring', 'virtqueue', 'queue', 'guest', { of: ['vring_avail', 'vring_used'], shows: ['idx'] }),
    part('dm', 'vm_loop', 'loop', 'qemu', {
      code: ['devicemodel/core/main.c', 'devicemodel/core/vmmapi.c', 'devicemodel/core/inout.c', 'devicemodel/core/mem.c'],
    }),
    part('mevent', 'mevent_dispatch', 'loop', 'qemu', {
      code: ['devicemodel/core/mevent.c', 'fs/eventpoll.c', 'devicemodel/core/iothread.c'],
    }),
    part('console', 'virtio_console', 'device', 'qemu', {
      of: ['virtio_base(virtio-console)', 'virtio_vq_info'],
      code: ['devicemodel/hw/pci/virtio/virtio_console.c', 'devicemodel/hw/pci/virtio/virtio.c', 'devicemodel/include/virtio.h'],
      shows: ['status', 'isr'],
    }),
    part('vdev', 'pci_vdev', 'pin', 'qemu', {
      of: ['pci_vdev(virtio-console)', 'msix_table_entry'],
      code: ['devicemodel/hw/pci/core.c', 'devicemodel/hw/pci/irq.c'],
      shows: ['vector_control', 'lintr.state'],
      blocked: [
        {
          when: (cell) => (cell('vector_control') & 1) !== 0,
          because: 'The vector is masked in the MSI-X table: a message for it is not sent.',
        },
      ],
    }),
  ],
  wires: [
    { from: 'driver', to: 'ring', kind: 'call', label: 'avail', passed: [entering('virtqueue_add_split')] },
    { from: 'ring', to: 'driver', kind: 'call', label: 'used', passed: [entering('detach_buf_split')] },
    { from: 'driver', to: 'cpu', kind: 'mmio', label: 'kick', passed: [entering('vp_notify')] },
    { from: 'cpu', to: 'vcpu', kind: 'vmexit', passed: [writing('cpu', 'running', 'leave_guest')] },
    { from: 'vcpu', to: 'cpu', kind: 'vmentry', passed: [writing('cpu', 'running', 'enter_guest')] },
    { from: 'vcpu', to: 'slot', kind: 'call', label: 'request', passed: [entering('acrn_insert_request')] },
    { from: 'slot', to: 'service-vlapic', kind: 'msi', label: 'HSM vector', passed: [entering('arch_fire_hsm_interrupt')] },
    { from: 'service-vlapic', to: 'callback', kind: 'hardirq', passed: [entering('sysvec_acrn_hv_callback')] },
    { from: 'callback', to: 'work', kind: 'workqueue', passed: [handing('workqueue', '__queue_work', 'ioreq_intr_handler')] },
    { from: 'work', to: 'client', kind: 'wake-up', passed: [entering('find_ioreq_client')] },
    { from: 'client', to: 'dm', kind: 'ioctl', label: 'ATTACH_CLIENT', passed: [onThread('dm-vcpu', entering('has_pending_request'))] },
    { from: 'client', to: 'kick-fd', kind: 'eventfd', passed: [entering('acrn_ioeventfd_handler')] },
    {
      from: 'kick-fd',
      to: 'mevent',
      kind: 'eventfd',
      label: 'epoll',
      passed: [handing('eventfd', 'ep_poll_callback', 'acrn_ioeventfd_handler')],
    },
    { from: 'dm', to: 'console', kind: 'call', label: 'port, BAR', passed: [entering('virtio_pci_write'), entering('virtio_pci_read')] },
    {
      from: 'terminal',
      to: 'mevent',
      kind: 'wake-up',
      label: 'stdin',
      passed: [handing('eventfd', 'ep_poll_callback', 'type_characters')],
    },
    {
      from: 'mevent',
      to: 'console',
      kind: 'function pointer',
      label: 'handler',
      passed: [entering('virtio_console_backend_read'), entering('iothread_handler')],
    },
    { from: 'console', to: 'terminal', kind: 'syscall', label: 'write', passed: [entering('virtio_console_backend_write')] },
    { from: 'ring', to: 'console', kind: 'call', label: 'avail', passed: [entering('vq_getchain')] },
    { from: 'console', to: 'ring', kind: 'call', label: 'used', passed: [entering('vq_relchain')] },
    {
      from: 'console',
      to: 'vdev',
      kind: 'call',
      label: 'vq_interrupt',
      passed: [entering('pci_generate_msix'), entering('pci_generate_msi'), entering('pci_lintr_assert')],
    },
    {
      from: 'dm',
      to: 'vdev',
      kind: 'call',
      label: 'MSI-X table',
      passed: [entering('pci_emul_msix_twrite'), entering('pci_emul_msix_tread')],
    },
    { from: 'vdev', to: 'vlapic', kind: 'hypercall', label: 'INJECT_MSI', passed: [entering('acrn:hcall_inject_msi')] },
    { from: 'vdev', to: 'vioapic', kind: 'hypercall', label: 'SET_IRQLINE', passed: [entering('acrn:hcall_set_irqline')] },
    {
      from: 'vioapic',
      to: 'vlapic',
      kind: 'msi',
      label: 'vector',
      passed: [entering('vlapic_set_intr', 'vioapic_generate_intr'), entering('vlapic_receive_intr', 'vioapic_generate_intr')],
    },
    { from: 'vcpu', to: 'vioapic', kind: 'mmio', passed: [entering('vioapic_mmio_access_handler')] },
    { from: 'vlapic', to: 'vioapic', kind: 'call', label: 'EOI', passed: [entering('vioapic_broadcast_eoi')] },
    { from: 'vcpu', to: 'vlapic', kind: 'call', label: 'EOI', passed: [entering('veoi_vmexit_handler'), entering('vlapic_process_eoi')] },
    { from: 'vlapic', to: 'pi', kind: 'call', label: 'post', passed: [writing('pi', 'pir*', 'apicv_set_intr_ready')] },
    { from: 'pi', to: 'cpu', kind: 'msi', label: 'notification', passed: [writing('pi', 'POSTED_INTR_ON', 'process_posted_interrupts')] },
    {
      from: 'vlapic',
      to: 'vcpu',
      kind: 'call',
      label: 'request',
      passed: [writing('vcpu', 'arch.pending_req', undefined, 'vlapic_set_intr')],
    },
    { from: 'dm', to: 'slot', kind: 'hypercall', label: 'NOTIFY_REQUEST_FINISH', passed: [entering('acrn:hcall_notify_ioreq_finish')] },
    { from: 'slot', to: 'vcpu', kind: 'wake-up', label: 'complete', passed: [entering('dm_emulate_io_complete')] },
    {
      from: 'cpu',
      to: 'driver',
      kind: 'function pointer',
      label: 'handler',
      passed: [entering('vring_interrupt'), entering('vp_interrupt')],
    },
  ],
};
