import type { Fact, History } from '../../history';
import { each } from '../each';

const X86_COMMON: readonly Fact[] = [{ since: '9.1', path: 'hw/i386/x86-common.c' }];
const X86_CPU: readonly Fact[] = [{ since: '9.1', path: 'hw/i386/x86-cpu.c' }];

const NO_BATCHES = 'since 8.2 notifications are not gathered in a bitmap: defer_call() gathers those that come while requests are taken';
const MSI_READ_IN_PLACE = 'before 7.1 msi_get_message itself reads the message from the capability';
const MSIX_READ_IN_PLACE = 'before 7.1 msix_get_message itself reads the message from the table';
const MSI_SENT_IN_PLACE = 'before 7.1 msi_send_message itself writes the message to memory';
const QUEUES_RESET_IN_PLACE = 'before 7.2 virtio_reset itself resets the queues';

const ONE_BY_ONE: readonly Fact[] = [
  {
    until: '6.1',
    anchor: 'call virtio_bus_set_host_notifier',
    absent: 'before 6.1 each host notifier is a change of the memory map of its own',
  },
];
const NOT_GATHERED: readonly Fact[] = [
  { since: '10.2', anchor: 'call virtio_notify', absent: NO_BATCHES },
  { since: '8.2', anchor: 'call virtio_notify_irqfd', absent: NO_BATCHES },
];
const LPC = { path: 'hw/isa/lpc_ich9.c', symbol: 'ich9_lpc_realize' };

