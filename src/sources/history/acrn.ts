import type { Fact, History } from '../history';

const VIRTIO = 'devicemodel/hw/pci/virtio/virtio.c';

const NO_THREAD = 'before 3.1 the device model has no I/O threads: ';

/** What prepares an I/O thread, when the driver has set its status. */
const NOTHING_TO_PREPARE: readonly Fact[] = [
  { until: '3.1', nowhere: `${NO_THREAD}a write of the status sets none up, and takes no eventfd for the queues` },
];

/** What an I/O thread does with a kick. */
const SERVED_BY_VCPU: readonly Fact[] = [
  {
    until: '3.1',
    path: VIRTIO,
    symbol: 'virtio_pci_legacy_write',
    anchor: 'name notify',
    absent: `${NO_THREAD}the write of VIRTIO_PCI_QUEUE_NOTIFY itself serves the queue`,
  },
];

const STATUS_INLINED = 'before 3.4 virtio_pci_legacy_write and virtio_common_cfg_write each handle the status themselves';
const KICK_INLINED =
  'before 3.2 kick_vcpu itself chooses between INIT and the notification vector, by whether the vCPU has LAPIC passthrough';
const NO_ASYNCIO = 'before 3.2 there is no asynchronous I/O: every request goes to the Service VM and the vCPU waits for its completion';
const COUNT_NOT_TAKEN = 'before 3.3 the count of the eventfd is not taken, so epoll_wait reports a kick over and over';

/** In the body that handles the status itself, from the version on that does so. */
const inlined = (anchor: string, since?: string): readonly Fact[] => [
  { ...(since === undefined ? {} : { since }), until: '3.4-unstable', anchor, absent: STATUS_INLINED },
];

/** From 2.6 on an event counted its signals; both before and after it is just set. */
const COUNTED: readonly Fact[] = [{ since: '2.6', until: '3.1', anchor: 'write nqueued' }];

/** The HSM was the VHM once. */
const asVhm = (symbol: string): readonly Fact[] => [{ until: '2.6', symbol }];

export const acrn: History = {
  checked: ['3.0', '3.1', '3.2', '3.3', '3.4-unstable'],
  names: {
    acrn_hsm_notification_vector: [{ until: '2.6', symbol: 'acrn_vhm_notification_vector' }],
    exec_vmentry: [{ until: '2.7', symbol: 'vmx_vmrun' }],
    is_service_vm: [{ until: '2.7', symbol: 'is_sos_vm' }],
  },
  files: {
    'devicemodel/core/iothread.c': {
      '*': NOTHING_TO_PREPARE,
      io_thread: SERVED_BY_VCPU,
    },
    'devicemodel/hw/pci/core.c': {
      'pci_lintr_route call vm_set_gsi_irq': [
        {
          until: '3.0',
          anchor: 'call pci_set_cfgdata8',
          absent: 'before 3.0 the line of a new device is not raised: inputs of the virtual I/O APIC start as they are',
        },
      ],
    },
    [VIRTIO]: {
      iothread_handler: SERVED_BY_VCPU,
      'iothread_handler name eventfd_read': [{ since: '3.1', until: '3.3', anchor: 'name iothread_run', absent: COUNT_NOT_TAKEN }],
      'virtio_common_cfg_write call virtio_pci_status_handler': inlined('name VIRTIO_PCI_COMMON_STATUS'),
      virtio_pci_status_handler: [
        { until: '3.4-unstable', symbol: 'virtio_pci_legacy_write', anchor: 'name VIRTIO_PCI_STATUS', absent: STATUS_INLINED },
      ],
      'virtio_pci_status_handler name VIRTIO_CONFIG_S_DRIVER_OK': inlined('name VIRTIO_CONFIG_S_DRIVER_OK'),
      'virtio_pci_status_handler name iothread': inlined('name iothread', '3.1'),
      'virtio_pci_status_handler call virtio_set_iothread': inlined('call virtio_set_iothread', '3.1'),
      virtio_register_ioeventfd: NOTHING_TO_PREPARE,
      virtio_set_iothread: NOTHING_TO_PREPARE,
    },
    'hypervisor/arch/x86/guest/virq.c': {
      'acrn_handle_pending_request name ACRN_REQUEST_EXCP': [{ until: '2.7', symbol: 'vcpu_inject_exception' }],
    },
    'hypervisor/arch/x86/guest/vlapic.c': {
      'apicv_advanced_accept_intr call apicv_trigger_pi_anv': [
        {
          until: '2.6',
          anchor: 'call vcpu_make_request',
          absent: 'before 2.6 a vCPU that runs elsewhere is made to exit, and takes the posted interrupt as it enters its guest again',
        },
      ],
      vlapic_get_next_pending_intr: [
        {
          until: '3.0',
          symbol: 'apicv_basic_has_pending_intr',
          anchor: 'call vlapic_find_highest_irr',
          absent: 'before 3.0 apicv_basic_has_pending_intr itself looks for the highest request',
        },
      ],
    },
    'hypervisor/arch/x86/guest/vmx_io.c': {
      arch_fire_hsm_interrupt: asVhm('arch_fire_vhm_interrupt'),
    },
    'hypervisor/arch/x86/lapic.c': {
      kick_pcpu: [
        {
          until: '3.2',
          path: 'hypervisor/arch/x86/guest/vcpu.c',
          symbol: 'kick_vcpu',
          anchor: 'call send_single_ipi',
          absent: KICK_INLINED,
        },
      ],
    },
    'hypervisor/common/event.c': {
      'reset_event write set': COUNTED,
      'signal_event write set': COUNTED,
      'wait_event write set': COUNTED,
    },
    'hypervisor/dm/io_req.c': {
      get_hsm_notification_vector: asVhm('get_vhm_notification_vector'),
      get_io_req_state: asVhm('get_vhm_req_state'),
      set_io_req_state: asVhm('set_vhm_req_state'),
      get_asyncio_desc: [{ until: '3.2', symbol: 'emulate_io', anchor: 'call acrn_insert_request', absent: NO_ASYNCIO }],
    },
  },
};
