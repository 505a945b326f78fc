import type { History } from '../../history';

/** The driver core, character and block devices, serial lines, virtio. */
export const drivers: History['files'] = {
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
    'bus_probe_device call __bus_probe_device': [
      { until: '6.12', anchor: 'call device_initial_probe' },
      { since: '6.13', anchor: 'call device_initial_probe' },
    ],
    'bus_probe_device call device_initial_probe': [{ since: '6.12', until: '6.13', symbol: '__bus_probe_device' }],
    driver_override_store: [{ until: '6.12', path: 'drivers/pci/pci-sysfs.c' }],
    'driver_override_store name driver_override': [{ since: '6.12', anchor: 'call __device_set_driver_override' }],
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
      {
        until: '6.12',
        path: 'drivers/base/driver.c',
        symbol: 'driver_set_override',
        absent: 'before 7.0 and 6.12.y each bus had a field for this, which driver_set_override wrote to',
      },
    ],
    '__device_release_driver call blocking_notifier_call_chain': [{ since: '6.3', anchor: 'call bus_notify' }],
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
  'drivers/tty/serial/serial_core.c': {
    uart_change_line_settings: [{ until: '6.1', symbol: 'uart_change_speed' }],
  },
  'drivers/virtio/virtio_pci_common.c': {
    vp_find_one_vq_msix: [{ until: '6.11', symbol: 'vp_find_vqs_msix' }],
  },
};
