import type { Fact, History } from '../../history';
import { before, from } from '../backports';
import { each } from '../each';

const BY_VFIO = 'until 5.19 nobody owned a group’s DMA: VFIO itself looked whether a driver of the host had one of its devices';
const ONE_BY_ONE = 'since 6.5 __iommu_group_set_domain_internal goes through the devices itself';
const GIVEN_BACK = 'until 5.19 nobody owned a group’s DMA: the group was back in the default domain as soon as it had left the container’s';
const GROUPS_ONLY = 'until 6.2 a whole group was claimed, never a single device';
const UNCLAIMED = 'until 5.19 a group was never cut off: between two users it was in the default domain';
const ONE_PAGE_SIZE = 'until 5.15 the driver was asked for one page at a time';
const GENERIC_TABLES = 'since 6.19 VT-d leaves its page tables to the generic page-table code';

/** When the hardware came to be told of a mapping as a whole: 5.12, and stable releases of March 2021. */
const SYNC_APART = ['5.11.3', ['5.10.20']] as const;

/** The operations of an allocated domain, apart from the driver's since 6.17. */
const inDomainOps = (anchor?: string): Fact => ({
  since: '6.17',
  symbol: 'intel_ss_paging_domain_ops',
  ...(anchor === undefined ? {} : { anchor }),
});

/** Generic page tables: 6.19 has them map pages, 7.1 whole ranges. */
const tables = (pages: string, range: string): readonly Fact[] => [
  { since: '7.1', path: 'drivers/iommu/generic_pt/iommu_pt.h', symbol: range, absent: GENERIC_TABLES },
  { since: '6.19', path: 'drivers/iommu/generic_pt/iommu_pt.h', symbol: pages, absent: GENERIC_TABLES },
];
const IN_TABLES = { symbol: 'intel_ss_paging_domain_ops', anchor: 'name IOMMU_PT_DOMAIN_OPS', absent: GENERIC_TABLES } as const;

const RELEASED: Fact = {
  until: '5.19',
  symbol: '__iommu_detach_group',
  anchor: 'write domain after iommu_group_do_attach_device',
  absent: GIVEN_BACK,
};

