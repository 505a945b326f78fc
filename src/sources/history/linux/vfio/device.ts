import type { Fact, History } from '../../../history';
import { each } from '../../each';
import {
  beforeRegistering,
  BORROWED_KVM,
  CLOSED_BY_RELEASE,
  CLOSED_INLINE,
  COUNTED_BY_LIST,
  FINDS_ITS_GROUP,
  MADE_IN_GROUP,
  NO_CDEV,
  NO_CHECK_OF_ACCESS,
  NO_DEVICE_IN_MEMORY,
  OPENED_BY_IOCTL,
} from './absences';

const AS_ALL_OTHERS = 'until 5.16 mediated devices get a group from mdev, and are registered as all others';
const NO_ATTACH = 'until 6.6 no device is put into an address space by itself: its group is, when its container gets a backend';
const NO_DETACH = 'until 6.6 a device is detached only as it is unbound';
const NO_IOMMUFD = 'until 6.2 VFIO knows no iommufd: the backend of the group’s container takes the device’s DMA';
const NO_DEVICE_SETS = 'until 5.15 vfio-pci finds the devices that are reset together by itself, with vfio_pci_reflck';
const COUNTED_BY_DRIVER = 'until 5.15 a driver counts the opens of its device, and locks, by itself';
const COUNTED: Fact = { until: '5.15', anchor: 'name release', absent: COUNTED_BY_DRIVER };

const NOT_BY_CONTAINER = 'since 6.2 each device of the group is asked, whatever its container says';
const NO_NUMBER = 'until 6.1 a VFIO device has no number';
const NOT_IN_DRIVER_MODEL = 'until 6.1 a VFIO device is no device of the driver model';

const FREED_BY_COUNT = 'before 5.13 and 5.10.137 the VFIO device is freed with its last reference';
const ONE_STEP = 'before 5.13 and 5.10.137 vfio_add_group_dev finds the group and has the device made in it';
const TAKEN_AWAY = 'before 5.13 and 5.10.137 vfio_del_group_dev gives up the driver’s reference, and waits until the device is gone';

/** Where the VFIO device is made, until it is registered by a step of its own. */
const madeInGroup = (anchor?: string): readonly Fact[] =>
  beforeRegistering({ symbol: 'vfio_group_create_device', ...(anchor === undefined ? {} : { anchor }) });
/** Where it ends, with its last reference. */
const released = (anchor?: string): readonly Fact[] =>
  beforeRegistering({ symbol: 'vfio_device_release', ...(anchor === undefined ? {} : { anchor }) });

/** For a while there, but in vfio_main.c before and after. */
const IN_GROUP_C: Fact = { since: '6.2', until: '6.6', path: 'drivers/vfio/group.c' };

