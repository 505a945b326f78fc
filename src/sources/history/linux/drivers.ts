import type { Fact, History } from '../../history';
import { before, from } from '../backports';
import { each } from '../each';

const SCOPE = 'since 6.18 the end of a scope releases the lock';
/** A lock that a scope releases: its end has no words to stand on. */
const UNLOCKED: readonly Fact[] = [
  { until: '6.7', anchor: 'call spin_unlock_irqrestore' },
  { since: '6.18', anchor: 'name uart_port_lock_irqsave', absent: SCOPE },
  { since: '6.7', anchor: 'call uart_port_unlock_irqrestore' },
];

/** Where the registers of a started port are cleared a second time. */
const TESTED_TXEN = 'dont_test_tx_en dont_test_tx_en';

/** A lock of `serial8250_do_startup` behind `after`, under its name until 6.7 and since; 6.17 split off `symbol`, where a scope has it since 6.18. */
const lockedIn = (former: string, present: string, after: string, symbol: string, absent?: string): History['files'][string] =>
  each(
    [former, present].map((call) => `serial8250_do_startup ${call} after ${after}`),
    { until: '6.7', anchor: `${former} after ${after}` },
    { since: '6.18', symbol, anchor: 'name uart_port_lock_irqsave', ...(absent === undefined ? {} : { absent }) },
    { since: '6.17', symbol, anchor: present },
    { since: '6.7', anchor: `${present} after ${after}` },
  );

/** The four registers whose reading behind `after` clears what is pending; a function since 6.17. */
const clearedIn = (after: string): History['files'][string] =>
  Object.fromEntries(
    [0, 1, 2, 3].map((before) => {
      const reads = Array.from({ length: before }, () => 'serial_port_in');
      const anchor = reads.length === 0 ? 'name serial_port_in' : `name serial_port_in after ${reads.join(' ')}`;
      const key = `serial8250_do_startup name serial_port_in after ${[after, ...reads].join(' ')}`;
      return [key, [{ since: '6.17', symbol: 'serial8250_clear_interrupts', anchor }]];
    }),
  );

/** Hardening that 5.19 took back: a reset kept callbacks from running, not only waited for them. */
const WITHOUT_CALLBACKS: readonly Fact[] = [{ since: '5.17', until: '5.19', anchor: 'call vp_disable_cbs' }];

/** The layouts of a ring have a table of functions each. */
const BY_LAYOUT: readonly Fact[] = [{ since: '7.0', anchor: 'call VIRTQUEUE_CALL' }];

