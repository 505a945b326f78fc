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
  NO_NOTIFY,
  OPENED_BY_IOCTL,
  OPENED_INLINE,
} from './absences';

const LOCKED_ALL_ALONG = 'since 6.2 vfio_df_group_close holds the group’s lock all the time';
const SEARCHED_UNDER_LOCK = 'since 6.2 vfio_group_find_or_alloc holds vfio.group_lock over search and creation';
const SEARCHED_APART = 'until 6.2 vfio_group_get_from_iommu takes vfio.group_lock for the search only, and vfio_create_group again';
const NO_GROUP_LOCK = 'until 5.19 no lock guards the group: its users and openers are counted atomically';
const DMA_UNOWNED = 'until 5.18 nobody owns a group’s DMA: vfio_group_viable checks which drivers its devices have before each use';
const DMA_OWNED = 'since 5.18 a group’s DMA is owned from when it joins a container: no driver can get in between';

const GONE_WITH_LAST_REFERENCE = 'until 6.1 a group goes with its last reference, not with its last device';
const UNLISTED_LAST = 'until 6.2 a device is taken off its group’s list when nobody uses it any more';
const PART_OF_SET_CONTAINER = 'until 6.1 vfio_group_set_container puts the group into the container itself';

/**
 * Where a function takes the group's lock and gives it back: a mutex since 6.1, an rwsem from 5.19 on, which for some the caller took (`by`);
 * before that it is not locked, and the step stands on `unlocked`.
 */
function locked(fn: string, unlocked: string, by: { readonly symbol?: string; readonly after?: string } = {}, later: readonly Fact[] = []) {
  const { after, ...where } = by;
  const facts = (call: string): readonly Fact[] => [
    { until: '5.19', anchor: unlocked, absent: NO_GROUP_LOCK },
    { until: '6.1', anchor: `call ${call}${after === undefined ? '' : ` after ${after}`}`, ...where },
    ...later,
  ];
  return { [`${fn} call mutex_lock`]: facts('down_write'), [`${fn} call mutex_unlock`]: facts('up_write') };
}

