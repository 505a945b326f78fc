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

/** `drivers/iommu/iommufd`. */
export const iommufd: History['files'] = {
  'drivers/iommu/iommufd/device.c': {
    iommufd_device_attach: ATTACHES,
    iommufd_device_attach_reserved_iova: type1('vfio_iommu_resv_exclude'),
    iommufd_device_auto_get_domain: ATTACHES,
    iommufd_device_bind: JOINS,
    iommufd_device_change_pt: ATTACHES,
    iommufd_device_destroy: LEAVES,
    iommufd_device_detach: DETACHES,
    'iommufd_device_detach call iommufd_hw_pagetable_put': [{ since: '7.1', symbol: 'iommufd_hw_pagetable_detach' }],
    iommufd_device_unbind: LEAVES,
    iommufd_get_group: JOINS,
    iommufd_hw_pagetable_attach: ATTACHES,
    'iommufd_hw_pagetable_attach call list_add_tail': [{ since: '6.15', anchor: 'call xa_store after refcount_inc' }],
    iommufd_hw_pagetable_detach: DETACHES,
    'iommufd_hw_pagetable_detach call list_del': [{ since: '6.15', anchor: 'call xa_erase' }],
    'iommufd_hw_pagetable_detach name hwpt': [{ since: '6.15', anchor: 'name hwpt after xa_load' }],
    iommufd_hwpt_attach_device: ATTACHES,
    iommufd_hwpt_detach_device: DETACHES,
  },
  'drivers/iommu/iommufd/hw_pagetable.c': {
    __iommufd_hwpt_destroy: type1('vfio_iommu_type1_detach_group', 'call iommu_domain_free'),
    iommufd_hwpt_paging_alloc: ATTACHES,
    iommufd_hwpt_paging_destroy: DETACHES,
    iommufd_hwpt_paging_enforce_cc: [
      {
        until: '5.19',
        path: 'drivers/vfio/vfio_iommu_type1.c',
        symbol: 'vfio_iommu_type1_attach_group',
        anchor: 'name IOMMU_CAP_CACHE_COHERENCY',
        absent: BY_CONTAINER,
      },
      ...type1('vfio_iommu_type1_attach_group', 'call enforce_cache_coherency'),
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
    iopt_table_enforce_dev_resv_regions: type1('vfio_iommu_resv_exclude'),
    iopt_table_remove_domain: DETACHES,
    iopt_unfill_domain: type1('vfio_iommu_unmap_unpin_all'),
    iopt_unmap_all: type1('vfio_iommu_unmap_unpin_all'),
    iopt_unmap_iova_range: type1('vfio_remove_dma'),
  },
  'drivers/iommu/iommufd/ioas.c': {
    iommufd_ioas_alloc: type1('vfio_iommu_type1_open'),
    iommufd_ioas_alloc_ioctl: type1('vfio_iommu_type1_open'),
    iommufd_ioas_destroy: type1('vfio_iommu_type1_release'),
    iommufd_ioas_map: type1('vfio_iommu_type1_map_dma'),
  },
  'drivers/iommu/iommufd/main.c': {
    iommufd_fops: container('vfio_fops'),
    iommufd_fops_ioctl: container('vfio_fops_unl_ioctl'),
    iommufd_fops_open: container('vfio_fops_open'),
    iommufd_fops_release: container('vfio_fops_release'),
    iommufd_object_remove: LEAVES,
  },
  'drivers/iommu/iommufd/pages.c': {
    __iopt_area_unfill_domain: UNMAPS,
    batch_to_domain: type1('vfio_iommu_map'),
    iopt_alloc_pages: MAPS,
    iopt_area_fill_domains: type1('vfio_pin_map_dma'),
    iopt_area_unfill_domain: UNMAPS,
    iopt_area_unfill_domains: UNMAPS,
    iopt_area_unmap_domain_range: type1('vfio_unmap_unpin', 'call iommu_unmap'),
    pfn_reader_first: type1('vfio_pin_pages_remote'),
  },
};
