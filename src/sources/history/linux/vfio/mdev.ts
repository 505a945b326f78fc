import type { Fact, History } from '../../../history';
import { each } from '../../each';
import { NO_DEVICE_IN_MEMORY } from './absences';

const NO_VFIO_MDEV = 'since 5.19 the driver of mediated devices makes the VFIO device itself: mtty here';
const BY_VFIO_MDEV = 'until 5.14 vfio_mdev makes the VFIO device; mtty makes its own part when the device is created';
const COUNTED_IN_FILE = 'until 6.1 each driver has this file itself, and works out here what is left';
const NO_MATCH = 'until 5.14 the bus has no match function: the one driver, vfio_mdev, takes every device';
const BUS_IN_INIT = 'since 6.1 mdev_init registers the bus itself';
const GROUP_BY_VFIO = 'since 5.16 VFIO makes up the group, when the device is registered with it';
const NO_TYPE_GROUPS = 'since 6.1 a driver lists its types, and parent_create_sysfs_files goes through them';
const DISABLED_INLINE = 'until 6.7 mtty_set_irqs drops the reference itself, and keeps the pointer';
const NOT_LISTED = 'since 5.14 mtty counts the ports that are left, and lists no devices';
const NO_OPEN = 'since 5.15 mtty has nothing to do when its device is opened';
const NO_CLOSE = 'from 5.15 to 6.6 mtty does nothing when its device is closed: its eventfds stay';
const NO_PARTS_DROPPED = 'until 6.7 mtty keeps its eventfds when its device is closed';
const NO_MASK = 'until 6.7 masking and unmasking are accepted and do nothing';
const IGNORED = 'until 6.7 what mtty does not support is accepted and ignored';
const NO_LOOPBACK = 'until 6.7 user space cannot raise the interrupt by itself';

const AVAILABLE: readonly Fact[] = [
  { until: '5.14', anchor: 'name MAX_MTTYS', absent: COUNTED_IN_FILE },
  { until: '6.1', anchor: 'name mdev_avail_ports', absent: COUNTED_IN_FILE },
];

