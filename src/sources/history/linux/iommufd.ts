import type { Fact, History } from '../../history';

const BY_CONTAINER = 'until 6.2 there was no iommufd: a VFIO container did its work';

/** In the container's IOMMU driver. */
const type1 = (symbol: string, anchor?: string): readonly Fact[] => [
  { until: '6.2', path: 'drivers/vfio/vfio_iommu_type1.c', symbol, ...(anchor === undefined ? {} : { anchor }), absent: BY_CONTAINER },
];

/** In the container itself, which got a file of its own in 6.1; there some of its functions have another name. */
const container = (symbol: string, renamed = symbol): readonly Fact[] => [
  { until: '6.0', path: 'drivers/vfio/vfio.c', symbol, absent: BY_CONTAINER },
  { until: '6.1', path: 'drivers/vfio/vfio_main.c', symbol, absent: BY_CONTAINER },
  { until: '6.2', path: 'drivers/vfio/container.c', symbol: renamed, absent: BY_CONTAINER },
];

const JOINS = container('vfio_group_set_container', 'vfio_container_attach_group');
const LEAVES = container('__vfio_group_unset_container', 'vfio_group_detach_container');
const ATTACHES = type1('vfio_iommu_type1_attach_group');
const DETACHES = type1('vfio_iommu_type1_detach_group');
const MAPS = type1('vfio_dma_do_map');
const REPLAYS = type1('vfio_iommu_replay');
const UNMAPS = type1('vfio_unmap_unpin');

const INLINE: readonly Fact[] = [
  { since: '6.11', until: '6.12', path: 'drivers/iommu/iommufd/iommufd_private.h' },
  { since: '6.13', until: '6.15', path: 'drivers/iommu/iommufd/iommufd_private.h' },
];
const inlined = (anchor: string): readonly Fact[] => INLINE.map((fact) => ({ ...fact, anchor }));

const NO_FAULTS = 'until 6.11 iommufd knew no I/O page faults: a domain was attached without a handle for them';
const attachesItself = (symbol: string, anchor: string): Fact => ({ since: '6.2', until: '6.11', symbol, anchor, absent: NO_FAULTS });

/** What 6.7 renamed, when page tables of a guest joined those of a host. */
const formerly = (symbol: string, anchor?: string): Fact => ({
  since: '6.2',
  until: '6.7',
  symbol,
  ...(anchor === undefined ? {} : { anchor }),
});

const DEVICE = 'drivers/iommu/iommufd/device.c';
/** What 6.4 split off, so that a page table can be attached as it is allocated. */
const inAttach = (anchor?: string): Fact => ({
  since: '6.2',
  until: '6.4',
  path: DEVICE,
  symbol: 'iommufd_device_do_attach',
  ...(anchor === undefined ? {} : { anchor }),
  absent: 'until 6.4 iommufd_device_do_attach did this itself',
});
const inDetach = (anchor?: string): Fact => ({
  since: '6.2',
  until: '6.4',
  path: DEVICE,
  symbol: 'iommufd_device_detach',
  ...(anchor === undefined ? {} : { anchor }),
  absent: 'until 6.4 iommufd_device_detach did this itself',
});
/** Locks and lists of 6.4, when page tables still had them, not groups. */
const around = (symbol: string, anchor?: string): Fact => ({
  since: '6.4',
  until: '6.5',
  symbol,
  ...(anchor === undefined ? {} : { anchor }),
});

/** Binding without an IOMMU is apart since 7.3. */
const BIND_IOMMU: readonly Fact[] = [{ since: '7.3', symbol: 'iommufd_bind_iommu' }];