/** `drivers/iommu` without iommufd. */
export const iommu: History['files'] = {
  'drivers/iommu/intel/iommu.c': {
    blocking_domain: [
      {
        until: '6.2',
        symbol: 'intel_iommu_ops',
        absent: 'until 6.2 VT-d knew no domain that blocks: an empty one was attached in its place',
      },
    ],
    blocking_domain_attach_dev: [
      {
        until: '6.2',
        symbol: 'intel_iommu_attach_device',
        absent: 'until 6.2 VT-d knew no domain that blocks: an empty one was attached in its place',
      },
    ],
    intel_iommu_domain_alloc: [
      {
        since: '6.13',
        symbol: 'intel_iommu_domain_alloc_paging_flags',
        absent: 'since 6.13 domain_alloc_paging_flags allocates, and the domain that blocks is a static object',
      },
    ],
    intel_iommu_domain_alloc_user: [
      { until: '6.7', symbol: 'intel_iommu_domain_alloc', absent: 'until 6.7 user space got its domains from domain_alloc too' },
      { since: '6.13', symbol: 'intel_iommu_domain_alloc_paging_flags' },
    ],
    'intel_iommu_domain_alloc_user call paging_domain_alloc': [
      { since: '6.7', until: '6.11', anchor: 'call iommu_domain_alloc' },
      { since: '6.17', symbol: 'intel_iommu_domain_alloc_second_stage' },
    ],
    'intel_iommu_attach_device call device_block_translation': [{ until: '6.1', anchor: 'call dmar_remove_one_dev_info' }],
    'intel_iommu_domain_free call domain_exit': [
      { since: '6.19', anchor: 'call pt_iommu_deinit' },
      { since: '6.17', anchor: 'call domain_unmap' },
    ],
    intel_iommu_enforce_cache_coherency: [
      {
        until: '5.19',
        symbol: 'domain_update_iommu_snooping',
        absent: 'until 5.19 nobody asked for it: a domain ignored no-snoop wherever all IOMMUs could',
      },
      { since: '6.17', symbol: 'intel_iommu_enforce_cache_coherency_ss' },
    ],
    intel_iommu_iotlb_sync_map: [
      {
        until: '5.12',
        symbol: 'domain_mapping',
        anchor: 'call __mapping_notify_one',
        absent: 'until 5.12 domain_mapping told the hardware of each mapping at once',
      },
    ],
    'intel_iommu_iotlb_sync_map name cache_tag_flush_range_np': [{ since: '5.12', until: '6.10', anchor: 'call __mapping_notify_one' }],
    'intel_iommu_iotlb_sync_map name iommu_array': [
      { since: '5.12', until: '6.0', anchor: 'call for_each_domain_iommu' },
      { since: '6.10', anchor: 'name cache_tag_flush_range_np' },
    ],
    intel_iommu_iova_to_phys: [
      { since: '6.19', path: 'drivers/iommu/generic_pt/iommu_pt.h', symbol: 'iova_to_phys', absent: GENERIC_TABLES },
    ],
    intel_iommu_map_pages: [
      { until: '5.11', symbol: 'intel_iommu_map', anchor: 'call domain_pfn_mapping', absent: ONE_PAGE_SIZE },
      { until: '5.12', symbol: 'intel_iommu_map', anchor: 'call domain_mapping', absent: ONE_PAGE_SIZE },
      { until: '5.15', symbol: 'intel_iommu_map', anchor: 'call __domain_mapping', absent: ONE_PAGE_SIZE },
      ...tables('map_pages', 'map_range'),
    ],
    'intel_iommu_ops name intel_iommu_attach_device': [inDomainOps()],
    'intel_iommu_ops name intel_iommu_domain_free': [inDomainOps()],
    'intel_iommu_ops name intel_iommu_enforce_cache_coherency': [
      { until: '5.19', anchor: 'name intel_iommu_capable', absent: 'until 5.19 nobody asked for it: it was a property of the bus' },
      inDomainOps('name intel_iommu_enforce_cache_coherency_ss'),
    ],
    'intel_iommu_ops name intel_iommu_iotlb_sync_map': [
      { until: '5.12', anchor: 'name intel_iommu_map', absent: 'until 5.12 the mapping itself told the hardware' },
      inDomainOps(),
    ],
    'intel_iommu_ops name intel_iommu_iova_to_phys': [{ since: '6.19', ...IN_TABLES }, inDomainOps()],
    'intel_iommu_ops name intel_iommu_map_pages': [
      { until: '5.15', anchor: 'name intel_iommu_map', absent: ONE_PAGE_SIZE },
      { since: '7.1', path: 'drivers/iommu/generic_pt/iommu_pt.h', symbol: 'ops', anchor: 'name map_range', absent: GENERIC_TABLES },
      { since: '6.19', ...IN_TABLES },
      inDomainOps(),
    ],
    'intel_iommu_ops name intel_iommu_unmap_pages': [
      { until: '5.15', anchor: 'name intel_iommu_unmap', absent: ONE_PAGE_SIZE },
      { since: '7.1', path: 'drivers/iommu/generic_pt/iommu_pt.h', symbol: 'ops', anchor: 'name unmap_range', absent: GENERIC_TABLES },
      { since: '6.19', ...IN_TABLES },
      inDomainOps(),
    ],
    intel_iommu_unmap_pages: [
      { until: '5.15', symbol: 'intel_iommu_unmap', anchor: 'call domain_unmap', absent: ONE_PAGE_SIZE },
      ...tables('unmap_pages', 'unmap_range'),
    ],
  },
  'drivers/iommu/intel/irq_remapping.c': {
    __intel_ir_reconfigure_irte: before('6.15', ['6.12'], {
      symbol: 'intel_ir_reconfigure_irte',
      anchor: 'call modify_irte',
      absent: 'before 6.15 and 6.12.y intel_ir_reconfigure_irte wrote the entry itself, if its mode was IRQ_REMAPPING',
    }),
    'intel_ir_reconfigure_irte call modify_irte': from('6.15', ['6.12'], { symbol: '__intel_ir_reconfigure_irte' }),
    'intel_ir_set_vcpu_affinity call __intel_ir_reconfigure_irte': before('6.15', ['6.12'], { anchor: 'call modify_irte' }),
    'intel_ir_set_vcpu_affinity write posted_vcpu': before('6.15', ['6.12'], {
      anchor: 'call modify_irte after irte_pi',
      absent: 'before 6.15 and 6.12.y only the entry’s mode told that it posts',
    }),
  },
  'drivers/iommu/iommu.c': {
    '__iommu_attach_group call __iommu_group_for_each_dev': [{ since: '6.5', anchor: 'call __iommu_group_set_domain' }],
    '__iommu_attach_group call __iommu_group_set_domain': [{ until: '6.5', anchor: 'call __iommu_group_for_each_dev' }],
    '__iommu_attach_group write domain after iommu_group_do_attach_device': [{ since: '6.5', anchor: 'call __iommu_group_set_domain' }],
    '__iommu_attach_group name blocking_domain': [{ until: '5.19', anchor: 'name default_domain', absent: UNCLAIMED }],
    __iommu_device_set_domain: [
      { until: '6.5', symbol: 'iommu_group_do_attach_device', absent: 'until 6.5 iommu_group_do_attach_device moved a device' },
    ],
    __iommu_domain_alloc: [
      {
        since: '6.13',
        symbol: '__iommu_paging_domain_alloc_flags',
        absent: 'since 6.13 paging domains are allocated for themselves; other types are static objects of the driver',
      },
    ],
    '__iommu_domain_alloc name blocked_domain': [
      { until: '6.7', anchor: 'name domain_alloc', absent: 'until 6.7 domain_alloc was asked for a domain that blocks too' },
      {
        since: '6.13',
        symbol: '__iommu_group_alloc_blocking_domain',
        anchor: 'name blocked_domain',
        absent: 'since 6.13 __iommu_group_alloc_blocking_domain takes the driver’s blocked_domain itself',
      },
    ],
    __iommu_group_alloc_blocking_domain: [{ until: '5.19', path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_viable', absent: UNCLAIMED }],
    '__iommu_group_alloc_blocking_domain call __iommu_domain_alloc': [
      { since: '6.13', anchor: 'call iommu_paging_domain_alloc' },
      { since: '6.7', anchor: 'call __iommu_group_domain_alloc' },
    ],
    '__iommu_group_alloc_blocking_domain call __iommu_group_domain_alloc': [
      { since: '5.19', until: '6.7', anchor: 'call __iommu_domain_alloc' },
      { since: '6.13', anchor: 'call iommu_paging_domain_alloc' },
    ],
    __iommu_group_domain_alloc: [
      {
        until: '6.7',
        symbol: '__iommu_domain_alloc',
        absent: 'until 6.7 __iommu_domain_alloc was given the bus of the group’s first device',
      },
      {
        since: '6.13',
        symbol: '__iommu_paging_domain_alloc_flags',
        absent: 'since 6.13 the group’s first device is handed to iommu_paging_domain_alloc',
      },
    ],
    __iommu_group_for_each_dev: [
      { since: '6.5', symbol: '__iommu_group_set_domain_internal', anchor: 'call for_each_group_device', absent: ONE_BY_ONE },
    ],
    __iommu_group_set_core_domain: [
      {
        until: '5.19',
        symbol: '__iommu_detach_group',
        absent: 'until 5.19 __iommu_detach_group put the group back into the default domain',
      },
    ],
    '__iommu_group_set_core_domain call __iommu_group_set_domain': [{ since: '6.5', anchor: 'call __iommu_group_set_domain_nofail' }],
    '__iommu_group_set_core_domain call __iommu_group_set_domain_nofail': [
      { since: '5.19', until: '6.5', anchor: 'call __iommu_group_set_domain' },
    ],
    __iommu_group_set_domain: [
      {
        until: '5.19',
        symbol: '__iommu_attach_group',
        anchor: 'call __iommu_group_for_each_dev',
        absent: 'until 5.19 __iommu_attach_group moved the devices itself',
      },
    ],
    '__iommu_group_set_domain call __iommu_group_for_each_dev': [
      // The first call there is for drivers without default domains.
      { since: '5.19', until: '6.3', anchor: 'call __iommu_group_for_each_dev after iommu_group_do_detach_device' },
      { since: '6.3', until: '6.5', anchor: 'call __iommu_group_for_each_dev after iommu_group_do_set_platform_dma' },
      { since: '6.5', anchor: 'call __iommu_group_set_domain_internal' },
    ],
    '__iommu_group_set_domain name domain': [{ since: '6.5', symbol: '__iommu_group_set_domain_internal' }],
    '__iommu_group_set_domain write domain': [
      { since: '5.19', until: '6.5', anchor: 'write domain after iommu_group_do_attach_device' },
      { since: '6.5', symbol: '__iommu_group_set_domain_internal', anchor: 'write domain after __iommu_device_set_domain' },
    ],
    __iommu_group_set_domain_internal: [
      {
        until: '5.19',
        symbol: '__iommu_attach_group',
        anchor: 'call __iommu_group_for_each_dev',
        absent: 'until 5.19 __iommu_attach_group moved the devices itself',
      },
      { until: '6.5', symbol: '__iommu_group_set_domain', absent: 'until 6.5 __iommu_group_set_domain moved the devices itself' },
    ],
    '__iommu_group_set_domain_internal call __iommu_device_set_domain': [
      { since: '5.19', until: '6.3', anchor: 'call __iommu_group_for_each_dev after iommu_group_do_detach_device' },
      { since: '6.3', until: '6.5', anchor: 'call __iommu_group_for_each_dev after iommu_group_do_set_platform_dma' },
    ],
    '__iommu_group_set_domain_internal write domain': [
      { since: '6.5', until: '6.7', anchor: 'write domain after __iommu_device_set_domain' },
    ],
    __iommu_map: [
      {
        since: '7.1',
        symbol: 'iommu_map_nosync',
        anchor: 'name map_range',
        absent: 'since 7.1 iommu_map_nosync hands the whole range to the generic page-table code',
      },
      { since: '6.16', symbol: 'iommu_map_nosync' },
    ],
    '__iommu_map call iommu_pgsize': [
      { since: '5.15', until: '6.8', symbol: '__iommu_map_pages' },
      {
        since: '7.1',
        symbol: 'iommu_map_nosync',
        anchor: 'name map_range',
        absent: 'since 7.1 the generic page-table code chooses the size of pages',
      },
    ],
    '__iommu_map name map_pages': [
      { until: '5.15', anchor: 'name map' },
      { until: '6.8', symbol: '__iommu_map_pages' },
      { since: '7.1', symbol: 'iommu_map_nosync', anchor: 'name map_range' },
    ],
    '__iommu_map name map_pages after iommu_pgsize': [
      { until: '5.15', anchor: 'name map after iommu_pgsize' },
      { until: '6.8', symbol: '__iommu_map_pages' },
      { since: '7.1', symbol: 'iommu_map_nosync', anchor: 'name map_range' },
    ],
    __iommu_map_pages: [
      { until: '5.15', symbol: '__iommu_map', anchor: 'name map after iommu_pgsize', absent: ONE_PAGE_SIZE },
      {
        since: '7.1',
        symbol: 'iommu_map_nosync',
        anchor: 'name map_range',
        absent: 'since 7.1 iommu_map_nosync hands the whole range to the generic page-table code',
      },
      {
        since: '6.16',
        symbol: 'iommu_map_nosync',
        anchor: 'name map_pages after iommu_pgsize',
        absent: 'since 6.16 iommu_map_nosync asks the driver itself',
      },
      {
        since: '6.8',
        symbol: '__iommu_map',
        anchor: 'name map_pages after iommu_pgsize',
        absent: 'since 6.8 __iommu_map asks the driver itself',
      },
    ],
    __iommu_release_dma_ownership: [
      RELEASED,
      { until: '6.2', symbol: 'iommu_group_release_dma_owner', absent: 'until 6.2 iommu_group_release_dma_owner did this itself' },
    ],
    '__iommu_release_dma_ownership name owner_cnt': [{ since: '5.19', until: '6.2' }],
    '__iommu_release_dma_ownership call __iommu_group_set_domain_nofail': [
      { since: '5.19', until: '6.2', anchor: 'call __iommu_group_set_domain' },
      { since: '6.2', until: '6.5', anchor: 'call __iommu_group_set_domain' },
    ],
    __iommu_take_dma_ownership: [
      { until: '5.19', path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_viable', absent: BY_VFIO },
      { until: '6.2', symbol: 'iommu_group_claim_dma_owner', absent: 'until 6.2 iommu_group_claim_dma_owner did this itself' },
    ],
    ...each(
      [
        'call __iommu_group_alloc_blocking_domain',
        'call __iommu_group_set_domain',
        'name default_domain',
        'write owner',
        'write owner_cnt after __iommu_group_set_domain',
      ].map((anchor) => `__iommu_take_dma_ownership ${anchor}`),
      { since: '5.19', until: '6.2' },
    ),
    '__iommu_unmap call iommu_pgsize': [
      { since: '5.15', until: '6.8', symbol: '__iommu_unmap_pages' },
      { since: '7.1', anchor: 'name unmap_range', absent: 'since 7.1 the generic page-table code knows the size of its pages' },
    ],
    '__iommu_unmap name unmap_pages': [
      { until: '5.15', anchor: 'name unmap' },
      { until: '6.8', symbol: '__iommu_unmap_pages' },
      { since: '7.1', anchor: 'name unmap_range' },
    ],
    '__iommu_unmap name unmap_pages after iommu_pgsize': [
      { until: '5.15', anchor: 'name unmap after iommu_pgsize' },
      { until: '6.8', symbol: '__iommu_unmap_pages' },
      { since: '7.1', anchor: 'name unmap_range' },
    ],
    __iommu_unmap_pages: [
      { until: '5.15', symbol: '__iommu_unmap', anchor: 'name unmap after iommu_pgsize', absent: ONE_PAGE_SIZE },
      {
        since: '7.1',
        symbol: '__iommu_unmap',
        anchor: 'name unmap_range',
        absent: 'since 7.1 __iommu_unmap hands the whole range to the generic page-table code',
      },
      {
        since: '6.8',
        symbol: '__iommu_unmap',
        anchor: 'name unmap_pages after iommu_pgsize',
        absent: 'since 6.8 __iommu_unmap asks the driver itself',
      },
    ],
    _iommu_map: [
      ...before(...SYNC_APART, {
        symbol: 'iommu_map',
        anchor: 'call __iommu_map',
        absent: 'before 5.11.3 and 5.10.20 iommu_map did this itself',
      }),
      { since: '6.16', symbol: 'iommu_map', anchor: 'call iommu_map_nosync', absent: 'since 6.3 iommu_map does this itself' },
      { since: '6.3', symbol: 'iommu_map', anchor: 'call __iommu_map', absent: 'since 6.3 iommu_map does this itself' },
    ],
    device_iommu_capable: [
      { until: '5.19', symbol: 'iommu_capable', anchor: 'name capable', absent: 'until 5.19 a bus was asked, not a device: iommu_capable' },
    ],
    iommu_attach_group_handle: [
      { until: '6.11', symbol: 'iommu_attach_group', absent: 'until 6.11 a domain was attached without a handle' },
    ],
    iommu_detach_group_handle: [
      { until: '6.11', symbol: 'iommu_detach_group', absent: 'until 6.11 a domain was attached without a handle' },
    ],
    iommu_device_claim_dma_owner: [
      { until: '5.19', path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_viable', absent: BY_VFIO },
      { until: '6.2', symbol: 'iommu_group_claim_dma_owner', absent: GROUPS_ONLY },
    ],
    iommu_device_release_dma_owner: [RELEASED, { until: '6.2', symbol: 'iommu_group_release_dma_owner', absent: GROUPS_ONLY }],
    iommu_device_unuse_default_domain: [
      {
        until: '5.19',
        path: 'drivers/vfio/vfio.c',
        symbol: 'vfio_iommu_group_notifier',
        anchor: 'name IOMMU_GROUP_NOTIFY_UNBOUND_DRIVER',
        absent: 'until 5.19 VFIO heard by a notifier that a driver had left a device of the group',
      },
    ],
    iommu_device_use_default_domain: [
      {
        until: '5.19',
        path: 'drivers/vfio/vfio.c',
        symbol: 'vfio_iommu_group_notifier',
        anchor: 'name IOMMU_GROUP_NOTIFY_BOUND_DRIVER',
        absent: 'until 5.19 nothing kept a driver from a group in use: VFIO heard of it by a notifier, and stopped the machine',
      },
    ],
    iommu_domain_alloc: [
      { since: '6.13', symbol: 'iommu_paging_domain_alloc_flags', absent: 'since 6.13 a domain is allocated for a device, not for a bus' },
    ],
    'iommu_domain_free name free': [{ until: '5.18', anchor: 'name domain_free' }],
    iommu_group_claim_dma_owner: [{ until: '5.19', path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_viable', absent: BY_VFIO }],
    'iommu_group_claim_dma_owner call __iommu_group_alloc_blocking_domain': [{ since: '6.2', symbol: '__iommu_take_dma_ownership' }],
    'iommu_group_claim_dma_owner call __iommu_group_set_domain': [{ since: '6.2', symbol: '__iommu_take_dma_ownership' }],
    'iommu_group_claim_dma_owner name default_domain': [{ since: '6.2', symbol: '__iommu_take_dma_ownership' }],
    'iommu_group_claim_dma_owner write owner': [{ since: '6.2', symbol: '__iommu_take_dma_ownership' }],
    'iommu_group_claim_dma_owner write owner_cnt after __iommu_group_set_domain': [{ since: '6.2', symbol: '__iommu_take_dma_ownership' }],
    iommu_group_dma_owner_claimed: [{ until: '5.19', path: 'drivers/vfio/vfio.c', symbol: 'vfio_group_viable', absent: BY_VFIO }],
    iommu_group_do_attach_device: [{ since: '6.5', symbol: '__iommu_device_set_domain', absent: ONE_BY_ONE }],
    'iommu_group_for_each_dev call __iommu_group_for_each_dev': [{ since: '6.5', anchor: 'call for_each_group_device' }],
    iommu_group_has_isolated_msi: [
      {
        until: '6.3',
        path: 'drivers/vfio/vfio_iommu_type1.c',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'name IOMMU_CAP_INTR_REMAP',
        absent: 'until 6.3 VFIO asked for IOMMU_CAP_INTR_REMAP itself',
      },
    ],
    iommu_group_release_dma_owner: [RELEASED],
    'iommu_group_release_dma_owner call __iommu_group_set_domain': [
      { since: '6.5', symbol: '__iommu_release_dma_ownership', anchor: 'call __iommu_group_set_domain_nofail' },
      { since: '6.2', symbol: '__iommu_release_dma_ownership' },
    ],
    'iommu_group_release_dma_owner name owner_cnt': [{ since: '6.2', symbol: '__iommu_release_dma_ownership' }],
    'iommu_iova_to_phys name iova_to_phys': [{ until: '5.15', anchor: 'name iova_to_phys after iova_to_phys' }],
    'iommu_iova_to_phys name type': [
      { until: '5.15', anchor: 'name iova_to_phys', absent: 'until 5.15 the driver was asked whatever the domain’s type' },
    ],
    'iommu_map call __iommu_map': [
      ...from(...SYNC_APART, { until: '6.3', symbol: '_iommu_map' }),
      { since: '6.16', anchor: 'call iommu_map_nosync' },
    ],
    'iommu_map name iotlb_sync_map': [
      ...before(...SYNC_APART, { symbol: '__iommu_map' }),
      { until: '6.3', symbol: '_iommu_map' },
      { since: '6.16', symbol: 'iommu_sync_map' },
    ],
    iommu_paging_domain_alloc: [
      { until: '6.11', symbol: 'iommu_domain_alloc', absent: 'until 6.11 a domain was allocated for a bus, not for a device' },
      { since: '6.13', symbol: 'iommu_paging_domain_alloc_flags' },
    ],
    'iommu_paging_domain_alloc name dev_has_iommu': [{ since: '6.13', symbol: '__iommu_paging_domain_alloc_flags' }],
    'iommu_subsys_init name iommu_bus_notifier': [{ until: '6.1', symbol: 'iommu_bus_init' }],
  },
};