/** Groups and containers. */
export const group: History['files'] = {
  'drivers/vfio/container.c': {
    '*': [
      { until: '6.0', path: 'drivers/vfio/vfio.c' },
      { until: '6.1', path: 'drivers/vfio/vfio_main.c' },
    ],
    vfio_container_attach_group: [{ until: '6.1', symbol: 'vfio_group_set_container', absent: PART_OF_SET_CONTAINER }],
    ...each(
      [
        'vfio_container_attach_group call down_write',
        'vfio_container_attach_group call list_add',
        'vfio_container_attach_group call up_write',
        'vfio_container_attach_group call vfio_container_get',
        'vfio_container_attach_group name attach_group',
      ],
      { until: '6.1' },
    ),
    'vfio_container_attach_group name type after down_write': [{ until: '5.18', anchor: 'name noiommu' }],
    'vfio_container_attach_group call iommu_group_claim_dma_owner': [{ until: '5.18', anchor: 'name noiommu', absent: DMA_UNOWNED }],
    'vfio_container_attach_group call iommu_group_release_dma_owner': [{ until: '5.18', anchor: 'name unlock_out', absent: DMA_UNOWNED }],
    'vfio_container_attach_group write container': [{ until: '6.1', anchor: 'write container after attach_group' }],
    ...each(
      [
        'vfio_device_unassign_container write container_users after WARN_ON',
        'vfio_group_unuse_container write container_users after WARN_ON',
      ],
      { until: '5.19', anchor: 'name container_users' },
    ),
    'vfio_container_attach_group write container_users': [{ until: '5.19', anchor: 'call atomic_inc' }],
    vfio_container_init: [
      { until: '6.1', symbol: 'vfio_init', anchor: 'call misc_register', absent: 'until 6.1 vfio_init registers /dev/vfio/vfio itself' },
    ],
    vfio_container_ioctl_check_extension: [{ until: '6.1', symbol: 'vfio_ioctl_check_extension' }],
    vfio_device_assign_container: [
      { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'call atomic_inc', absent: OPENED_INLINE },
      { since: '6.2', symbol: 'vfio_group_use_container' },
    ],
    vfio_device_container_register: [
      {
        until: '6.0',
        symbol: 'vfio_register_iommu_notifier',
        absent: 'until 6.0 a driver that pins pages registers a notifier with the backend when its device is opened',
      },
      { until: '6.1', symbol: 'vfio_device_open', absent: 'until 6.1 vfio_device_open calls the backend’s register_device itself' },
    ],
    vfio_device_container_unregister: [
      {
        until: '6.0',
        symbol: 'vfio_unregister_iommu_notifier',
        absent: 'until 6.0 a driver that pins pages takes back its notifier when its device is closed',
      },
      {
        until: '6.1',
        symbol: 'vfio_device_fops_release',
        absent: 'until 6.1 vfio_device_fops_release calls the backend’s unregister_device itself',
      },
    ],
    vfio_device_unassign_container: [
      { until: '5.19', symbol: 'vfio_group_try_dissolve_container' },
      { since: '6.2', symbol: 'vfio_group_unuse_container' },
    ],
    ...locked('vfio_device_unassign_container', 'name container_users', {}, [
      { since: '6.6', path: 'drivers/vfio/group.c', symbol: 'vfio_df_group_close', anchor: 'call mutex_lock', absent: LOCKED_ALL_ALONG },
      {
        since: '6.2',
        path: 'drivers/vfio/group.c',
        symbol: 'vfio_device_group_close',
        anchor: 'call mutex_lock',
        absent: LOCKED_ALL_ALONG,
      },
    ]),
    ...each(['vfio_device_unassign_container call fput', 'vfio_group_unuse_container call fput'], {
      until: '5.19',
      anchor: 'name container_users',
      absent: 'until 5.19 an open device keeps its group by a reference, not by the group’s file',
    }),
    'vfio_fops_release name notify': [
      { until: '5.12', anchor: 'call vfio_container_put', absent: NO_NOTIFY },
      { since: '6.3', anchor: 'call vfio_container_put', absent: NO_NOTIFY },
    ],
    vfio_group_detach_container: [{ until: '6.1', symbol: '__vfio_group_unset_container' }],
    'vfio_group_detach_container call iommu_group_release_dma_owner': [{ until: '5.18', anchor: 'name detach_group', absent: DMA_UNOWNED }],
    'vfio_group_detach_container write container_users after detach_group': [
      {
        until: '5.19',
        anchor: 'write container after detach_group',
        absent: 'until 5.19 the last user is gone before: the group is detached when its count reaches zero',
      },
    ],
    vfio_group_unuse_container: [
      { until: '5.19', symbol: 'vfio_group_try_dissolve_container' },
      { until: '6.2', symbol: 'vfio_device_unassign_container' },
    ],
    vfio_group_use_container: [
      { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'call atomic_inc', absent: OPENED_INLINE },
      { until: '6.2', symbol: 'vfio_device_assign_container' },
    ],
  },
  'drivers/vfio/group.c': {
    '*': [
      { until: '6.0', path: 'drivers/vfio/vfio.c' },
      { until: '6.2', path: 'drivers/vfio/vfio_main.c' },
    ],
    'vfio_create_group call cdev_device_add': [{ until: '5.16', anchor: 'call device_create' }],
    'vfio_create_group call device_create': [{ since: '5.16', anchor: 'call cdev_device_add' }],
    'vfio_create_group call mutex_lock': [
      { since: '6.2', symbol: 'vfio_group_find_or_alloc', anchor: 'call mutex_lock', absent: SEARCHED_UNDER_LOCK },
    ],
    'vfio_create_group call mutex_unlock': [
      { since: '6.2', symbol: 'vfio_group_find_or_alloc', anchor: 'call mutex_unlock', absent: SEARCHED_UNDER_LOCK },
    ],
    vfio_device_block_group: [{ until: '6.6', symbol: 'vfio_group_fops_open', absent: NO_CDEV }],
    'vfio_device_get_from_name call vfio_device_try_get': [
      ...beforeRegistering({ anchor: 'call vfio_device_get', absent: COUNTED_BY_LIST }),
      { since: '6.1', anchor: 'call vfio_device_try_get_registration' },
    ],
    vfio_device_group_get_kvm_safe: [
      { until: '5.19', symbol: 'vfio_group_set_kvm', anchor: 'call blocking_notifier_call_chain', absent: BORROWED_KVM },
      { until: '6.2', symbol: 'vfio_device_open', anchor: 'write kvm', absent: BORROWED_KVM },
      { until: '6.3', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_device_first_open', anchor: 'write kvm', absent: BORROWED_KVM },
    ],
    vfio_device_group_register: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'name device_list', absent: MADE_IN_GROUP }),
      {
        until: '5.16',
        symbol: 'vfio_register_group_dev',
        anchor: 'name device_list',
        absent: 'until 5.16 vfio_register_group_dev puts the device on its group’s list',
      },
      {
        until: '6.2',
        symbol: '__vfio_register_dev',
        anchor: 'name device_list',
        absent: 'until 6.2 __vfio_register_dev puts the device on its group’s list',
      },
    ],
    vfio_device_group_unregister: [
      ...beforeRegistering({ symbol: 'vfio_device_release', anchor: 'call list_del', absent: UNLISTED_LAST }),
      {
        until: '6.2',
        symbol: 'vfio_unregister_group_dev',
        anchor: 'call list_del after wait_for_completion_timeout',
        absent: UNLISTED_LAST,
      },
    ],
    vfio_device_group_unuse_iommu: [
      { until: '5.19', symbol: 'vfio_device_fops_release', anchor: 'call vfio_group_try_dissolve_container', absent: CLOSED_INLINE },
      { until: '6.2', symbol: 'vfio_device_fops_release', anchor: 'call vfio_device_unassign_container', absent: CLOSED_INLINE },
    ],
    vfio_device_group_use_iommu: [
      { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'call atomic_inc', absent: OPENED_INLINE },
      {
        until: '6.2',
        symbol: 'vfio_device_open',
        anchor: 'call vfio_device_assign_container',
        absent: 'until 6.2 vfio_device_open takes the container’s reference itself',
      },
    ],
    vfio_device_open_file: [
      { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'call anon_inode_getfile', absent: OPENED_INLINE },
      { until: '6.2', symbol: 'vfio_device_open' },
    ],
    'vfio_device_open_file call anon_inode_getfile': [{ since: '6.18', anchor: 'call anon_inode_getfile_fmode' }],
    vfio_device_remove_group: [
      { until: '5.16', symbol: 'vfio_group_release', anchor: 'call list_del after kfree', absent: GONE_WITH_LAST_REFERENCE },
      { until: '6.1', symbol: 'vfio_group_put', anchor: 'call refcount_dec_and_mutex_lock', absent: GONE_WITH_LAST_REFERENCE },
    ],
    'vfio_device_remove_group call cdev_device_del': [
      { until: '5.16', symbol: 'vfio_group_release', anchor: 'call device_destroy' },
      { until: '6.1', symbol: 'vfio_group_put' },
    ],
    'vfio_device_remove_group call iommu_group_put': [{ until: '5.16', symbol: 'vfio_group_release' }],
    'vfio_device_remove_group call list_del': [
      { until: '5.16', symbol: 'vfio_group_release', anchor: 'call list_del after kfree' },
      { until: '6.1', symbol: 'vfio_group_put' },
    ],
    vfio_device_set_group: [
      ...beforeRegistering({ symbol: 'vfio_group_create_device', anchor: 'write group', absent: FINDS_ITS_GROUP }),
      { until: '5.16', symbol: 'vfio_register_group_dev', anchor: 'write group after EBUSY', absent: FINDS_ITS_GROUP },
      {
        until: '6.2',
        symbol: '__vfio_register_dev',
        anchor: 'write group',
        absent: 'until 6.2 the callers of __vfio_register_dev find the group',
      },
    ],
    vfio_device_unblock_group: [{ until: '6.6', symbol: 'vfio_group_fops_release', absent: NO_CDEV }],
    vfio_df_group_close: [...CLOSED_BY_RELEASE, { until: '6.6', symbol: 'vfio_device_group_close' }],
    'vfio_df_group_open call smp_store_release': [{ since: '6.2', until: '6.6', anchor: 'call mutex_unlock', absent: NO_CHECK_OF_ACCESS }],
    'vfio_df_group_close call mutex_lock after mutex_lock': [
      { since: '6.2', until: '6.3', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_device_close', anchor: 'call mutex_lock' },
    ],
    'vfio_df_group_close call mutex_unlock after mutex_unlock': [{ since: '6.2', until: '6.3', anchor: 'call mutex_unlock' }],
    'vfio_df_group_close name open_count': [{ since: '6.2', until: '6.3', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_device_close' }],
    vfio_df_group_open: [
      ...OPENED_BY_IOCTL,
      {
        until: '6.2',
        symbol: 'vfio_device_open',
        anchor: 'write open_count',
        absent: 'until 6.2 vfio_device_open takes the locks, opens the device and makes its file',
      },
      { until: '6.6', symbol: 'vfio_device_group_open' },
    ],
    vfio_group_alloc: [
      {
        until: '5.16',
        symbol: 'vfio_create_group',
        anchor: 'call kzalloc',
        absent: 'until 5.16 vfio_create_group allocates the group itself',
      },
    ],
    vfio_group_enforced_coherent: [
      {
        until: '5.19',
        symbol: 'vfio_external_check_extension',
        absent: 'until 5.19 KVM asks the container’s backend for VFIO_DMA_CC_IOMMU, with vfio_external_check_extension',
      },
      {
        until: '6.6',
        symbol: 'vfio_file_enforced_coherent',
        absent: 'until 6.6 vfio_file_enforced_coherent asks the container’s backend, or the devices, itself',
      },
    ],
    vfio_group_find_or_alloc: [
      ...beforeRegistering({ symbol: 'vfio_add_group_dev', anchor: 'call vfio_group_get_from_iommu', absent: FINDS_ITS_GROUP }),
      { until: '5.16', symbol: 'vfio_register_group_dev', anchor: 'call vfio_group_get_from_iommu', absent: FINDS_ITS_GROUP },
    ],
    'vfio_group_find_or_alloc call device_iommu_capable': [
      { since: '5.19', until: '6.0', anchor: 'call iommu_capable' },
      { since: '6.6', path: 'drivers/vfio/vfio_main.c', symbol: '__vfio_register_dev' },
    ],
    ...each(
      [
        'vfio_group_find_or_alloc call iommu_group_get',
        'vfio_group_find_or_alloc call iommu_group_put',
        'vfio_group_find_or_alloc call iommu_group_put after vfio_create_group',
        'vfio_group_find_or_alloc call vfio_create_group',
      ],
      ...beforeRegistering({}),
      { until: '5.16', symbol: 'vfio_register_group_dev' },
    ),
    'vfio_group_find_or_alloc call vfio_group_find_from_iommu': [{ until: '6.2', anchor: 'call vfio_group_get_from_iommu' }],
    'vfio_group_find_or_alloc call mutex_lock': [
      { until: '6.2', symbol: 'vfio_group_get_from_iommu', anchor: 'call mutex_lock', absent: SEARCHED_APART },
    ],
    'vfio_group_find_or_alloc call mutex_unlock': [
      { until: '6.2', symbol: 'vfio_group_get_from_iommu', anchor: 'call mutex_unlock', absent: SEARCHED_APART },
    ],
    'vfio_group_fops_open call atomic_cmpxchg': [
      { since: '5.19', anchor: 'name opened_file', absent: 'since 5.19 the file that has the group open keeps a second one out' },
    ],
    'vfio_group_fops_open name drivers': [
      {
        until: '5.16',
        anchor: 'call vfio_group_get_from_minor',
        absent: 'until 5.16 a group is found by its minor number, with a reference that keeps it',
      },
      { until: '6.1', anchor: 'name users' },
    ],
    'vfio_group_fops_open name opened_file': [{ until: '5.19', anchor: 'name opened' }],
    ...locked('vfio_group_fops_open', 'call atomic_cmpxchg'),
    ...locked('vfio_group_fops_release', 'call atomic_dec'),
    ...each(['vfio_group_fops_release name container', 'vfio_group_fops_release call vfio_group_detach_container'], {
      until: '5.19',
      anchor: 'call vfio_group_try_dissolve_container',
    }),
    'vfio_group_fops_release write opened_file': [{ until: '5.19', anchor: 'name opened' }],
    vfio_group_get_device_fd: [{ since: '6.1', symbol: 'vfio_group_ioctl_get_device_fd' }],
    'vfio_group_get_device_fd call anon_inode_getfile': [
      { since: '5.19', until: '6.2', symbol: 'vfio_device_open' },
      { since: '6.2', until: '6.18', symbol: 'vfio_device_open_file' },
      { since: '6.18', symbol: 'vfio_device_open_file', anchor: 'call anon_inode_getfile_fmode' },
    ],
    'vfio_group_get_device_fd call vfio_group_viable': [{ since: '5.18', anchor: 'call vfio_device_get_from_name', absent: DMA_OWNED }],
    'vfio_group_get_device_fd name open': [
      { since: '5.15', until: '5.19', anchor: 'name open_device' },
      { since: '5.19', until: '6.2', symbol: 'vfio_device_open', anchor: 'name open_device' },
      { since: '6.2', until: '6.6', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_device_first_open', anchor: 'name open_device' },
      { since: '6.6', path: 'drivers/vfio/vfio_main.c', symbol: 'vfio_df_device_first_open', anchor: 'name open_device' },
    ],
    vfio_group_get_from_iommu: [{ since: '6.2', symbol: 'vfio_group_find_from_iommu' }],
    'vfio_group_get_from_iommu call __vfio_group_get_from_iommu': [
      { until: '5.16', anchor: 'name group_list' },
      { since: '6.2', anchor: 'name group_list' },
    ],
    'vfio_group_get_from_iommu call mutex_lock': [
      { since: '6.2', symbol: 'vfio_group_find_or_alloc', anchor: 'call mutex_lock', absent: SEARCHED_UNDER_LOCK },
    ],
    'vfio_group_get_from_iommu call mutex_unlock': [
      { since: '6.2', symbol: 'vfio_group_find_or_alloc', anchor: 'call mutex_unlock', absent: SEARCHED_UNDER_LOCK },
    ],
    'vfio_group_init call vfio_container_init': [
      { until: '6.1', symbol: 'vfio_init', anchor: 'call misc_register', absent: 'until 6.1 vfio_init registers /dev/vfio/vfio itself' },
      { until: '6.2', symbol: 'vfio_init' },
    ],
    vfio_group_init: [
      { until: '6.2', symbol: 'vfio_init', anchor: 'call alloc_chrdev_region', absent: 'until 6.2 vfio_init makes /dev/vfio itself' },
    ],
    vfio_group_ioctl_get_device_fd: [{ until: '6.1', symbol: 'vfio_group_get_device_fd' }],
    'vfio_group_ioctl_get_device_fd call fd_install': [{ since: '6.19', anchor: 'call FD_ADD' }],
    vfio_group_ioctl_get_status: [
      {
        until: '6.1',
        symbol: 'vfio_group_fops_unl_ioctl',
        anchor: 'name VFIO_GROUP_GET_STATUS',
        absent: 'until 6.1 vfio_group_fops_unl_ioctl answers VFIO_GROUP_GET_STATUS itself',
      },
    ],
    'vfio_group_ioctl_get_status name container': [
      { since: '6.2', anchor: 'name vfio_group_has_iommu', absent: 'since 6.2 an iommufd counts as a container does' },
    ],
    'vfio_group_ioctl_get_status name vfio_group_has_iommu': [
      { since: '6.1', until: '6.2', anchor: 'name container', absent: 'until 6.2 only a container counts' },
    ],
    vfio_group_ioctl_set_container: [{ until: '6.1', symbol: 'vfio_group_set_container' }],
    ...locked('vfio_group_ioctl_set_container', 'call atomic_read', {
      symbol: 'vfio_group_fops_unl_ioctl',
      after: 'VFIO_GROUP_SET_CONTAINER',
    }),
    'vfio_group_ioctl_set_container call vfio_container_attach_group': [
      { until: '6.1', anchor: 'call list_add', absent: PART_OF_SET_CONTAINER },
    ],
    'vfio_group_ioctl_set_container call vfio_container_from_file': [
      {
        until: '6.1',
        anchor: 'name vfio_fops',
        absent: 'until 6.1 vfio_group_set_container tells by its operations itself whether the file is a container',
      },
    ],
    vfio_group_ioctl_unset_container: [{ until: '6.1', symbol: 'vfio_group_unset_container' }],
    ...locked('vfio_group_ioctl_unset_container', 'call atomic_cmpxchg', {
      symbol: 'vfio_group_fops_unl_ioctl',
      after: 'VFIO_GROUP_UNSET_CONTAINER',
    }),
    'vfio_group_ioctl_unset_container name container': [{ until: '5.19', anchor: 'name container_users' }],
    vfio_group_set_kvm: [
      {
        since: '5.19',
        until: '6.6',
        symbol: 'vfio_file_set_kvm',
        anchor: 'write kvm',
        absent: 'from 5.19 to 6.5 vfio_file_set_kvm writes the group’s kvm itself',
      },
    ],
    ...each(
      [
        'vfio_noiommu_group_alloc call iommu_group_add_device',
        'vfio_noiommu_group_alloc call iommu_group_put',
        'vfio_noiommu_group_alloc call iommu_group_set_name',
      ],
      { until: '5.16', symbol: 'vfio_iommu_group_get' },
    ),
    ...each(['vfio_noiommu_group_alloc call mutex_lock', 'vfio_noiommu_group_alloc call mutex_unlock'], {
      since: '5.16',
      until: '6.2',
      anchor: 'call vfio_create_group',
      absent: 'until 6.2 vfio_create_group takes vfio.group_lock itself',
    }),
    vfio_noiommu_group_alloc: [
      {
        until: '5.16',
        symbol: 'vfio_iommu_group_get',
        anchor: 'call iommu_group_alloc',
        absent:
          'until 5.16 VFIO makes up a group only where there is no IOMMU at all, in vfio_iommu_group_get; mediated devices get theirs from mdev',
      },
    ],
  },
};