/** `hw`, apart from `hw/vfio`. */
export const devices: History['files'] = {
  'hw/block/dataplane/virtio-blk.c': {
    '*': [{ since: '9.0', path: 'hw/block/virtio-blk.c' }],
    notify_guest_bh: [
      {
        since: '8.2',
        path: 'hw/virtio/virtio.c',
        symbol: 'virtio_notify_irqfd_deferred_fn',
        anchor: 'call event_notifier_set',
        absent: NO_BATCHES,
      },
    ],
    'virtio_blk_data_plane_create name notify_guest_bh': [{ since: '8.2', nowhere: NO_BATCHES }],
    virtio_blk_data_plane_notify: [
      {
        since: '10.2',
        path: 'hw/block/virtio-blk.c',
        symbol: 'virtio_blk_req_complete',
        anchor: 'call virtio_notify',
        absent: 'since 10.2 virtio_notify may be called in an I/O thread too',
      },
      {
        since: '9.0',
        path: 'hw/block/virtio-blk.c',
        symbol: 'virtio_blk_req_complete',
        anchor: 'call virtio_notify_irqfd',
        absent: 'since 9.0 virtio_blk_req_complete itself signals the eventfd, when it runs in an I/O thread',
      },
    ],
    'virtio_blk_data_plane_notify call qemu_bh_schedule': NOT_GATHERED,
    'virtio_blk_data_plane_notify call set_bit': NOT_GATHERED,
    'virtio_blk_data_plane_notify name batch_notifications': NOT_GATHERED,
    virtio_blk_data_plane_start: [{ since: '9.0', path: 'hw/block/virtio-blk.c', symbol: 'virtio_blk_start_ioeventfd' }],
    'virtio_blk_data_plane_start call event_notifier_set': [
      { since: '9.0', path: 'hw/virtio/virtio.c', symbol: 'virtio_queue_aio_attach_host_notifier' },
    ],
    'virtio_blk_data_plane_start call memory_region_transaction_begin': ONE_BY_ONE,
    'virtio_blk_data_plane_start call memory_region_transaction_commit': ONE_BY_ONE,
    'virtio_blk_data_plane_start call virtio_queue_aio_attach_host_notifier': [{ since: '9.0', symbol: 'virtio_blk_ioeventfd_attach' }],
    'virtio_blk_data_plane_start name batch_notifications': [{ since: '8.2', nowhere: NO_BATCHES }],
    'virtio_blk_data_plane_start call aio_context_acquire after aio_context_acquire': [
      { until: '6.0', anchor: 'call aio_context_acquire' },
    ],
    'virtio_blk_data_plane_start write starting after set_guest_notifiers': [
      { since: '9.0', anchor: 'write ioeventfd_starting after set_guest_notifiers' },
    ],
  },
  'hw/block/virtio-blk.c': {
    'virtio_blk_handle_output call virtio_blk_handle_vq': [{ until: '7.0', symbol: 'virtio_blk_handle_output_do' }],
    'virtio_blk_handle_output name dataplane_started': [
      { until: '7.0', anchor: 'name dataplane' },
      { since: '9.0', anchor: 'name ioeventfd_started' },
    ],
    'virtio_blk_req_complete name dataplane_started': [
      { since: '10.2', path: 'hw/virtio/virtio.c', symbol: 'virtio_irq', anchor: 'call qemu_in_iothread' },
      { since: '9.0', anchor: 'call qemu_in_iothread' },
    ],
  },
  'hw/char/serial-isa.c': {
    'serial_isa_realizefn call isa_get_irq': [{ until: '7.0', path: 'hw/isa/isa-bus.c', symbol: 'isa_init_irq' }],
  },
  'hw/core/cpu-common.c': {
    '*': [{ until: '6.1', path: 'hw/core/cpu.c' }],
    'cpu_exit call qatomic_set': [{ since: '10.2', anchor: 'call qatomic_store_release' }],
  },
  'hw/i386/kvm/apic.c': {
    'kvm_send_msi call kvm_swizzle_msi_ext_dest_id': [
      {
        until: '6.0',
        anchor: 'call kvm_irqchip_send_msi',
        absent: 'before 6.0 the destination of a message has no extension: the message goes to KVM as it is',
      },
    ],
  },
  'hw/i386/pc_piix.c': {
    'pc_init1 call isa_bus_irqs': [
      { since: '8.2', path: 'hw/isa/piix.c', symbol: 'pci_piix_realize', anchor: 'call isa_bus_register_input_irqs' },
    ],
    'pc_init1 name piix3': [{ since: '8.2', anchor: 'name south_bridge' }],
  },
  'hw/i386/pc_q35.c': {
    'pc_q35_init name ich9_lpc_map_irq': [{ since: '8.0', ...LPC }],
    'pc_q35_init name ich9_lpc_set_irq': [{ since: '8.0', ...LPC }],
    'pc_q35_init name ich9_route_intx_pin_to_irq': [{ since: '8.0', ...LPC }],
  },
  'hw/i386/x86.c': {
    cpu_get_current_apic: X86_CPU,
    cpu_get_pic_interrupt: X86_CPU,
    gsi_handler: X86_COMMON,
    ioapic_init_gsi: X86_COMMON,
    pic_irq_request: X86_CPU,
    x86_allocate_cpu_irq: X86_CPU,
  },
  'hw/intc/apic.c': {
    'apic_mem_read call apic_get_ppr': [{ since: '9.0', symbol: 'apic_register_read' }],
    'apic_mem_read call cpu_get_current_apic': [{ since: '9.0', until: '10.2', symbol: 'apic_register_read' }],
    'apic_mem_write call cpu_get_current_apic': [{ since: '9.0', until: '10.2', symbol: 'apic_register_write' }],
    ...each(
      [
        'apic_mem_write call apic_check_pic',
        'apic_mem_write call apic_deliver',
        'apic_mem_write call apic_eoi',
        'apic_mem_write call apic_update_irq',
        'apic_mem_write call apic_update_irq after spurious_vec',
        'apic_mem_write name lvt',
        'apic_mem_write write dest_mode',
        'apic_mem_write write icr',
        'apic_mem_write write icr after apic_deliver',
        'apic_mem_write write log_dest',
        'apic_mem_write write spurious_vec',
        'apic_mem_write write tpr',
      ],
      { since: '9.0', symbol: 'apic_register_write' },
    ),
  },
  'hw/intc/apic_common.c': {
    apic_report_irq_delivered: [{ since: '8.0', path: 'hw/intc/kvm_irqcount.c', symbol: 'kvm_report_irq_delivered' }],
    'apic_report_irq_delivered call trace_apic_report_irq_delivered': [{ since: '8.0', anchor: 'call trace_kvm_report_irq_delivered' }],
  },
  'hw/intc/i8259.c': {
    'pic_read_irq call pic_intack after pic_intack pic_intack': [{ until: '6.0', anchor: 'call pic_intack after pic_intack' }],
  },
  'hw/isa/isa-bus.c': {
    isa_bus_irqs: [{ since: '8.0', symbol: 'isa_bus_register_input_irqs' }],
    'isa_bus_irqs name irqs': [{ since: '8.0', anchor: 'name irqs_in' }],
    'isa_get_irq name irqs': [{ since: '8.0', symbol: 'isa_bus_get_irq', anchor: 'name irqs_in after irqs_in' }],
  },
  'hw/isa/piix3.c': {
    '*': [{ since: '8.2', path: 'hw/isa/piix.c' }],
    pci_slot_get_pirq: [{ since: '8.0', path: 'hw/i386/pc_piix.c', symbol: 'pc_pci_slot_get_pirq' }],
    'piix3_realize name pci_slot_get_pirq': [
      { until: '7.1', symbol: 'piix3_create' },
      { since: '8.0', path: 'hw/i386/pc_piix.c', symbol: 'pc_init1', anchor: 'name pc_pci_slot_get_pirq' },
    ],
    'piix3_realize name piix3_set_irq': [
      { until: '7.1', symbol: 'piix3_create' },
      { since: '8.2', symbol: 'pci_piix_realize', anchor: 'name piix_set_pci_irq' },
    ],
    piix3_route_intx_pin_to_irq: [{ since: '8.2', path: 'hw/isa/piix.c', symbol: 'piix_route_intx_pin_to_irq' }],
    piix3_set_irq: [{ since: '8.2', path: 'hw/isa/piix.c', symbol: 'piix_set_pci_irq' }],
    piix3_set_irq_level: [{ since: '8.2', path: 'hw/isa/piix.c', symbol: 'piix_set_pci_irq_level' }],
    piix3_set_irq_level_internal: [{ since: '8.2', path: 'hw/isa/piix.c', symbol: 'piix_set_pci_irq_level_internal' }],
    piix3_set_irq_pic: [{ since: '8.2', path: 'hw/isa/piix.c', symbol: 'piix_set_irq_pic' }],
  },
  'hw/pci/msi.c': {
    msi_prepare_message: [{ until: '7.1', symbol: 'msi_get_message', anchor: 'write msg', absent: MSI_READ_IN_PLACE }],
    'msi_send_message name msi_trigger': [{ until: '7.1', anchor: 'call address_space_stl_le', absent: MSI_SENT_IN_PLACE }],
  },
  'hw/pci/msix.c': {
    msix_prepare_message: [{ until: '7.1', symbol: 'msix_get_message', anchor: 'write msg', absent: MSIX_READ_IN_PLACE }],
  },
  'hw/pci/pci.c': {
    'pci_change_irq_level name map_irq': [{ since: '10.0', anchor: 'name map_irq after map_irq' }],
    pci_msi_trigger: [
      {
        until: '7.1',
        path: 'hw/pci/msi.c',
        symbol: 'msi_send_message',
        anchor: 'call address_space_stl_le',
        absent: MSI_SENT_IN_PLACE,
      },
    ],
  },
  'hw/virtio/virtio-bus.c': {
    'virtio_bus_reset call virtio_bus_stop_ioeventfd': [
      {
        until: '7.1',
        path: 'hw/virtio/virtio-pci.c',
        symbol: 'virtio_pci_reset',
        anchor: 'call virtio_pci_stop_ioeventfd',
        absent: 'before 7.1 virtio_pci_reset stops the ioeventfds, before it resets the bus',
      },
    ],
  },
  'hw/virtio/virtio-pci.c': {
    kvm_virtio_pci_vector_use: [{ since: '8.0', symbol: 'kvm_virtio_pci_vector_vq_use' }],
    'kvm_virtio_pci_vector_use call kvm_virtio_pci_vq_vector_use': [{ since: '8.0', symbol: 'kvm_virtio_pci_vector_use_one' }],
    'kvm_virtio_pci_vector_use call msix_nr_vectors_allocated': [{ since: '8.0', symbol: 'kvm_virtio_pci_vector_use_one' }],
    'virtio_pci_set_guest_notifier call virtio_queue_set_guest_notifier_fd_handler': [
      { since: '8.0', symbol: 'virtio_pci_set_guest_notifier_fd_handler' },
    ],
    virtio_pci_vq_vector_mask: [{ since: '8.0', symbol: 'virtio_pci_one_vector_mask' }],
    virtio_pci_vq_vector_unmask: [{ since: '8.0', symbol: 'virtio_pci_one_vector_unmask' }],
  },
  'hw/virtio/virtio.c': {
    __virtio_queue_reset: [{ until: '7.2', symbol: 'virtio_reset', anchor: 'name desc', absent: QUEUES_RESET_IN_PLACE }],
    '__virtio_queue_reset call virtio_queue_set_vector': [{ until: '7.2' }],
    virtio_queue_aio_attach_host_notifier: [{ until: '7.0', symbol: 'virtio_queue_aio_set_host_notifier_handler' }],
    'virtio_queue_aio_attach_host_notifier name virtio_queue_host_notifier_read': [
      { until: '7.0', anchor: 'name virtio_queue_host_notifier_aio_read' },
    ],
    virtio_notify_irqfd: [
      {
        since: '10.2',
        symbol: 'virtio_irq',
        anchor: 'call defer_call',
        absent: 'since 10.2 virtio_irq chooses: in an I/O thread it signals the eventfd, elsewhere it notifies the vector',
      },
    ],
    'virtio_notify_irqfd call virtio_set_isr': [{ since: '10.2' }],
    'virtio_notify_irqfd call virtio_should_notify': [{ since: '10.2', symbol: 'virtio_notify' }],
    'virtio_notify_irqfd call event_notifier_set': [{ since: '8.2', symbol: 'virtio_notify_irqfd_deferred_fn' }],
  },
};
