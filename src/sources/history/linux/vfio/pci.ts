import type { History } from '../../../history';
import { before, from } from '../../backports';
import { each } from '../../each';
import { beforeRegistering, NO_DEVICE_IN_MEMORY } from './absences';

const NO_RUNTIME_PM = 'until 5.19 vfio-pci puts an unused device into D3hot by itself, with vfio_pci_set_power_state';
const NOT_WOKEN = 'before 5.18 and 5.15.y a device is not woken before it is taken out of use';
const NO_DYNAMIC_MSIX = 'until 6.5 all vectors are allocated together, with a context each, when the device is switched to messages';
const ONE_IOCTL = 'until 6.1 the ioctls of a device are branches of one function';
const ONE_MODULE = 'until 5.15 vfio-pci is one module, and its driver does this itself';
const NOT_KEPT_AWAKE =
  'until 7.1, and late releases of 6.1 and 6.12, a user may put a physical function to sleep while it has virtual ones';
const NO_SRIOV_LIST = 'until 5.18 a virtual function’s physical one is looked up whenever it matters, by get_pf_vdev';
const UNDER_IGATE = 'until 6.19, and in stable releases until December 2025, the eventfd is exchanged under igate, and signalled under it';
const UNDER_RCU =
  'since 6.19, and in stable releases since December 2025, the eventfd is read under RCU: whoever signals it need not wait for igate';
const ALL_MESSAGES_AT_ONCE =
  'until 6.4, and in 6.1 for a while, vfio_msi_set_block takes the listeners from all messages, given no eventfds';
const MASKED_LAZILY = 'until 6.18, and late releases of 6.12, an exclusive line is masked lazily: only when it is asserted again';
const NOT_UNDER_IGATE = 'until 6.9, and stable releases of April 2024, the guest’s DisINTx masks and unmasks without igate';
const TOKEN_APART = 'since 6.17 user space may give the token apart from the name too: the driver’s match_token_uuid takes both';
const ONE_PAGE_SIZE = 'until 6.12 there is one handler of faults, for pages of one size';

const VF_TOKEN_INLINE =
  'until 5.13, and stable releases of May 2021, vfio_pci_probe makes the token for virtual functions itself, and vfio_pci_remove frees it';

/** When the eventfds of errors and requests came under RCU: the release, and the stable releases. */
const RCU = ['6.18.2', ['6.12.63']] as const;
/** When what concerns virtual functions became functions of its own: 5.13, and the stable releases of May 2021. */
const VF_INIT = ['5.12.4', ['5.10.37', '5.11.21']] as const;
/** When a device came to be woken before it is reset. */
const WOKEN = ['5.18', ['5.15']] as const;
/** When INTx came to be enabled together with its eventfd, and masked under igate: 6.9, and stable releases of April 2024. */
const INTX_LOCKS = ['6.8.3', ['5.10.215', '5.15.154', '6.1.84', '6.6.24', '6.7.12']] as const;
const INTX_SIGNAL_APART = before(...INTX_LOCKS, { symbol: 'vfio_intx_set_signal' });