/** `drivers/iommu/iommufd`. */
export const iommufd: History['files'] = {
  'drivers/iommu/iommufd/device.c': {
    iommufd_device_attach: ATTACHES,
    iommufd_device_attach_reserved_iova: [
      ...type1('vfio_iommu_resv_exclude'),
      inAttach('call iopt_table_enforce_group_resv_regions'),
      formerly('iommufd_hw_pagetable_attach'),
      { since: '6.7', until: '6.12', symbol: 'iommufd_hwpt_paging_attach' },
    ],
    iommufd_device_auto_get_domain: ATTACHES,
    iommufd_device_do_attach: ATTACHES,
    iommufd_device_bind: JOINS,
    'iommufd_device_bind call device_iommu_capable': BIND_IOMMU,
    'iommufd_device_bind call device_iommu_capable after device_iommu_capable': BIND_IOMMU,
    'iommufd_device_bind call iommu_device_claim_dma_owner': BIND_IOMMU,
    'iommufd_device_bind call iommu_group_has_isolated_msi': [
      { since: '6.3', until: '6.5', symbol: 'iommufd_device_setup_msi' },
      ...BIND_IOMMU,
    ],
    'iommufd_device_bind call iommufd_get_group': BIND_IOMMU,
    'iommufd_device_bind write enforce_cache_coherency': BIND_IOMMU,
    iommufd_device_change_pt: [
      ...ATTACHES,
      {
        since: '6.2',
        until: '6.5',
        symbol: 'iommufd_device_attach',
        absent: 'until 6.5 a device could not change its page table: iommufd_device_attach did this itself',
      },
    ],
    iommufd_device_destroy: LEAVES,
    'iommufd_device_destroy call iommufd_put_group': [{ since: '6.2', until: '6.5', anchor: 'call iommu_group_put' }],
    iommufd_device_detach: DETACHES,
    'iommufd_device_detach call iommufd_hw_pagetable_put': [
      { since: '6.2', until: '6.5', anchor: 'call iommufd_object_destroy_user' },
      { since: '6.15', symbol: 'iommufd_hw_pagetable_detach' },
    ],
    iommufd_device_unbind: LEAVES,
    iommufd_get_group: [
      ...JOINS,
      {
        since: '6.2',
        until: '6.5',
        symbol: 'iommufd_device_bind',
        anchor: 'call iommu_group_get',
        absent: 'until 6.5 iommufd kept no record of groups',
      },
    ],
    iommufd_hw_pagetable_attach: [...ATTACHES, inAttach()],
    'iommufd_hw_pagetable_attach call iommufd_device_attach_reserved_iova': [
      inAttach('call iopt_table_enforce_group_resv_regions'),
      { since: '6.4', until: '6.5', anchor: 'call iopt_table_enforce_group_resv_regions' },
      { since: '6.5', until: '6.7', anchor: 'call iopt_table_enforce_dev_resv_regions' },
      { since: '6.7', until: '6.12', anchor: 'call iommufd_hwpt_paging_attach' },
    ],
    'iommufd_hw_pagetable_attach call iommufd_hwpt_attach_device': [
      { since: '6.2', until: '6.11', anchor: 'call iommu_attach_group', absent: NO_FAULTS },
    ],
    'iommufd_hw_pagetable_attach call list_add_tail': [
      around('iommufd_device_do_attach', 'call list_add'),
      { since: '6.15', anchor: 'call xa_store after refcount_inc' },
    ],
    'iommufd_hw_pagetable_attach call mutex_lock': [around('iommufd_device_do_attach')],
    'iommufd_hw_pagetable_attach call mutex_unlock': [around('iommufd_device_do_attach')],
    iommufd_hw_pagetable_detach: [...DETACHES, inDetach()],
    'iommufd_hw_pagetable_detach call iommufd_hwpt_detach_device': [
      { since: '6.2', until: '6.11', anchor: 'call iommu_detach_group', absent: NO_FAULTS },
    ],
    'iommufd_hw_pagetable_detach call list_del': [around('iommufd_device_detach'), { since: '6.15', anchor: 'call xa_erase' }],
    'iommufd_hw_pagetable_detach call mutex_lock': [around('iommufd_device_detach')],
    'iommufd_hw_pagetable_detach call mutex_unlock': [
      around('iommufd_device_detach'),
      { since: '6.15', anchor: 'call mutex_unlock after xa_erase' },
    ],
    'iommufd_hw_pagetable_detach write hwpt after mutex_lock': [
      { since: '6.15', anchor: 'call xa_erase after iommufd_hwpt_detach_device' },
    ],
    'iommufd_hw_pagetable_detach name hwpt': [{ since: '6.15', anchor: 'name hwpt after xa_load' }],
    iommufd_hwpt_attach_device: [
      ...ATTACHES,
      inAttach('call iommu_attach_group'),
      attachesItself('iommufd_hw_pagetable_attach', 'call iommu_attach_group'),
      ...INLINE,
    ],
    'iommufd_hwpt_attach_device call iommu_attach_group_handle': inlined('call iommu_attach_group'),
    iommufd_hwpt_detach_device: [
      ...DETACHES,
      inDetach('call iommu_detach_group'),
      attachesItself('iommufd_hw_pagetable_detach', 'call iommu_detach_group'),
      ...INLINE,
    ],
    'iommufd_hwpt_detach_device call iommu_detach_group_handle': inlined('call iommu_detach_group'),
  },
  'drivers/iommu/iommufd/hw_pagetable.c': {
    __iommufd_hwpt_destroy: [
      ...type1('vfio_iommu_type1_detach_group', 'call iommu_domain_free'),
      formerly('iommufd_hw_pagetable_destroy'),
      { since: '6.7', until: '6.11', symbol: 'iommufd_hwpt_paging_destroy' },
    ],
    iommufd_hwpt_paging_alloc: [...ATTACHES, formerly('iommufd_hw_pagetable_alloc')],
    'iommufd_hwpt_paging_alloc call __iommufd_object_alloc': [formerly('iommufd_hw_pagetable_alloc', 'call iommufd_object_alloc')],
    'iommufd_hwpt_paging_alloc name domain_alloc_user': [
      formerly('iommufd_hw_pagetable_alloc', 'call iommu_domain_alloc'),
      { since: '6.13', anchor: 'name domain_alloc_paging_flags' },
    ],
    'iommufd_hwpt_paging_alloc name hwpt_paging': [formerly('iommufd_hw_pagetable_alloc', 'name hwpt')],
    'iommufd_hwpt_paging_alloc call iopt_table_add_domain': [inAttach('call iopt_table_add_domain')],
    iommufd_hwpt_paging_destroy: [...DETACHES, formerly('iommufd_hw_pagetable_destroy')],
    'iommufd_hwpt_paging_destroy call iopt_table_remove_domain': [inDetach('call iopt_table_remove_domain')],
    'iommufd_hwpt_paging_destroy call mutex_lock': [inDetach('call mutex_lock')],
    'iommufd_hwpt_paging_destroy call mutex_unlock': [inDetach('call mutex_unlock')],
    'iommufd_hwpt_paging_destroy name hwpt_item after hwpt_item': [inDetach('name hwpt_item')],
    'iommufd_hwpt_paging_destroy call __iommufd_hwpt_destroy': [
      formerly('iommufd_hw_pagetable_destroy', 'call iommu_domain_free'),
      { since: '6.7', until: '6.11', anchor: 'call iommu_domain_free' },
    ],
    iommufd_hwpt_paging_enforce_cc: [
      {
        until: '5.19',
        path: 'drivers/vfio/vfio_iommu_type1.c',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'name IOMMU_CAP_CACHE_COHERENCY',
        absent: BY_CONTAINER,
      },
      ...type1('vfio_iommu_type1_attach_group', 'call enforce_cache_coherency'),
      inAttach('call enforce_cache_coherency'),
      {
        since: '6.4',
        until: '6.5',
        path: DEVICE,
        symbol: 'iommufd_hw_pagetable_attach',
        anchor: 'call enforce_cache_coherency',
        absent: 'until 6.5 a device that was attached had it enforced',
      },
      formerly('iommufd_hw_pagetable_enforce_cc'),
    ],
  },
  'drivers/iommu/iommufd/io_pagetable.c': {
    iopt_alloc_area_pages: MAPS,
    iopt_check_iova: type1('vfio_iommu_iova_dma_valid'),
    iopt_fill_domain: REPLAYS,
    iopt_fill_domains_pages: type1('vfio_pin_map_dma'),
    iopt_insert_area: type1('vfio_link_dma'),
    iopt_map_pages: MAPS,
    iopt_map_user_pages: MAPS,
    'iopt_map_user_pages call iopt_alloc_pages': [{ since: '6.13', anchor: 'call iopt_alloc_user_pages' }],
    'iopt_map_user_pages call iopt_map_pages': [{ since: '6.13', symbol: 'iopt_map_common' }],
    iopt_table_add_domain: type1('vfio_iommu_type1_attach_group', 'call vfio_iommu_replay'),
    iopt_table_enforce_dev_resv_regions: [
      ...type1('vfio_iommu_resv_exclude'),
      { since: '6.2', until: '6.5', symbol: 'iopt_table_enforce_group_resv_regions' },
    ],
    'iopt_table_enforce_dev_resv_regions call iommu_get_resv_regions': [
      { since: '6.2', until: '6.5', anchor: 'call iommu_get_group_resv_regions' },
    ],
    iopt_table_remove_domain: DETACHES,
    iopt_unfill_domain: type1('vfio_iommu_unmap_unpin_all'),
    iopt_unmap_all: type1('vfio_iommu_unmap_unpin_all'),
    iopt_unmap_iova: type1('vfio_dma_do_unmap'),
    iopt_unmap_iova_range: type1('vfio_remove_dma'),
  },
  'drivers/iommu/iommufd/ioas.c': {
    iommufd_ioas_alloc: type1('vfio_iommu_type1_open'),
    iommufd_ioas_alloc_ioctl: type1('vfio_iommu_type1_open'),
    iommufd_ioas_destroy: type1('vfio_iommu_type1_release'),
    iommufd_ioas_map: type1('vfio_iommu_type1_map_dma'),
    iommufd_ioas_unmap: type1('vfio_iommu_type1_unmap_dma'),
  },
  'drivers/iommu/iommufd/main.c': {
    iommufd_fops: container('vfio_fops'),
    iommufd_fops_ioctl: container('vfio_fops_unl_ioctl'),
    iommufd_fops_open: container('vfio_fops_open'),
    iommufd_fops_release: container('vfio_fops_release'),
    iommufd_object_remove: [...LEAVES, { since: '6.2', until: '6.5', symbol: 'iommufd_object_destroy_user' }],
    'iommufd_object_remove call xas_store': [{ since: '6.2', until: '6.5', anchor: 'call __xa_erase' }],
    'iommufd_object_remove name destroy': [{ since: '6.5', until: '6.7', symbol: '__iommufd_object_destroy_user' }],
  },
  'drivers/iommu/iommufd/pages.c': {
    __iopt_area_unfill_domain: UNMAPS,
    batch_to_domain: type1('vfio_iommu_map'),
    iopt_alloc_pages: MAPS,
    iopt_area_fill_domain: REPLAYS,
    iopt_area_fill_domains: type1('vfio_pin_map_dma'),
    iopt_area_unfill_domain: UNMAPS,
    iopt_area_unfill_domains: UNMAPS,
    iopt_area_unmap_domain_range: type1('vfio_unmap_unpin', 'call iommu_unmap'),
    pfn_reader_first: type1('vfio_pin_pages_remote'),
  },
};