const UNLISTED: Fact = { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_unregister' };

const INIT_BY_DRIVER: readonly Fact[] = [
  { until: '6.1', anchor: 'name ops', absent: 'until 6.1 the driver sets up its part of the device by itself, before' },
];

/** Where a group's device is opened or closed under its locks. */
const inGroup = (does: 'open' | 'close', anchor?: string): readonly Fact[] =>
  [
    { since: '6.2', until: '6.6', symbol: `vfio_device_group_${does}` },
    { since: '6.6', symbol: `vfio_df_group_${does}` },
  ].map((fact) => ({ ...fact, path: 'drivers/vfio/group.c', ...(anchor === undefined ? {} : { anchor }) }));

/** What a lock of `vfio_device_open` is before 6.1, where the group has a read-write semaphore, and since 6.2. */
const opened = (until61: string, since62: string): readonly Fact[] => [
  ...OPENED_BY_IOCTL,
  { until: '6.1', anchor: until61 },
  ...inGroup('open', since62),
];

/** Devices: registering, opening and closing them, by their group or by their own node. */
export const device: History['files'] = {
  'drivers/vfio/device_cdev.c': {
    '*': [
      { until: '6.0', path: 'drivers/vfio/vfio.c' },
      { until: '6.6', path: 'drivers/vfio/vfio_main.c' },
    ],
    vfio_device_fops_cdev_open: [
      { until: '6.1', symbol: 'vfio_group_get_device_fd', absent: NO_CDEV },
      { until: '6.2', symbol: 'vfio_group_ioctl_get_device_fd', absent: NO_CDEV },
      { until: '6.6', path: 'drivers/vfio/group.c', symbol: 'vfio_group_ioctl_get_device_fd', absent: NO_CDEV },
    ],
    vfio_df_get_kvm_safe: [
      { until: '5.19', symbol: 'vfio_group_set_kvm', anchor: 'call blocking_notifier_call_chain', absent: NO_CDEV },
      { until: '6.2', symbol: 'vfio_device_open', anchor: 'write kvm', absent: NO_CDEV },
      { until: '6.3', symbol: 'vfio_device_first_open', anchor: 'write kvm', absent: NO_CDEV },
      { until: '6.6', symbol: '_vfio_device_get_kvm_safe', absent: NO_CDEV },
    ],
    vfio_df_ioctl_attach_pt: [
      { until: '6.1', symbol: 'vfio_ioctl_set_iommu', absent: NO_ATTACH },
      { until: '6.6', path: 'drivers/vfio/container.c', symbol: 'vfio_ioctl_set_iommu', absent: NO_ATTACH },
    ],
    vfio_df_ioctl_bind_iommufd: [
      { until: '5.15', symbol: 'vfio_group_get_device_fd', anchor: 'name open', absent: NO_CDEV },
      { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'name open_device', absent: NO_CDEV },
      { until: '6.2', symbol: 'vfio_device_open', anchor: 'name open_device', absent: NO_CDEV },
      { until: '6.6', symbol: 'vfio_device_first_open', anchor: 'name open_device', absent: NO_CDEV },
    ],
    vfio_df_ioctl_detach_pt: [
      { until: '6.1', symbol: 'vfio_fops_release', absent: NO_ATTACH },
      { until: '6.6', path: 'drivers/vfio/container.c', symbol: 'vfio_fops_release', absent: NO_ATTACH },
    ],
    vfio_df_unbind_iommufd: [{ until: '6.6', symbol: 'vfio_device_fops_release', absent: NO_CDEV }],
  },
  'drivers/vfio/iommufd.c': {
    '*': [{ until: '6.2', path: 'drivers/vfio/vfio_iommu_type1.c' }],
    vfio_df_iommufd_bind: [
      { until: '6.2', symbol: 'vfio_iommu_type1_attach_group', absent: NO_IOMMUFD },
      { until: '6.6', symbol: 'vfio_iommufd_bind' },
    ],
    vfio_df_iommufd_unbind: [
      { until: '6.2', symbol: 'vfio_iommu_type1_detach_group', absent: NO_IOMMUFD },
      { until: '6.6', symbol: 'vfio_iommufd_unbind' },
    ],
    ...each(['vfio_iommufd_physical_attach_ioas', 'vfio_iommufd_physical_bind'], {
      until: '6.2',
      symbol: 'vfio_iommu_type1_attach_group',
      absent: NO_IOMMUFD,
    }),
    vfio_iommufd_physical_detach_ioas: [
      { until: '6.2', symbol: 'vfio_iommu_type1_detach_group', absent: NO_IOMMUFD },
      { until: '6.6', symbol: 'vfio_iommufd_physical_unbind', absent: NO_DETACH },
    ],
    vfio_iommufd_physical_unbind: [{ until: '6.2', symbol: 'vfio_iommu_type1_detach_group', absent: NO_IOMMUFD }],
  },
  'drivers/vfio/vfio_main.c': {
    '*': [{ until: '6.0', path: 'drivers/vfio/vfio.c' }],
    __vfio_register_dev: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'write group', absent: MADE_IN_GROUP }),
      {
        until: '5.16',
        symbol: 'vfio_register_group_dev',
        anchor: 'write group after EBUSY',
        absent: 'until 5.16 there is one kind of registration, and vfio_register_group_dev does it itself',
      },
    ],
    '__vfio_register_dev call refcount_set': [...madeInGroup('call kref_init'), { until: '5.16', symbol: 'vfio_register_group_dev' }],
    ...each(
      ['__vfio_register_dev call device_add', '__vfio_register_dev call vfio_device_add'],
      { since: '5.16', until: '6.1', anchor: 'call refcount_set', absent: NOT_IN_DRIVER_MODEL },
      { since: '6.1', until: '6.6', anchor: 'call device_add' },
      { since: '6.6', anchor: 'call vfio_device_add' },
    ),
    '__vfio_register_dev call device_iommu_capable': [
      {
        since: '5.16',
        until: '6.0',
        symbol: 'vfio_group_find_or_alloc',
        anchor: 'call iommu_group_get',
        absent: 'until 6.0 no device is asked whether its DMA is coherent with the caches',
      },
      { since: '6.0', until: '6.2', symbol: 'vfio_group_find_or_alloc' },
      { since: '6.2', until: '6.6', path: 'drivers/vfio/group.c', symbol: 'vfio_group_find_or_alloc' },
    ],
    ...each(
      ['__vfio_register_dev call mutex_lock', '__vfio_register_dev call mutex_unlock', '__vfio_register_dev name device_list'],
      ...madeInGroup(),
      { until: '5.16', symbol: 'vfio_register_group_dev' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_register' },
    ),
    '__vfio_register_dev write group': [
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_set_group', anchor: 'write group after PTR_ERR' },
    ],
    _vfio_alloc_device: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'call kzalloc', absent: MADE_IN_GROUP }),
      {
        until: '5.13',
        symbol: 'vfio_add_group_dev',
        anchor: 'call kzalloc',
        absent: 'until 5.13 vfio_add_group_dev allocates the VFIO device, apart from the driver’s part',
      },
      { until: '6.1', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_probe', absent: NO_DEVICE_IN_MEMORY },
    ],
    vfio_add_group_dev: [
      {
        since: '5.13',
        symbol: 'vfio_register_group_dev',
        absent: 'since 5.13 a driver embeds the VFIO device in its own structure, and registers it with vfio_register_group_dev',
      },
    ],
    'vfio_add_group_dev call kzalloc': madeInGroup(),
    vfio_allocate_device_file: [
      {
        until: '5.19',
        symbol: 'vfio_group_get_device_fd',
        anchor: 'call anon_inode_getfile',
        absent: 'until 6.6 a device’s file has no structure of its own: it leads to the device',
      },
      {
        until: '6.2',
        symbol: 'vfio_device_open',
        anchor: 'call anon_inode_getfile',
        absent: 'until 6.6 a device’s file has no structure of its own: it leads to the device',
      },
      {
        until: '6.6',
        path: 'drivers/vfio/group.c',
        symbol: 'vfio_device_open_file',
        anchor: 'call anon_inode_getfile',
        absent: 'until 6.6 a device’s file has no structure of its own: it leads to the device',
      },
    ],
    vfio_assign_device_set: [
      { until: '5.15', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_reflck_attach', absent: NO_DEVICE_SETS },
    ],
    ...each(
      ['vfio_device_fops_mmap', 'vfio_device_fops_read', 'vfio_device_fops_unl_ioctl', 'vfio_device_fops_write'].map(
        (operation) => `${operation} call smp_load_acquire`,
      ),
      { until: '6.6', anchor: 'name ops', absent: NO_CHECK_OF_ACCESS },
    ),
    'vfio_device_fops_release call vfio_device_container_unregister': [
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_unuse_iommu' },
    ],
    'vfio_device_fops_release call vfio_device_put': [{ since: '6.1', anchor: 'call vfio_device_put_registration' }],
    ...each(
      ['vfio_device_fops_release call vfio_device_unassign_container', 'vfio_device_fops_release call vfio_group_try_dissolve_container'],
      { until: '5.19', anchor: 'call vfio_group_try_dissolve_container' },
      { until: '6.2', anchor: 'call vfio_device_unassign_container' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_unuse_iommu', anchor: 'call vfio_group_unuse_container' },
    ),
    'vfio_device_fops_release call mutex_lock': [COUNTED, ...inGroup('close')],
    'vfio_device_fops_release call mutex_lock after vfio_assert_device_open': [
      COUNTED,
      { until: '5.19', anchor: 'call mutex_lock' },
      { until: '6.1', anchor: 'call down_read' },
      ...inGroup('close', 'call mutex_lock'),
    ],
    'vfio_device_fops_release call mutex_unlock': [COUNTED, { since: '5.19', until: '6.1', anchor: 'call up_read' }, ...inGroup('close')],
    'vfio_device_fops_release call mutex_unlock after close_device close_device mutex_unlock': [
      COUNTED,
      { until: '6.1', anchor: 'call mutex_unlock' },
      ...inGroup('close', 'call mutex_unlock'),
    ],
    ...each(
      ['vfio_device_fops_release name close_device', 'vfio_device_fops_release name release'],
      { until: '5.15', anchor: 'name release' },
      { until: '6.2', anchor: 'name close_device' },
      { until: '6.6', symbol: 'vfio_device_last_close', anchor: 'name close_device' },
      { since: '6.6', symbol: 'vfio_df_device_last_close', anchor: 'name close_device' },
    ),
    'vfio_device_fops_release write open_count after close_device close_device': [
      COUNTED,
      { until: '5.19', anchor: 'write open_count' },
      { since: '6.2', until: '6.6', symbol: 'vfio_device_close', anchor: 'write open_count' },
      { since: '6.6', symbol: 'vfio_df_close', anchor: 'write open_count' },
    ],
    'vfio_device_fops_release name open_count': [
      COUNTED,
      { since: '6.2', until: '6.6', symbol: 'vfio_device_close' },
      { since: '6.6', symbol: 'vfio_df_close' },
    ],
    vfio_device_get_kvm_safe: [
      { until: '5.19', symbol: 'vfio_group_set_kvm', anchor: 'call blocking_notifier_call_chain', absent: BORROWED_KVM },
      { until: '6.2', symbol: 'vfio_device_open', anchor: 'write kvm', absent: BORROWED_KVM },
      { until: '6.3', symbol: 'vfio_device_first_open', anchor: 'write kvm', absent: BORROWED_KVM },
      { until: '6.6', symbol: '_vfio_device_get_kvm_safe' },
    ],
    vfio_device_open: [
      ...OPENED_BY_IOCTL,
      {
        since: '6.2',
        path: 'drivers/vfio/group.c',
        symbol: 'vfio_device_open_file',
        absent: 'since 6.2 vfio_device_open_file makes the file, and the locks and the first open have functions of their own',
      },
    ],
    'vfio_device_open call mutex_lock': opened('call down_write', 'call mutex_lock'),
    'vfio_device_open call mutex_lock after open_count': opened('call down_read', 'call mutex_lock'),
    'vfio_device_open call mutex_lock after vfio_device_assign_container': [
      ...OPENED_BY_IOCTL,
      { since: '6.2', until: '6.3', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_device_open', anchor: 'call mutex_lock' },
      ...inGroup('open', 'call mutex_lock after mutex_lock'),
    ],
    'vfio_device_open call mutex_unlock': opened('call up_write', 'call mutex_unlock'),
    'vfio_device_open call mutex_unlock after vfio_device_container_register': opened('call up_read', 'call mutex_unlock'),
    'vfio_device_open call mutex_unlock after vfio_device_container_register mutex_unlock': opened(
      'call mutex_unlock',
      'call mutex_unlock',
    ),
    'vfio_device_open call vfio_device_assign_container': [
      ...OPENED_BY_IOCTL,
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_use_iommu', anchor: 'call vfio_group_use_container' },
    ],
    'vfio_device_open call vfio_device_container_register': [
      ...OPENED_BY_IOCTL,
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_use_iommu', anchor: 'call vfio_device_container_register' },
    ],
    'vfio_device_open call anon_inode_getfile': [
      { until: '5.19', symbol: 'vfio_group_get_device_fd' },
      { since: '6.2', until: '6.18', path: 'drivers/vfio/group.c', symbol: 'vfio_device_open_file' },
      { since: '6.18', path: 'drivers/vfio/group.c', symbol: 'vfio_device_open_file', anchor: 'call anon_inode_getfile_fmode' },
    ],
    'vfio_device_open name open_count': [{ since: '6.6', symbol: 'vfio_df_open', path: 'drivers/vfio/vfio_main.c' }],
    'vfio_device_open name open_device': [
      { since: '6.2', until: '6.6', symbol: 'vfio_device_first_open', path: 'drivers/vfio/vfio_main.c' },
      { since: '6.6', symbol: 'vfio_df_device_first_open', path: 'drivers/vfio/vfio_main.c' },
    ],
    vfio_device_put_kvm: [
      { until: '5.19', symbol: 'vfio_group_set_kvm', anchor: 'call blocking_notifier_call_chain', absent: BORROWED_KVM },
      { until: '6.2', symbol: 'vfio_device_fops_release', anchor: 'write kvm', absent: BORROWED_KVM },
      { until: '6.3', symbol: 'vfio_device_last_close', anchor: 'write kvm', absent: BORROWED_KVM },
    ],
    vfio_device_put_registration: [{ until: '6.1', symbol: 'vfio_device_put' }],
    'vfio_device_put_registration call complete': released('call wake_up'),
    'vfio_device_put_registration call refcount_dec_and_test': beforeRegistering({ anchor: 'call kref_put_mutex' }),
    'vfio_device_release call vfio_release_device_set': [
      { since: '5.15', until: '6.0', path: 'drivers/vfio/vfio.c', symbol: 'vfio_uninit_group_dev' },
      { since: '6.0', until: '6.1', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_uninit_group_dev' },
    ],
    vfio_device_release: [
      ...beforeRegistering({ symbol: 'vfio_device_release', anchor: 'call kfree', absent: FREED_BY_COUNT }),
      {
        until: '5.13',
        symbol: 'vfio_del_group_dev',
        anchor: 'call kfree',
        absent: 'until 5.13 vfio_del_group_dev frees the VFIO device at once',
      },
      { until: '6.1', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_remove', absent: NO_DEVICE_IN_MEMORY },
    ],
    vfio_device_try_get_registration: [
      ...beforeRegistering({ symbol: 'vfio_device_get', absent: COUNTED_BY_LIST }),
      { until: '6.1', symbol: 'vfio_device_try_get' },
    ],
    'vfio_device_try_get_registration call refcount_inc_not_zero': beforeRegistering({ anchor: 'call kref_get' }),
    vfio_df_close: [
      { until: '5.15', symbol: 'vfio_device_fops_release', anchor: 'name release', absent: CLOSED_INLINE },
      { until: '6.2', symbol: 'vfio_device_fops_release', anchor: 'write open_count', absent: CLOSED_INLINE },
      { until: '6.6', symbol: 'vfio_device_close' },
    ],
    vfio_df_device_first_open: [
      ...OPENED_BY_IOCTL,
      {
        until: '6.2',
        symbol: 'vfio_device_open',
        anchor: 'name open_device',
        absent: 'until 6.2 vfio_device_open itself does what the first open needs',
      },
      { until: '6.6', symbol: 'vfio_device_first_open' },
    ],
    vfio_df_device_last_close: [...CLOSED_BY_RELEASE, { until: '6.6', symbol: 'vfio_device_last_close' }],
    vfio_df_open: [
      ...OPENED_BY_IOCTL,
      {
        until: '6.2',
        symbol: 'vfio_device_open',
        anchor: 'write open_count',
        absent: 'until 6.2 vfio_device_open counts the opens, and makes the file',
      },
      { until: '6.6', symbol: 'vfio_device_open' },
    ],
    vfio_file_enforced_coherent: [{ until: '5.19', symbol: 'vfio_external_check_extension' }, IN_GROUP_C],
    ...each(
      ['vfio_file_enforced_coherent call vfio_container_ioctl_check_extension', 'vfio_file_enforced_coherent name container'],
      { since: '6.2', until: '6.6', path: 'drivers/vfio/group.c', anchor: 'call device_iommu_capable', absent: NOT_BY_CONTAINER },
      {
        since: '6.6',
        path: 'drivers/vfio/group.c',
        symbol: 'vfio_group_enforced_coherent',
        anchor: 'call device_iommu_capable',
        absent: NOT_BY_CONTAINER,
      },
    ),
    vfio_file_is_group: [
      { until: '5.19', symbol: 'vfio_group_get_external_user' },
      { until: '6.1', symbol: 'vfio_file_iommu_group' },
      { since: '6.2', path: 'drivers/vfio/group.c' },
    ],
    'vfio_file_is_group name f_op': [{ since: '6.6', anchor: 'call vfio_group_from_file' }],
    vfio_file_is_valid: [
      { until: '5.19', symbol: 'vfio_group_get_external_user' },
      { until: '6.1', symbol: 'vfio_file_iommu_group' },
      { until: '6.2', symbol: 'vfio_file_is_group' },
      { until: '6.6', path: 'drivers/vfio/group.c', symbol: 'vfio_file_is_group' },
    ],
    'vfio_file_is_valid call vfio_group_from_file': [{ until: '6.6', anchor: 'name f_op' }],
    vfio_file_set_kvm: [{ until: '5.19', symbol: 'vfio_group_set_kvm' }, IN_GROUP_C],
    'vfio_file_set_kvm call vfio_group_set_kvm': [
      { until: '5.19', anchor: 'write kvm', absent: 'until 5.19 KVM calls vfio_group_set_kvm itself' },
    ],
    vfio_free_device: [
      ...beforeRegistering({ symbol: 'vfio_device_release', anchor: 'call kfree', absent: FREED_BY_COUNT }),
      { until: '5.13', symbol: 'vfio_del_group_dev', anchor: 'call kfree', absent: 'until 5.13 vfio_del_group_dev frees the VFIO device' },
      { until: '6.1', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_remove', absent: NO_DEVICE_IN_MEMORY },
      {
        since: '6.2',
        symbol: 'vfio_device_release',
        anchor: 'call kvfree',
        absent: 'since 6.2 the core frees the device, in vfio_device_release',
      },
    ],
    ...each(['vfio_init call alloc_chrdev_region', 'vfio_init call vfio_container_init'], {
      since: '6.2',
      path: 'drivers/vfio/group.c',
      symbol: 'vfio_group_init',
    }),
    'vfio_init call vfio_cdev_init': [{ until: '6.6', anchor: 'call class_create', absent: NO_CDEV }],
    'vfio_init call vfio_virqfd_init': [
      {
        until: '6.2',
        path: 'drivers/vfio/virqfd.c',
        symbol: 'vfio_virqfd_init',
        absent: 'until 6.2 eventfds for interrupts are a module of their own, vfio_virqfd.ko',
      },
    ],
    'vfio_device_release name release after release': [{ since: '6.1', until: '6.2', anchor: 'name release' }],
    vfio_init_device: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'write ops', absent: MADE_IN_GROUP }),
      { until: '6.1', symbol: 'vfio_init_group_dev' },
    ],
    'vfio_init_device name init': INIT_BY_DRIVER,
    'vfio_init_device name init after init': INIT_BY_DRIVER,
    'vfio_init_device write index': [
      ...beforeRegistering({ anchor: 'call kref_init', absent: NO_NUMBER }),
      { until: '6.1', anchor: 'call init_completion', absent: NO_NUMBER },
    ],
    vfio_init_group_dev: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'write ops', absent: MADE_IN_GROUP }),
      { since: '6.1', symbol: 'vfio_init_device' },
    ],
    vfio_register_emulated_iommu_dev: [
      ...beforeRegistering({ symbol: 'vfio_add_group_dev', absent: AS_ALL_OTHERS }),
      { until: '5.16', symbol: 'vfio_register_group_dev', absent: AS_ALL_OTHERS },
    ],
    'vfio_register_emulated_iommu_dev call vfio_noiommu_group_alloc': [
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_set_group' },
    ],
    vfio_register_group_dev: beforeRegistering({ symbol: 'vfio_add_group_dev', absent: ONE_STEP }),
    ...each(
      ['vfio_register_group_dev call iommu_group_get', 'vfio_register_group_dev call vfio_create_group'],
      ...beforeRegistering({}),
      { since: '5.16', until: '6.2', symbol: 'vfio_group_find_or_alloc' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_group_find_or_alloc' },
    ),
    ...each(
      ['vfio_register_group_dev call mutex_lock', 'vfio_register_group_dev call mutex_unlock', 'vfio_register_group_dev name device_list'],
      ...madeInGroup(),
      { since: '5.16', until: '6.2', symbol: '__vfio_register_dev' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_group_register' },
    ),
    'vfio_register_group_dev call refcount_set': [...madeInGroup('call kref_init'), { since: '5.16', symbol: '__vfio_register_dev' }],
    'vfio_register_group_dev call vfio_group_find_or_alloc': [
      { until: '5.16', anchor: 'call vfio_group_get_from_iommu', absent: FINDS_ITS_GROUP },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_set_group' },
    ],
    'vfio_register_group_dev call vfio_group_get_from_iommu': [
      ...beforeRegistering({}),
      { since: '5.16', until: '6.2', symbol: 'vfio_group_find_or_alloc' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_group_find_or_alloc', anchor: 'call vfio_group_find_from_iommu' },
    ],
    'vfio_register_group_dev write group after EBUSY': [
      ...madeInGroup('write group'),
      { since: '5.16', until: '6.2', symbol: '__vfio_register_dev', anchor: 'write group' },
      { since: '6.2', path: 'drivers/vfio/group.c', symbol: 'vfio_device_set_group', anchor: 'write group after PTR_ERR' },
    ],
    vfio_release_device_set: [
      { until: '5.15', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_reflck_put', absent: NO_DEVICE_SETS },
    ],
    vfio_unregister_group_dev: beforeRegistering({ symbol: 'vfio_del_group_dev', absent: TAKEN_AWAY }),
    'vfio_unregister_group_dev call list_del': [...released(), UNLISTED],
    // Until 5.18 another lock is taken before.
    'vfio_unregister_group_dev call mutex_lock': [
      ...beforeRegistering({ symbol: 'vfio_device_put', anchor: 'call kref_put_mutex' }),
      { until: '5.18', anchor: 'call mutex_lock after wait_for_completion_timeout' },
      UNLISTED,
    ],
    'vfio_unregister_group_dev call mutex_unlock': [
      ...released(),
      { until: '5.18', anchor: 'call mutex_unlock after wait_for_completion_timeout' },
      UNLISTED,
    ],
    'vfio_unregister_group_dev call try_wait_for_completion': beforeRegistering({ anchor: 'call vfio_group_get_device' }),
    'vfio_unregister_group_dev call vfio_device_del': [
      ...beforeRegistering({ symbol: 'vfio_device_release', anchor: 'call list_del', absent: NOT_IN_DRIVER_MODEL }),
      { until: '6.1', anchor: 'call list_del after wait_for_completion_timeout', absent: NOT_IN_DRIVER_MODEL },
      { until: '6.6', anchor: 'call device_del' },
    ],
    'vfio_unregister_group_dev call vfio_device_group_unregister': released('call list_del'),
    'vfio_unregister_group_dev call vfio_device_put_registration': beforeRegistering({ anchor: 'call vfio_device_put' }),
    'vfio_unregister_group_dev call vfio_device_remove_group': [{ until: '6.1', anchor: 'call vfio_group_put' }],
    'vfio_unregister_group_dev call wait_for_completion_interruptible_timeout': beforeRegistering({
      anchor: 'call wait_woken after TASK_UNINTERRUPTIBLE',
    }),
    'vfio_unregister_group_dev name request': beforeRegistering({}),
  },
};