/** `drivers/vfio/pci`. */
export const pci: History['files'] = {
  'drivers/vfio/pci/vfio_pci.c': {
    'vfio_pci_init call vfio_pci_core_set_params': [
      { until: '5.15', anchor: 'call vfio_pci_fill_ids', absent: ONE_MODULE },
      { since: '7.3', symbol: 'vfio_pci_init_dev', anchor: 'name nointxmask' },
    ],
    vfio_pci_open_device: [{ until: '5.15', symbol: 'vfio_pci_open' }],
    'vfio_pci_ops name vfio_pci_core_init_dev': [{ since: '7.3', anchor: 'name vfio_pci_init_dev' }],
    'vfio_pci_probe call dev_set_drvdata': [
      ...beforeRegistering({ path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_create_device' }),
      { until: '5.13', path: 'drivers/vfio/vfio.c', symbol: 'vfio_add_group_dev' },
    ],
    'vfio_pci_probe call vfio_alloc_device': [{ until: '6.1', anchor: 'call kzalloc', absent: NO_DEVICE_IN_MEMORY }],
    'vfio_pci_probe call vfio_pci_core_register_device': [
      { until: '5.13', anchor: 'call vfio_add_group_dev', absent: ONE_MODULE },
      { until: '5.15', anchor: 'call vfio_register_group_dev', absent: ONE_MODULE },
    ],
    'vfio_pci_remove call vfio_pci_core_unregister_device': [
      { until: '5.13', anchor: 'call vfio_del_group_dev', absent: ONE_MODULE },
      { until: '5.15', anchor: 'call vfio_unregister_group_dev', absent: ONE_MODULE },
    ],
    'vfio_pci_remove call vfio_put_device': [
      { until: '5.15', anchor: 'call kfree after pm_save', absent: NO_DEVICE_IN_MEMORY },
      { until: '6.1', anchor: 'call kfree', absent: NO_DEVICE_IN_MEMORY },
    ],
    'vfio_pci_sriov_configure call vfio_pci_core_sriov_configure': [{ until: '5.15', anchor: 'call pci_enable_sriov', absent: ONE_MODULE }],
  },
  'drivers/vfio/pci/vfio_pci_config.c': {
    vfio_config_do_rw: [{ since: '7.1', symbol: 'vfio_pci_config_rw_single' }],
    'vfio_msi_config_write name irq_type': [
      { until: '6.1', anchor: 'name is_msi', absent: 'until 6.1 the macro is_msi looks at irq_type' },
    ],
  },
  'drivers/vfio/pci/vfio_pci_core.c': {
    '*': [{ until: '5.15', path: 'drivers/vfio/pci/vfio_pci.c' }],
    'vfio_pci_bus_notifier call device_set_driver_override': before('7.1', ['6.12'], { anchor: 'name driver_override' }),
    'vfio_pci_bus_notifier name driver_override': from('7.1', ['6.12'], { anchor: 'call device_set_driver_override' }),
    vfio_pci_core_close_device: [{ until: '5.15', symbol: 'vfio_pci_release' }],
    'vfio_pci_core_close_device call eventfd_ctx_put': from(...RCU, { anchor: 'call vfio_pci_eventfd_replace_locked' }),
    'vfio_pci_core_close_device call vfio_pci_eventfd_replace_locked': before(...RCU, {
      anchor: 'call eventfd_ctx_put',
      absent: UNDER_IGATE,
    }),
    'vfio_pci_core_close_device name sriov_pf_core_dev': before('5.18', ['5.15'], { anchor: 'call vfio_pci_vf_token_user_add' }),
    'vfio_pci_core_close_device write users after mutex_lock': before('5.18', ['5.15'], {
      symbol: 'vfio_pci_vf_token_user_add',
      anchor: 'write users',
    }),
    vfio_pci_core_disable: [{ until: '5.15', symbol: 'vfio_pci_disable' }],
    'vfio_pci_core_disable call pm_runtime_put': [
      ...before(...WOKEN, { anchor: 'call vfio_pci_set_power_state', absent: NO_RUNTIME_PM }),
      { until: '5.19', anchor: 'call vfio_pci_set_power_state after PCI_D0', absent: NO_RUNTIME_PM },
    ],
    'vfio_pci_core_disable call pm_runtime_resume': [
      ...before(...WOKEN, { anchor: 'call pci_clear_master', absent: NOT_WOKEN }),
      { until: '6.1', anchor: 'call vfio_pci_set_power_state', absent: 'until 6.1 a device that is open does not sleep' },
    ],
    'vfio_pci_core_disable call vfio_pci_set_power_state': before(...WOKEN, { anchor: 'call pci_clear_master', absent: NOT_WOKEN }),
    vfio_pci_core_enable: [{ until: '5.15', symbol: 'vfio_pci_enable' }],
    'vfio_pci_core_enable call pm_runtime_resume_and_get': [
      { until: '5.19', anchor: 'call vfio_pci_set_power_state', absent: NO_RUNTIME_PM },
    ],
    vfio_pci_core_finish_enable: [{ until: '5.15', symbol: 'vfio_pci_enable', anchor: 'call vfio_pci_probe_mmaps', absent: ONE_MODULE }],
    'vfio_pci_core_finish_enable name sriov_pf_core_dev': [
      { until: '5.15', symbol: 'vfio_pci_open', anchor: 'call vfio_pci_vf_token_user_add' },
      { since: '5.16', until: '5.18', anchor: 'call vfio_pci_vf_token_user_add' },
    ],
    'vfio_pci_core_finish_enable name users': before('5.18', ['5.15'], { symbol: 'vfio_pci_vf_token_user_add' }),
    vfio_pci_core_init: [{ until: '5.15', symbol: 'vfio_pci_init', anchor: 'call vfio_pci_init_perm_bits', absent: ONE_MODULE }],
    vfio_pci_core_init_dev: [
      { until: '5.15', symbol: 'vfio_pci_probe', anchor: 'write irq_type', absent: ONE_MODULE },
      { until: '6.1', symbol: 'vfio_pci_core_init_device' },
    ],
    vfio_pci_core_ioctl: [{ until: '5.15', symbol: 'vfio_pci_ioctl' }],
    'vfio_pci_core_ioctl call vfio_pci_ioctl_get_region_info': [
      {
        since: '6.19',
        path: 'drivers/vfio/vfio_main.c',
        symbol: 'vfio_get_region_info',
        anchor: 'call get_region_info_caps',
        absent: 'since 6.19 the VFIO core takes VFIO_DEVICE_GET_REGION_INFO itself, and calls the driver’s get_region_info_caps',
      },
    ],
    vfio_pci_core_match: [{ until: '5.15', symbol: 'vfio_pci_match' }],
    'vfio_pci_core_match call vfio_pci_validate_vf_token': [{ since: '6.17', anchor: 'name match_token_uuid', absent: TOKEN_APART }],
    vfio_pci_core_mmap: [{ until: '5.15', symbol: 'vfio_pci_mmap' }],
    vfio_pci_core_pm_ops: [{ until: '5.19', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_driver', absent: NO_RUNTIME_PM }],
    vfio_pci_core_read: [{ until: '5.15', symbol: 'vfio_pci_read' }],
    vfio_pci_core_register_device: [{ until: '5.15', symbol: 'vfio_pci_probe', absent: ONE_MODULE }],
    'vfio_pci_core_register_device call vfio_assign_device_set': [{ until: '5.15', anchor: 'call vfio_pci_reflck_attach' }],
    ...each(['vfio_pci_core_register_device call pci_num_vf', 'vfio_pci_core_register_device call vfio_pci_set_power_state'], {
      until: '5.15',
    }),
    'vfio_pci_core_register_device call vfio_pci_vf_init': [
      ...before(...VF_INIT, { anchor: 'name is_physfn', absent: VF_TOKEN_INLINE }),
      { until: '5.15' },
    ],
    ...each(
      [
        'vfio_pci_core_register_device call pm_runtime_allow',
        'vfio_pci_core_register_device call pm_runtime_put',
        'vfio_pci_core_register_device name pm',
      ],
      { until: '5.19', anchor: 'name disable_idle_d3', absent: NO_RUNTIME_PM },
    ),
    'vfio_pci_core_register_device call vfio_register_group_dev': [{ until: '5.13', anchor: 'call vfio_add_group_dev' }],
    vfio_pci_core_release_dev: [
      { until: '5.15', symbol: 'vfio_pci_remove', anchor: 'call mutex_destroy after vfio_iommu_group_put', absent: ONE_MODULE },
      { until: '6.1', symbol: 'vfio_pci_core_uninit_device' },
    ],
    'vfio_pci_core_release_dev call vfio_free_device': [
      { until: '5.15', anchor: 'call kfree after pm_save', absent: NO_DEVICE_IN_MEMORY },
      { until: '6.1', anchor: 'call kfree', absent: NO_DEVICE_IN_MEMORY },
      {
        since: '6.2',
        path: 'drivers/vfio/vfio_main.c',
        symbol: 'vfio_device_release',
        anchor: 'call kvfree',
        absent: 'since 6.2 the core frees the device, in vfio_device_release',
      },
    ],
    vfio_pci_core_request: [{ until: '5.15', symbol: 'vfio_pci_request' }],
    'vfio_pci_core_request call mutex_lock': from(...RCU, { anchor: 'call rcu_read_lock', absent: UNDER_RCU }),
    'vfio_pci_core_request call mutex_unlock': from(...RCU, { anchor: 'call rcu_read_unlock', absent: UNDER_RCU }),
    vfio_pci_core_runtime_resume: [
      { until: '5.15', symbol: 'vfio_pci_enable', anchor: 'call vfio_pci_set_power_state', absent: NO_RUNTIME_PM },
      { until: '6.1', symbol: 'vfio_pci_core_enable', absent: NO_RUNTIME_PM },
    ],
    vfio_pci_core_runtime_suspend: [
      { until: '5.15', symbol: 'vfio_pci_disable', anchor: 'call vfio_pci_set_power_state', absent: NO_RUNTIME_PM },
      { until: '6.1', symbol: 'vfio_pci_core_disable', absent: NO_RUNTIME_PM },
    ],
    vfio_pci_core_set_params: [
      {
        until: '5.15',
        symbol: 'vfio_pci_enable',
        anchor: 'name nointxmask',
        absent: 'until 5.15 vfio-pci is one module, and reads its parameters where it needs them',
      },
      { since: '7.3', path: 'drivers/vfio/pci/vfio_pci.c', symbol: 'vfio_pci_init_dev' },
    ],
    vfio_pci_core_sriov_configure: [{ until: '5.15', symbol: 'vfio_pci_sriov_configure' }],
    'vfio_pci_core_sriov_configure call device_lock_assert': before('5.18', ['5.15'], {
      anchor: 'call vfio_device_get_from_dev',
      absent: NO_SRIOV_LIST,
    }),
    'vfio_pci_core_sriov_configure call list_del_init': [{ until: '5.18', anchor: 'call pci_disable_sriov', absent: NO_SRIOV_LIST }],
    ...each(['vfio_pci_core_sriov_configure call pm_runtime_put', 'vfio_pci_core_sriov_configure call pm_runtime_resume_and_get'], {
      until: '5.19',
      anchor: 'call pci_enable_sriov',
      absent: 'until 5.19 nothing keeps a physical function awake because it has virtual ones',
    }),
    'vfio_pci_core_sriov_configure call vfio_pci_set_power_state': [
      { until: '6.1', anchor: 'call pci_enable_sriov', absent: NOT_KEPT_AWAKE },
    ],
    'vfio_pci_core_sriov_configure write sriov_active': before('7.1', ['6.1', '6.12'], {
      anchor: 'call pci_enable_sriov',
      absent: NOT_KEPT_AWAKE,
    }),
    'vfio_pci_core_sriov_configure name sriov_pfs_item': [{ until: '5.18', anchor: 'call pci_enable_sriov', absent: NO_SRIOV_LIST }],
    vfio_pci_core_unregister_device: [{ until: '5.15', symbol: 'vfio_pci_remove', absent: ONE_MODULE }],
    'vfio_pci_core_unregister_device call vfio_pci_vf_uninit': [
      ...before(...VF_INIT, { anchor: 'name vf_token', absent: VF_TOKEN_INLINE }),
      { until: '5.15' },
    ],
    ...each(['vfio_pci_core_unregister_device call pm_runtime_forbid', 'vfio_pci_core_unregister_device call pm_runtime_get_noresume'], {
      until: '5.19',
      anchor: 'call vfio_pci_set_power_state',
      absent: NO_RUNTIME_PM,
    }),
    'vfio_pci_core_unregister_device call vfio_pci_core_sriov_configure': before('5.18', ['5.15'], {
      anchor: 'call pci_disable_sriov',
      absent: NO_SRIOV_LIST,
    }),
    'vfio_pci_core_unregister_device call vfio_unregister_group_dev': [{ until: '5.13', anchor: 'call vfio_del_group_dev' }],
    vfio_pci_core_write: [{ until: '5.15', symbol: 'vfio_pci_write' }],
    vfio_pci_dev_set_try_reset: [{ until: '5.15', symbol: 'vfio_pci_try_bus_reset' }],
    'vfio_pci_dev_set_try_reset call vfio_pci_dev_set_needs_reset': [{ until: '5.15', anchor: 'name needs_reset' }],
    vfio_pci_eventfd_replace_locked: before(...RCU, {
      path: 'drivers/vfio/pci/vfio_pci_intrs.c',
      symbol: 'vfio_pci_set_ctx_trigger_single',
      anchor: 'name ctx',
      absent: UNDER_IGATE,
    }),
    vfio_pci_ioctl_get_info: [
      { until: '5.15', symbol: 'vfio_pci_ioctl', anchor: 'name VFIO_DEVICE_GET_INFO', absent: ONE_IOCTL },
      { until: '6.1', symbol: 'vfio_pci_core_ioctl', anchor: 'name VFIO_DEVICE_GET_INFO', absent: ONE_IOCTL },
    ],
    vfio_pci_ioctl_get_irq_info: [
      { until: '5.15', symbol: 'vfio_pci_ioctl', anchor: 'name VFIO_DEVICE_GET_IRQ_INFO', absent: ONE_IOCTL },
      { until: '6.1', symbol: 'vfio_pci_core_ioctl', anchor: 'name VFIO_DEVICE_GET_IRQ_INFO', absent: ONE_IOCTL },
    ],
    vfio_pci_ioctl_get_region_info: [
      { until: '5.15', symbol: 'vfio_pci_ioctl', anchor: 'name VFIO_DEVICE_GET_REGION_INFO', absent: ONE_IOCTL },
      { until: '6.1', symbol: 'vfio_pci_core_ioctl', anchor: 'name VFIO_DEVICE_GET_REGION_INFO', absent: ONE_IOCTL },
    ],
    vfio_pci_ioctl_set_irqs: [
      { until: '5.15', symbol: 'vfio_pci_ioctl', anchor: 'name VFIO_DEVICE_SET_IRQS', absent: ONE_IOCTL },
      { until: '6.1', symbol: 'vfio_pci_core_ioctl', anchor: 'name VFIO_DEVICE_SET_IRQS', absent: ONE_IOCTL },
    ],
    ...Object.fromEntries(
      ['mutex_lock', 'mutex_unlock', 'vfio_pci_get_irq_count', 'vfio_pci_set_irqs_ioctl', 'vfio_set_irqs_validate_and_prepare'].map(
        (called) => [
          `vfio_pci_ioctl_set_irqs call ${called}`,
          [
            { until: '5.15', symbol: 'vfio_pci_ioctl', anchor: `call ${called} after VFIO_DEVICE_SET_IRQS`, absent: ONE_IOCTL },
            { until: '6.1', symbol: 'vfio_pci_core_ioctl', anchor: `call ${called} after VFIO_DEVICE_SET_IRQS`, absent: ONE_IOCTL },
          ],
        ],
      ),
    ),
    vfio_pci_mmap_fault: [{ since: '6.12', symbol: 'vfio_pci_mmap_huge_fault' }],
    'vfio_pci_mmap_fault call io_remap_pfn_range': [
      { since: '6.10', until: '6.19', anchor: 'call vmf_insert_pfn' },
      { since: '6.19', symbol: 'vfio_pci_vmf_insert_pfn', anchor: 'call vmf_insert_pfn' },
    ],
    vfio_pci_mmap_huge_fault: [{ until: '6.12', symbol: 'vfio_pci_mmap_fault' }],
    'vfio_pci_mmap_huge_fault call vmf_insert_pfn': [
      { until: '6.10', anchor: 'call io_remap_pfn_range' },
      { since: '6.19', symbol: 'vfio_pci_vmf_insert_pfn' },
    ],
    ...each(['vfio_pci_mmap_fault call __vfio_pci_memory_enabled', 'vfio_pci_mmap_huge_fault call __vfio_pci_memory_enabled'], {
      since: '6.19',
      symbol: 'vfio_pci_vmf_insert_pfn',
    }),
    ...each(
      [
        'vfio_pci_mmap_fault call down_read',
        'vfio_pci_mmap_fault call up_read',
        'vfio_pci_mmap_huge_fault call down_read',
        'vfio_pci_mmap_huge_fault call up_read',
      ],
      { since: '6.19', symbol: 'vfio_pci_mmap_huge_fault', anchor: 'name rwsem_read' },
    ),
    vfio_pci_mmap_page_fault: [{ until: '6.12', symbol: 'vfio_pci_mmap_fault', absent: ONE_PAGE_SIZE }],
    vfio_pci_validate_vf_token: [{ since: '6.17', symbol: 'vfio_pci_core_match_token_uuid' }],
    'vfio_pci_validate_vf_token name is_virtfn': [{ until: '5.15', anchor: 'name is_virtfn after is_virtfn' }],
    vfio_pci_vf_init: before(...VF_INIT, { symbol: 'vfio_pci_probe', anchor: 'name is_physfn', absent: VF_TOKEN_INLINE }),
    ...each(
      ['vfio_pci_vf_init call bus_register_notifier', 'vfio_pci_vf_init call uuid_gen', 'vfio_pci_vf_init name vfio_pci_bus_notifier'],
      ...before(...VF_INIT, {}),
    ),
    'vfio_pci_vf_init name is_virtfn': [{ until: '5.18', anchor: 'name is_physfn', absent: NO_SRIOV_LIST }],
    'vfio_pci_vf_init name sriov_pf_core_dev': [{ until: '5.18', anchor: 'name is_physfn', absent: NO_SRIOV_LIST }],
    vfio_pci_vf_uninit: before(...VF_INIT, { symbol: 'vfio_pci_remove', anchor: 'name vf_token', absent: VF_TOKEN_INLINE }),
    'vfio_pci_vf_uninit call bus_unregister_notifier': before(...VF_INIT, {}),
    'vfio_pci_zap_and_down_write_memory_lock call vfio_pci_zap_and_vma_lock': [{ since: '6.10', anchor: 'call vfio_pci_zap_bars' }],
    'vfio_pci_zap_and_down_write_memory_lock call vfio_pci_zap_bars': [{ until: '6.10', anchor: 'call vfio_pci_zap_and_vma_lock' }],
  },
  'drivers/vfio/pci/vfio_pci_intrs.c': {
    __vfio_pci_intx_mask: before(...INTX_LOCKS, { symbol: 'vfio_pci_intx_mask' }),
    __vfio_pci_intx_unmask: before(...INTX_LOCKS, { symbol: 'vfio_pci_intx_unmask' }),
    ...each(
      ['vfio_intx_disable call eventfd_ctx_put', 'vfio_intx_disable call free_irq', 'vfio_intx_disable write trigger'],
      ...INTX_SIGNAL_APART,
    ),
    'vfio_intx_enable call irq_set_status_flags': [
      ...before(...INTX_LOCKS, { symbol: 'vfio_intx_set_signal', anchor: 'name pci_2_3', absent: MASKED_LAZILY }),
      ...before('6.18', ['6.12'], { anchor: 'name IRQF_NO_AUTOEN', absent: MASKED_LAZILY }),
    ],
    'vfio_intx_enable call request_irq': INTX_SIGNAL_APART,
    'vfio_intx_enable name vfio_intx_handler': INTX_SIGNAL_APART,
    'vfio_intx_enable write trigger': before(...INTX_LOCKS, {
      symbol: 'vfio_intx_set_signal',
      anchor: 'write trigger after eventfd_ctx_fdget',
    }),
    vfio_irq_ctx_alloc: [{ until: '6.5', symbol: 'vfio_msi_enable', anchor: 'call kcalloc', absent: NO_DYNAMIC_MSIX }],
    vfio_irq_ctx_free: [{ until: '6.5', symbol: 'vfio_msi_disable', anchor: 'call kfree', absent: NO_DYNAMIC_MSIX }],
    vfio_msi_alloc_irq: [{ until: '6.5', symbol: 'vfio_msi_set_vector_signal', anchor: 'call pci_irq_vector', absent: NO_DYNAMIC_MSIX }],
    'vfio_msi_disable call vfio_msi_set_vector_signal': before('6.5', ['6.1'], {
      anchor: 'call vfio_msi_set_block',
      absent: ALL_MESSAGES_AT_ONCE,
    }),
    'vfio_msi_set_vector_signal call vfio_irq_ctx_alloc': [{ until: '6.5', anchor: 'write name', absent: NO_DYNAMIC_MSIX }],
    'vfio_msi_set_vector_signal call vfio_irq_ctx_free': [{ until: '6.5', anchor: 'write trigger', absent: NO_DYNAMIC_MSIX }],
    'vfio_msi_set_vector_signal write trigger after eventfd_ctx_put': [
      { since: '6.5', anchor: 'call vfio_irq_ctx_free', absent: 'since 6.5 a message without a listener has no context either' },
    ],
    'vfio_msi_set_vector_signal write token after vfio_pci_memory_unlock_and_restore': [
      {
        since: '6.17',
        anchor: 'call irq_bypass_register_producer',
        absent: 'since 6.17 the producer’s eventfd is an argument of irq_bypass_register_producer',
      },
    ],
    ...each(
      ['vfio_pci_intx_mask call __vfio_pci_intx_mask', 'vfio_pci_intx_mask call mutex_lock', 'vfio_pci_intx_mask call mutex_unlock'],
      ...before(...INTX_LOCKS, { anchor: 'call spin_lock_irqsave', absent: NOT_UNDER_IGATE }),
    ),
    ...each(
      [
        'vfio_pci_intx_unmask call __vfio_pci_intx_unmask',
        'vfio_pci_intx_unmask call mutex_lock',
        'vfio_pci_intx_unmask call mutex_unlock',
      ],
      ...before(...INTX_LOCKS, { anchor: 'call vfio_pci_intx_unmask_handler', absent: NOT_UNDER_IGATE }),
    ),
    'vfio_pci_set_ctx_trigger_single call vfio_pci_eventfd_replace_locked after eventfd_ctx_fdget': before(...RCU, {
      anchor: 'name ctx after eventfd_ctx_fdget',
      absent: UNDER_IGATE,
    }),
    'vfio_pci_set_ctx_trigger_single name ctx after eventfd_ctx_fdget': from(...RCU, {
      anchor: 'call vfio_pci_eventfd_replace_locked after eventfd_ctx_fdget',
    }),
    'vfio_pci_set_intx_trigger call eventfd_ctx_fdget': INTX_SIGNAL_APART,
  },
  'drivers/vfio/pci/vfio_pci_rdwr.c': {
    ...each(
      ['vfio_pci_bar_rw call vfio_pci_core_setup_barmap', 'vfio_pci_bar_rw call vfio_pci_setup_barmap'],
      { until: '6.8', anchor: 'call vfio_pci_setup_barmap' },
      { until: '7.3', anchor: 'call vfio_pci_core_setup_barmap' },
      { since: '7.3', anchor: 'call vfio_pci_core_get_iomap' },
    ),
  },
};