/** Mediated devices: `drivers/vfio/mdev`, and mtty. */
export const mdev: History['files'] = {
  'drivers/vfio/mdev/mdev_core.c': {
    'mdev_device_create call device_driver_attach': [
      { until: '5.14', anchor: 'call device_add', absent: 'until 5.14 vfio_mdev takes the device as soon as it is added' },
    ],
    'mdev_device_create name create': [
      { since: '5.19', anchor: 'call device_driver_attach', absent: 'since 5.19 a driver makes its part of the device in its probe' },
    ],
    'mdev_init call bus_register': [{ until: '6.1', anchor: 'call mdev_bus_register' }],
    mdev_register_device: [{ since: '6.1', symbol: 'mdev_register_parent' }],
    'mdev_register_device name ops': [{ since: '5.19', anchor: 'name mdev_driver' }],
    mdev_register_parent: [{ until: '6.1', symbol: 'mdev_register_device' }],
    'mdev_register_parent write nr_types': [
      { until: '5.19', anchor: 'write ops', absent: 'until 6.1 the types are groups of attributes in the parent’s operations' },
      { until: '6.1', anchor: 'write mdev_driver', absent: 'until 6.1 the types are groups of attributes in the parent’s operations' },
    ],
  },
  'drivers/vfio/mdev/mdev_driver.c': {
    mdev_attach_iommu: [
      {
        since: '5.16',
        until: '6.0',
        path: 'drivers/vfio/vfio.c',
        symbol: 'vfio_noiommu_group_alloc',
        anchor: 'call iommu_group_alloc',
        absent: GROUP_BY_VFIO,
      },
      {
        since: '6.0',
        until: '6.2',
        path: 'drivers/vfio/vfio_main.c',
        symbol: 'vfio_noiommu_group_alloc',
        anchor: 'call iommu_group_alloc',
        absent: GROUP_BY_VFIO,
      },
      {
        since: '6.2',
        path: 'drivers/vfio/group.c',
        symbol: 'vfio_noiommu_group_alloc',
        anchor: 'call iommu_group_alloc',
        absent: GROUP_BY_VFIO,
      },
    ],
    mdev_bus_register: [
      { since: '6.1', path: 'drivers/vfio/mdev/mdev_core.c', symbol: 'mdev_init', anchor: 'call bus_register', absent: BUS_IN_INIT },
    ],
    mdev_match: [{ until: '5.14', symbol: 'mdev_bus_type', absent: NO_MATCH }],
    'mdev_probe call mdev_attach_iommu': [{ since: '5.16', anchor: 'name probe', absent: GROUP_BY_VFIO }],
  },
  'drivers/vfio/mdev/mdev_sysfs.c': {
    add_mdev_supported_type: [{ since: '6.1', symbol: 'mdev_type_add' }],
    add_mdev_supported_type_groups: [
      { since: '6.1', symbol: 'parent_create_sysfs_files', anchor: 'call mdev_type_add', absent: NO_TYPE_GROUPS },
    ],
    ...each(['available_instances_show', 'device_api_show', 'name_show'], { until: '6.1', path: 'samples/vfio-mdev/mtty.c' }),
    'available_instances_show name get_available': AVAILABLE,
    'available_instances_show name get_available after get_available': AVAILABLE,
    'device_api_show name device_api': [{ until: '6.1', anchor: 'name VFIO_DEVICE_API_PCI_STRING' }],
    mdev_type_add: [{ until: '6.1', symbol: 'add_mdev_supported_type' }],
    'name_show name pretty_name': [{ until: '6.1', anchor: 'name name_str' }],
    'parent_create_sysfs_files call mdev_type_add': [
      {
        until: '6.1',
        anchor: 'call add_mdev_supported_type_groups',
        absent: 'until 6.1 add_mdev_supported_type_groups goes through the types',
      },
    ],
  },
  'drivers/vfio/mdev/vfio_mdev.c': {
    '*': [{ since: '5.19', path: 'samples/vfio-mdev/mtty.c' }],
    vfio_mdev_dev_ops: [{ since: '5.19', symbol: 'mtty_dev_ops', absent: NO_VFIO_MDEV }],
    vfio_mdev_driver: [{ since: '5.19', symbol: 'mtty_driver', absent: NO_VFIO_MDEV }],
    vfio_mdev_init: [
      {
        since: '5.14',
        until: '5.19',
        path: 'drivers/vfio/mdev/mdev_core.c',
        symbol: 'mdev_init',
        anchor: 'call mdev_register_driver',
        absent: 'from 5.14 to 5.18 vfio_mdev is part of mdev, and mdev_init registers its driver',
      },
      { since: '5.19', symbol: 'mtty_dev_init', anchor: 'call mdev_register_driver', absent: NO_VFIO_MDEV },
    ],
    vfio_mdev_open: [
      { since: '5.15', until: '5.19', symbol: 'vfio_mdev_open_device' },
      { since: '5.19', symbol: 'mtty_dev_ops', absent: NO_OPEN },
    ],
    'vfio_mdev_open name open': [{ since: '5.15', until: '5.19', anchor: 'name open_device' }],
    vfio_mdev_probe: [{ since: '5.19', symbol: 'mtty_probe', anchor: 'call vfio_register_emulated_iommu_dev', absent: NO_VFIO_MDEV }],
    vfio_mdev_read: [{ since: '5.19', symbol: 'mtty_dev_ops', anchor: 'name mtty_read', absent: NO_VFIO_MDEV }],
    vfio_mdev_release: [
      { since: '5.15', until: '5.19', symbol: 'vfio_mdev_close_device' },
      { since: '5.19', until: '6.7', symbol: 'mtty_dev_ops', absent: NO_CLOSE },
      { since: '6.7', symbol: 'mtty_dev_ops', anchor: 'name mtty_close', absent: NO_VFIO_MDEV },
    ],
    'vfio_mdev_release name release': [{ since: '5.15', until: '5.19', anchor: 'name close_device' }],
    vfio_mdev_unlocked_ioctl: [{ since: '5.19', symbol: 'mtty_dev_ops', anchor: 'name mtty_ioctl', absent: NO_VFIO_MDEV }],
    vfio_mdev_write: [{ since: '5.19', symbol: 'mtty_dev_ops', anchor: 'name mtty_write', absent: NO_VFIO_MDEV }],
  },
  'samples/vfio-mdev/mtty.c': {
    mdev_fops: [{ since: '5.14', symbol: 'mtty_dev_ops' }],
    'mdev_fops name mtty_close': [{ since: '5.15', until: '6.7', symbol: 'mtty_dev_ops', absent: NO_CLOSE }],
    'mdev_fops name mtty_create': [{ since: '5.14', symbol: 'mtty_driver', anchor: 'name mtty_probe' }],
    'mdev_fops name mtty_open': [{ since: '5.15', symbol: 'mtty_dev_ops', absent: NO_OPEN }],
    mtty_close: [{ since: '5.15', until: '6.7', symbol: 'mtty_dev_ops', absent: NO_CLOSE }],
    ...each(['mtty_close call mtty_disable_intx', 'mtty_close call mtty_disable_msi'], {
      until: '5.15',
      anchor: 'call pr_info',
      absent: NO_PARTS_DROPPED,
    }),
    mtty_create: [
      { since: '5.14', until: '6.1', symbol: 'mtty_probe' },
      { since: '6.1', symbol: 'mtty_init_dev' },
    ],
    'mtty_create call kzalloc': [{ since: '6.1', symbol: 'mtty_probe', anchor: 'call vfio_alloc_device' }],
    'mtty_create call list_add': [
      { since: '5.14', until: '6.1', symbol: 'mtty_probe', anchor: 'call atomic_try_cmpxchg', absent: NOT_LISTED },
      { since: '6.1', symbol: 'mtty_init_dev', anchor: 'call atomic_try_cmpxchg', absent: NOT_LISTED },
    ],
    'mtty_dev_init call mdev_register_driver': [
      { until: '5.14', anchor: 'call mdev_register_device', absent: 'until 5.14 mtty is no driver of the bus: vfio_mdev is, for all' },
    ],
    mtty_dev_ops: [{ until: '5.14', symbol: 'mdev_fops' }],
    mtty_disable_intx: [{ until: '6.7', symbol: 'mtty_set_irqs', anchor: 'call eventfd_ctx_put', absent: DISABLED_INLINE }],
    mtty_disable_msi: [
      { until: '6.7', symbol: 'mtty_set_irqs', anchor: 'call eventfd_ctx_put after VFIO_PCI_MSI_IRQ_INDEX', absent: DISABLED_INLINE },
    ],
    mtty_driver: [{ until: '5.14', symbol: 'mdev_fops' }],
    mtty_get_available: [{ until: '6.1', symbol: 'available_instances_show' }],
    'mtty_get_available name mdev_avail_ports': [{ until: '5.14', anchor: 'name MAX_MTTYS' }],
    mtty_get_region_info: [{ since: '6.19', symbol: 'mtty_ioctl_get_region_info' }],
    mtty_init_dev: [
      { until: '5.14', symbol: 'mtty_create' },
      { until: '6.1', symbol: 'mtty_probe' },
    ],
    ...each(['mtty_init_dev call atomic_try_cmpxchg', 'mtty_init_dev name avail_ports'], {
      until: '5.14',
      anchor: 'write nr_ports after kzalloc',
      absent: 'until 5.14 only available_instances_show counts what is left: here nothing is checked',
    }),
    'mtty_ioctl call mtty_get_region_info': [
      {
        since: '6.19',
        path: 'drivers/vfio/vfio_main.c',
        symbol: 'vfio_get_region_info',
        anchor: 'call get_region_info_caps',
        absent: 'since 6.19 the VFIO core takes VFIO_DEVICE_GET_REGION_INFO itself, and calls the driver’s get_region_info_caps',
      },
    ],
    mtty_open: [{ since: '5.15', symbol: 'mtty_dev_ops', absent: NO_OPEN }],
    'mtty_probe call vfio_alloc_device': [{ since: '5.14', until: '6.1', anchor: 'call kzalloc', absent: NO_DEVICE_IN_MEMORY }],
    'mtty_probe call vfio_register_emulated_iommu_dev': [{ since: '5.14', until: '5.16', anchor: 'call vfio_register_group_dev' }],
    mtty_probe: [{ until: '5.14', symbol: 'mtty_create', absent: BY_VFIO_MDEV }],
    'mtty_set_irqs call eventfd_ctx_put': [{ since: '6.7', symbol: 'mtty_disable_intx' }],
    'mtty_set_irqs call eventfd_ctx_put after VFIO_PCI_MSI_IRQ_INDEX': [
      { since: '6.7', symbol: 'mtty_disable_msi', anchor: 'call eventfd_ctx_put' },
    ],
    'mtty_set_irqs call mtty_disable_msi': [
      { until: '6.7', anchor: 'call eventfd_ctx_put after VFIO_PCI_MSI_IRQ_INDEX', absent: DISABLED_INLINE },
    ],
    'mtty_set_irqs call mtty_trigger_interrupt': [{ until: '6.7', anchor: 'name VFIO_IRQ_SET_ACTION_TRIGGER', absent: NO_LOOPBACK }],
    'mtty_set_irqs call mtty_trigger_interrupt after VFIO_PCI_MSI_IRQ_INDEX': [
      { until: '6.7', anchor: 'name VFIO_IRQ_SET_ACTION_TRIGGER after VFIO_PCI_MSI_IRQ_INDEX', absent: NO_LOOPBACK },
    ],
    'mtty_set_irqs name ENOTTY after VFIO_IRQ_SET_ACTION_UNMASK': [
      { until: '6.7', anchor: 'name VFIO_IRQ_SET_ACTION_UNMASK', absent: IGNORED },
    ],
    'mtty_set_irqs write intx_mask after VFIO_IRQ_SET_ACTION_MASK': [
      { until: '6.7', anchor: 'name VFIO_IRQ_SET_ACTION_MASK', absent: NO_MASK },
    ],
    'mtty_set_irqs write intx_mask after VFIO_IRQ_SET_ACTION_UNMASK': [
      { until: '6.7', anchor: 'name VFIO_IRQ_SET_ACTION_UNMASK', absent: NO_MASK },
    ],
    'mtty_set_irqs write irq_index after VFIO_PCI_MSI_IRQ_INDEX irq_index': [
      { since: '6.7', anchor: 'write irq_index after VFIO_PCI_MSI_IRQ_INDEX' },
    ],
    'mtty_set_irqs write irq_index after mtty_disable_msi': [
      { until: '6.7', anchor: 'write irq_index after VFIO_PCI_MSI_IRQ_INDEX irq_index' },
    ],
    'mtty_trigger_interrupt call eventfd_signal after intx_mask': [{ until: '6.7', anchor: 'call eventfd_signal after eventfd_signal' }],
    'mtty_trigger_interrupt call lockdep_assert_held': [
      { until: '6.7', anchor: 'name irq_index', absent: 'until 6.7 an interrupt may be raised with or without ops_lock' },
    ],
    'mtty_trigger_interrupt name irq_index': [
      { since: '6.7', anchor: 'call is_msi', absent: 'since 6.7 is_msi and is_intx look at irq_index' },
    ],
    ...each(['mtty_trigger_interrupt name intx_mask', 'mtty_trigger_interrupt write intx_mask'], {
      until: '6.7',
      anchor: 'name intx_evtfd',
      absent: 'until 6.7 INTx does not mask itself, though it says that it would',
    }),
  },
};