/** The driver core, character and block devices, serial lines, virtio. */
export const drivers: History['files'] = {
  'block/blk-mq.c': {
    blk_end_sync_rq: [{ until: '5.17', path: 'block/blk-exec.c' }],
    blk_execute_rq: [{ until: '5.17', path: 'block/blk-exec.c' }],
  },
  'drivers/base/bus.c': {
    bus_notify: [
      {
        until: '6.3',
        path: 'drivers/base/dd.c',
        symbol: 'driver_bound',
        anchor: 'call blocking_notifier_call_chain',
        absent: 'until 6.3 whoever had news called the chain of the bus itself, as driver_bound',
      },
    ],
    'bus_probe_device call __bus_probe_device': before('7.3', ['6.12'], { anchor: 'call device_initial_probe' }),
    'bus_probe_device call device_initial_probe': from('7.3', ['6.12'], { symbol: '__bus_probe_device' }),
    driver_override_store: before('7.1', ['6.12'], { path: 'drivers/pci/pci-sysfs.c' }),
    'driver_override_store call __device_set_driver_override': [{ since: '7.0', until: '7.1', anchor: 'call driver_set_override' }],
    'driver_override_store name driver_override': [
      { until: '5.19', anchor: 'write driver_override after device_lock' },
      ...from('7.1', ['6.12'], { anchor: 'call __device_set_driver_override' }),
    ],
  },
  'drivers/base/dd.c': {
    __device_set_driver_override: [
      {
        until: '5.19',
        path: 'drivers/pci/pci-sysfs.c',
        symbol: 'driver_override_store',
        anchor: 'write driver_override',
        absent: 'until 5.19 each bus had a field for this, and a driver_override_store that wrote to it',
      },
      ...before('7.0', ['6.12'], {
        path: 'drivers/base/driver.c',
        symbol: 'driver_set_override',
        absent: 'before 7.0 and 6.12.y each bus had a field for this, which driver_set_override wrote to',
      }),
    ],
    '__device_release_driver call blocking_notifier_call_chain': [{ since: '6.3', anchor: 'call bus_notify' }],
    '__device_release_driver call blocking_notifier_call_chain after BUS_NOTIFY_UNBIND_DRIVER': [
      { since: '6.3', anchor: 'call bus_notify after BUS_NOTIFY_UNBIND_DRIVER' },
    ],
    '__device_release_driver call device_remove': [{ until: '5.18', anchor: 'call remove' }],
    '__device_release_driver call device_unbind_cleanup': [{ until: '5.18', anchor: 'call devres_release_all' }],
    '__device_release_driver name dma_cleanup': [
      { until: '5.19', anchor: 'call arch_teardown_dma_ops', absent: 'until 5.19 a bus did not hear that a driver does no more DMA' },
    ],
    '__driver_attach call __device_driver_lock': [{ until: '5.14', symbol: 'device_driver_attach' }],
    '__driver_attach call __device_driver_unlock': [{ until: '5.14', symbol: 'device_driver_attach' }],
    '__driver_attach call driver_probe_device': [{ until: '5.14', symbol: 'device_driver_attach' }],
    __driver_probe_device: [{ until: '5.14', symbol: 'driver_probe_device' }],
    '__driver_probe_device name driver': [{ until: '5.14', symbol: 'device_driver_attach' }],
    call_driver_probe: [{ until: '5.14', symbol: 'really_probe' }],
    'device_driver_attach call __driver_probe_device': [{ until: '5.14', anchor: 'call driver_probe_device' }],
    device_remove: [{ until: '5.18', symbol: '__device_release_driver' }],
    'driver_bound call blocking_notifier_call_chain': [{ since: '6.3', anchor: 'call bus_notify' }],
    'driver_probe_device call __driver_probe_device': [{ until: '5.14', anchor: 'call really_probe' }],
    'driver_probe_device call really_probe': [{ since: '5.14', symbol: '__driver_probe_device' }],
    'driver_sysfs_add call blocking_notifier_call_chain': [{ since: '6.3', anchor: 'call bus_notify' }],
    'really_probe call call_driver_probe': [{ until: '5.14', anchor: 'call probe' }],
    'really_probe name probe': [{ since: '5.14', symbol: 'call_driver_probe' }],
  },
  'drivers/base/power/runtime.c': {
    '__pm_runtime_idle call rpm_drop_usage_count': [{ until: '5.19', anchor: 'call atomic_dec_and_test' }],
    'pm_runtime_allow call rpm_drop_usage_count': [{ until: '5.19', anchor: 'call atomic_dec_and_test' }],
  },
  'drivers/block/virtio_blk.c': {
    'virtblk_done call blk_mq_complete_request': [
      { since: '6.3', until: '6.4', symbol: 'virtblk_handle_req', anchor: 'call blk_mq_complete_request_remote' },
    ],
    'virtblk_done call virtqueue_get_buf': [{ since: '6.3', until: '6.4', symbol: 'virtblk_handle_req' }],
    virtblk_prep_rq: [{ until: '5.19', symbol: 'virtio_queue_rq' }],
    'virtblk_prep_rq call virtblk_map_data': [{ until: '5.15', symbol: 'virtio_queue_rq', anchor: 'call blk_rq_map_sg' }],
    'virtblk_prep_rq call virtblk_setup_cmd': [{ until: '5.15', symbol: 'virtio_queue_rq', anchor: 'call req_op' }],
    'virtblk_request_done call virtblk_unmap_data': [
      { until: '5.15', absent: 'until 5.15 the list of a request’s pages was part of the request, and needed no freeing' },
    ],
    virtblk_setup_cmd: [{ until: '5.15', symbol: 'virtio_queue_rq' }],
    'virtio_queue_rq call virtblk_prep_rq': [{ until: '5.19', anchor: 'call blk_mq_start_request' }],
  },
  'drivers/char/virtio_console.c': {
    'virtcons_remove call virtio_break_device': before('5.17.2', ['5.10.110', '5.15.33', '5.16.19'], {
      absent: 'before 5.18, and stable releases of April 2022, nobody told those that polled for a buffer',
    }),
  },
  'drivers/tty/serial/8250/8250_port.c': {
    '__stop_tx call serial8250_clear_THRI': [{ until: '6.0', symbol: '__do_stop_tx' }],
    '__stop_tx name serial8250_clear_THRI': [{ until: '6.0', symbol: '__do_stop_tx' }],
    'serial8250_do_set_termios call spin_lock_irqsave': [{ since: '6.7', anchor: 'name uart_port_lock_irqsave' }],
    'serial8250_do_set_termios call spin_unlock_irqrestore': UNLOCKED,
    'serial8250_do_set_termios call uart_port_lock_irqsave': [
      { until: '6.7', anchor: 'call spin_lock_irqsave' },
      { since: '6.18', anchor: 'name uart_port_lock_irqsave' },
    ],
    'serial8250_do_set_termios call uart_port_unlock_irqrestore': UNLOCKED,
    'serial8250_do_set_termios name fcr': [{ since: '6.17', symbol: 'serial8250_set_fcr' }],
    'serial8250_do_set_termios name serial_port_out': [{ since: '6.17', symbol: 'serial8250_set_ier' }],
    'serial8250_do_set_termios name serial_port_out after serial8250_set_divisor fcr': [
      { since: '6.17', symbol: 'serial8250_set_fcr', anchor: 'name serial_port_out after serial_port_out' },
    ],
    'serial8250_do_set_termios name serial_port_out after serial8250_set_divisor lcr': [
      { since: '6.17', symbol: 'serial8250_set_fcr', anchor: 'name serial_port_out after serial_port_out serial_port_out' },
    ],
    'serial8250_do_set_termios name serial_port_out after serial8250_set_divisor UART_FCR_ENABLE_FIFO UART_FCR_ENABLE_FIFO': [
      { since: '6.17', symbol: 'serial8250_set_fcr', anchor: 'name serial_port_out after serial_port_out serial_port_out serial_port_out' },
    ],
    'serial8250_do_set_termios write lcr': [{ since: '6.17', anchor: 'write lcr after uart_port_lock_irqsave' }],
    'serial8250_do_startup call disable_irq_nosync': [
      { since: '7.0', symbol: 'serial8250_THRE_test', anchor: 'call disable_irq' },
      { since: '6.17', symbol: 'serial8250_THRE_test' },
    ],
    'serial8250_do_startup call enable_irq': [{ since: '6.17', symbol: 'serial8250_THRE_test' }],
    'serial8250_do_startup call serial8250_set_mctrl': [{ since: '6.17', symbol: 'serial8250_init_mctrl' }],
    ...lockedIn('call spin_lock_irqsave', 'call uart_port_lock_irqsave', 'disable_irq_nosync', 'serial8250_THRE_test'),
    ...lockedIn('call spin_lock_irqsave', 'call uart_port_lock_irqsave', 'enable_irq', 'serial8250_initialize'),
    ...lockedIn('call spin_unlock_irqrestore', 'call uart_port_unlock_irqrestore', 'serial_port_out_sync', 'serial8250_THRE_test', SCOPE),
    ...lockedIn('call spin_unlock_irqrestore', 'call uart_port_unlock_irqrestore', TESTED_TXEN, 'serial8250_initialize', SCOPE),
    'serial8250_do_startup call wait_for_xmitr': [{ since: '6.17', symbol: 'serial8250_THRE_test' }],
    'serial8250_do_startup name TIOCM_OUT2': [{ since: '6.17', symbol: 'serial8250_init_mctrl' }],
    ...clearedIn('serial8250_clear_fifos'),
    ...clearedIn(TESTED_TXEN),
    'serial8250_do_startup name serial_port_in after serial8250_clear_fifos serial_port_in serial_port_in serial_port_in serial_port_in': [
      { since: '6.17', anchor: 'name serial_port_in' },
    ],
    'serial8250_do_startup name serial_port_out after enable_irq': [
      { since: '6.17', symbol: 'serial8250_initialize', anchor: 'name serial_port_out' },
    ],
    ...each(
      [
        'serial8250_do_startup name serial_port_in after serial_port_out_sync',
        'serial8250_do_startup name serial_port_in after serial_port_out_sync serial_port_out_sync',
        'serial8250_do_startup name serial_port_out',
        'serial8250_do_startup name serial_port_out after serial_port_out_sync',
        'serial8250_do_startup name serial_port_out after serial_port_out_sync serial_port_out_sync',
        'serial8250_do_startup name serial_port_out_sync',
        'serial8250_do_startup name serial_port_out_sync after serial_port_out_sync',
      ],
      { since: '6.17', symbol: 'serial8250_THRE_test' },
    ),
    ...each(
      [
        'serial8250_do_startup name serial_port_in after UPQ_NO_TXEN_TEST',
        'serial8250_do_startup name serial_port_in after UPQ_NO_TXEN_TEST serial_port_in',
        'serial8250_do_startup name serial_port_out after UPQ_NO_TXEN_TEST',
        'serial8250_do_startup name serial_port_out after UPQ_NO_TXEN_TEST serial_port_out',
      ],
      { since: '6.17', symbol: 'serial8250_iir_txen_test' },
    ),
    'serial8250_handle_irq call serial8250_modem_status': [{ since: '7.0', symbol: 'serial8250_handle_irq_locked' }],
    'serial8250_handle_irq call serial8250_rx_chars': [{ since: '7.0', symbol: 'serial8250_handle_irq_locked' }],
    'serial8250_handle_irq call serial8250_tx_chars': [{ since: '7.0', symbol: 'serial8250_handle_irq_locked' }],
    'serial8250_handle_irq name serial_lsr_in': [
      { until: '6.0', anchor: 'name serial_port_in' },
      { since: '7.0', symbol: 'serial8250_handle_irq_locked' },
    ],
    wait_for_lsr: [{ until: '5.19', symbol: 'wait_for_xmitr' }],
    'wait_for_lsr name serial_lsr_in': [{ until: '6.0', anchor: 'name serial_in' }],
    'wait_for_xmitr call wait_for_lsr': [{ until: '5.19', anchor: 'call serial_in' }],
  },
  'drivers/tty/serial/serial_core.c': {
    uart_change_line_settings: before('6.4', ['6.1'], { symbol: 'uart_change_speed' }),
    'uart_write call uart_port_lock': from('6.18', ['6.12'], { anchor: 'call uart_port_ref_lock' }),
    'uart_write call uart_port_ref_lock': before('6.18', ['6.12'], { anchor: 'call uart_port_lock' }),
    'uart_write call uart_port_unlock after __uart_start': from('6.18', ['6.12'], {
      anchor: 'call uart_port_unlock_deref after __uart_start',
    }),
    'uart_write call uart_port_unlock_deref after __uart_start': before('6.18', ['6.12'], {
      anchor: 'call uart_port_unlock after __uart_start',
    }),
  },
  'drivers/virtio/virtio.c': {
    virtio_reset_device: [
      {
        until: '5.17',
        path: 'drivers/char/virtio_console.c',
        symbol: 'virtcons_remove',
        anchor: 'call reset',
        absent: 'until 5.17 each driver called the reset of its device’s transport itself, as virtcons_remove',
      },
    ],
  },
  'drivers/virtio/virtio_pci_common.c': {
    vp_find_one_vq_msix: [{ until: '6.11', symbol: 'vp_find_vqs_msix' }],
  },
  'drivers/virtio/virtio_pci_legacy.c': { 'vp_reset call vp_synchronize_vectors': WITHOUT_CALLBACKS },
  'drivers/virtio/virtio_pci_legacy_dev.c': {
    vp_legacy_get_status: [{ until: '5.16', path: 'drivers/virtio/virtio_pci_legacy.c', symbol: 'vp_get_status' }],
    vp_legacy_set_status: [{ until: '5.16', path: 'drivers/virtio/virtio_pci_legacy.c', symbol: 'vp_set_status' }],
  },
  'drivers/virtio/virtio_pci_modern.c': { 'vp_reset call vp_synchronize_vectors': WITHOUT_CALLBACKS },
  'drivers/virtio/virtio_pci_modern_dev.c': {
    vp_modern_get_status: [{ until: '5.12', path: 'drivers/virtio/virtio_pci_modern.c', symbol: 'vp_get_status' }],
    vp_modern_set_status: [{ until: '5.12', path: 'drivers/virtio/virtio_pci_modern.c', symbol: 'vp_set_status' }],
  },
  'drivers/virtio/virtio_ring.c': {
    'virtio_break_device call WRITE_ONCE': before('5.13.14', ['5.10.62'], { anchor: 'write broken' }),
    'detach_buf_split write num_free': [{ since: '7.0', symbol: 'detach_buf_split_in_order' }],
    'detach_buf_split write num_free after free_head': [
      { since: '7.0', symbol: 'detach_buf_split_in_order', anchor: 'write num_free after vring_unmap_one_split vring_unmap_one_split' },
    ],
    'virtqueue_add call virtqueue_add_split': BY_LAYOUT,
    virtqueue_add_desc_split: [{ until: '5.14', symbol: 'virtqueue_add_split' }],
    'virtqueue_add_split call virtqueue_add_desc_split': [{ until: '5.14', anchor: 'write flags' }],
    'virtqueue_add_split call virtqueue_add_desc_split after virtqueue_add_desc_split': [
      { until: '5.14', anchor: 'write flags after VRING_DESC_F_NEXT' },
    ],
    'virtqueue_add_split write flags': [
      { until: '5.14', anchor: 'write flags after VRING_DESC_F_WRITE' },
      { since: '7.0', anchor: 'write flags after sg_count sg_count' },
    ],
    'virtqueue_add_split write free_head': [{ since: '7.0', anchor: 'write free_head after virtqueue_is_in_order indirect' }],
    'virtqueue_disable_cb call virtqueue_disable_cb_split': [{ since: '7.0', anchor: 'call VOID_VIRTQUEUE_CALL' }],
    'virtqueue_enable_cb_prepare call virtqueue_enable_cb_prepare_split': BY_LAYOUT,
    'virtqueue_enable_cb_prepare write event_triggered': [
      { until: '5.14', absent: 'until 5.14 it was not remembered that the device had signalled while callbacks were off' },
    ],
    'virtqueue_get_buf_ctx call virtqueue_get_buf_ctx_split': BY_LAYOUT,
    'virtqueue_kick_prepare call virtqueue_kick_prepare_split': BY_LAYOUT,
    'virtqueue_poll call virtqueue_poll_split': BY_LAYOUT,
  },
};
