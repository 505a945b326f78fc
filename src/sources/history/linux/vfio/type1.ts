import type { History } from '../../../history';
import { before } from '../../backports';
import { NO_NOTIFY } from './absences';

const BUS_ASKED = 'until 6.1 the bus of the group’s devices is asked, not each device';
const CORE_ASKS = 'since 6.3 the IOMMU core asks all devices of the group, in iommu_group_has_isolated_msi';
const BY_NOTIFIER = 'until 6.0 a driver that pins pages registers a notifier for what is unmapped, not its device';
const EXTERNAL_DOMAIN = 'until 5.16 groups of mediated devices are listed in a domain of their own, without an IOMMU behind it';
const NOT_COUNTED = 'until 5.12 groups that may write anywhere are not counted: a flag says whether there are any';

/** When pages came to be pinned in batches. */
const BATCHES = ['5.12', ['5.10.146']] as const;

/** The backend of containers, and virqfd. */
export const type1: History['files'] = {
  'drivers/vfio/vfio_iommu_type1.c': {
    vaddr_get_pfns: before(...BATCHES, { symbol: 'vaddr_get_pfn' }),
    'vfio_dma_do_map name domain_list': [{ until: '5.16', anchor: 'name IS_IOMMU_CAP_DOMAIN_IN_CONTAINER' }],
    'vfio_dma_do_unmap call mutex_unlock': [{ until: '6.0', anchor: 'call mutex_unlock after vfio_remove_dma' }],
    'vfio_dma_do_unmap call vfio_find_dma_first_node': [{ until: '5.12', anchor: 'call vfio_find_dma after vfio_find_dma vfio_find_dma' }],
    vfio_iommu_device_capable: [
      {
        until: '6.1',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'call iommu_capable',
        absent: BUS_ASKED,
      },
      {
        since: '6.3',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'call iommu_group_has_isolated_msi',
        absent: CORE_ASKS,
      },
    ],
    vfio_iommu_domain_alloc: [
      {
        until: '6.1',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'call iommu_domain_alloc',
        absent: 'until 6.1 vfio_iommu_type1_attach_group allocates the domain itself, for the bus of the group’s devices',
      },
    ],
    'vfio_iommu_domain_alloc call iommu_domain_alloc': [{ since: '6.11', anchor: 'call iommu_paging_domain_alloc' }],
    'vfio_iommu_domain_alloc call iommu_paging_domain_alloc': [{ until: '6.11', anchor: 'call iommu_domain_alloc' }],
    'vfio_iommu_type1_attach_group call iommu_attach_group': [{ until: '5.16', anchor: 'call vfio_iommu_attach_group' }],
    'vfio_iommu_type1_attach_group call iommu_attach_group after iommu_detach_group': [
      { until: '5.16', anchor: 'call vfio_iommu_attach_group after vfio_iommu_detach_group' },
    ],
    'vfio_iommu_type1_attach_group call iommu_detach_group': [{ until: '5.16', anchor: 'call vfio_iommu_detach_group' }],
    'vfio_iommu_type1_attach_group call iommu_group_has_isolated_msi': [
      {
        until: '6.3',
        anchor: 'call irq_domain_check_msi_remap',
        absent: 'until 6.3 it is enough that the interrupt controllers or the IOMMU say to remap interrupts',
      },
    ],
    'vfio_iommu_type1_attach_group call iommu_group_for_each_dev after vfio_iommu_resv_exclude': [
      { until: '6.1', anchor: 'call iommu_capable', absent: BUS_ASKED },
      { since: '6.3', anchor: 'call iommu_group_has_isolated_msi', absent: CORE_ASKS },
    ],
    'vfio_iommu_type1_attach_group call mutex_unlock after emulated_iommu_groups mutex_unlock': [
      { until: '5.16', anchor: 'call mutex_unlock after external_domain', absent: EXTERNAL_DOMAIN },
    ],
    'vfio_iommu_type1_attach_group name emulated_iommu_groups': [
      { until: '5.16', anchor: 'name external_domain', absent: EXTERNAL_DOMAIN },
    ],
    'vfio_iommu_type1_attach_group name enforce_cache_coherency': [
      {
        until: '5.19',
        anchor: 'name IOMMU_CAP_CACHE_COHERENCY',
        absent: 'until 5.19 nothing has to be switched on: where the IOMMU can snoop, every mapping asks for it (IOMMU_CACHE)',
      },
    ],
    'vfio_iommu_type1_attach_group name num_non_pinned_groups': [
      { until: '5.12', anchor: 'name pinned_page_dirty_scope after vfio_iommu_iova_insert_copy', absent: NOT_COUNTED },
    ],
    'vfio_iommu_type1_check_extension call vfio_domains_have_enforce_cache_coherency': [
      { until: '5.19', anchor: 'call vfio_domains_have_iommu_cache' },
    ],
    'vfio_iommu_type1_detach_group call vfio_iommu_unmap_unpin_all after iommu_detach_group': [
      { until: '5.16', anchor: 'call vfio_iommu_unmap_unpin_all after vfio_iommu_detach_group' },
    ],
    'vfio_iommu_type1_detach_group call iommu_detach_group': [{ until: '5.16', anchor: 'call vfio_iommu_detach_group' }],
    'vfio_iommu_type1_detach_group name emulated_iommu_groups': [
      { until: '5.16', anchor: 'name external_domain', absent: EXTERNAL_DOMAIN },
    ],
    'vfio_iommu_type1_detach_group name num_non_pinned_groups': [
      { until: '5.12', anchor: 'call update_pinned_page_dirty_scope', absent: NOT_COUNTED },
    ],
    vfio_iommu_type1_notify: [
      { until: '5.12', path: 'drivers/vfio/vfio.c', symbol: 'vfio_fops_release', anchor: 'call vfio_container_put', absent: NO_NOTIFY },
      { since: '6.3', path: 'drivers/vfio/container.c', symbol: 'vfio_fops_release', anchor: 'call vfio_container_put', absent: NO_NOTIFY },
    ],
    vfio_iommu_type1_register_device: [{ until: '6.0', symbol: 'vfio_iommu_type1_register_notifier', absent: BY_NOTIFIER }],
    vfio_iommu_type1_unregister_device: [{ until: '6.0', symbol: 'vfio_iommu_type1_unregister_notifier', absent: BY_NOTIFIER }],
    'vfio_lock_acct call mm_lock_acct': [{ until: '6.1', anchor: 'call __account_locked_vm' }],
    'vfio_pin_pages_remote name batch': before(...BATCHES, {
      anchor: 'call vaddr_get_pfn',
      absent: 'before 5.12 and 5.10.146 pages are pinned one at a time',
    }),
    vfio_test_domain_fgsp: [
      {
        since: '6.16',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'call vfio_iommu_replay',
        absent: 'since 6.16 nobody tries whether the IOMMU makes large pages out of any two neighbours: all are unmapped alike',
      },
    ],
    'vfio_test_domain_fgsp name regions': [
      { until: '6.1', anchor: 'name domain', absent: 'until 6.1 it is tried at address 0, whether or not the group can use that' },
    ],
  },
  'drivers/vfio/virqfd.c': {
    'virqfd_wakeup call eventfd_ctx_do_read': [
      { until: '5.11', anchor: 'name EPOLLIN', absent: 'until 5.11 a virqfd leaves the eventfd’s count as it is' },
    ],
  },
};
