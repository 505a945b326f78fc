import { boundPointer, source, through } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { holding, MUTEX } from '../../../../../engine/mutex';
import { at, behind } from '../../../../../engine/steps';
import { EINVAL } from '../../../errno';
import { iommu_domain_free, iommu_paging_domain_alloc, type IommuDomain } from '../iommu';
import { iommufd_hw_pagetable_attach, type IommufdDevice } from './device';
import { iopt_table_add_domain, iopt_table_remove_domain } from './io_pagetable';
import type { IommufdIoas } from './ioas';
import { add_object, iommufd_object_ops, type IommufdObject } from './main';

/** Page tables of an address space: what one kind of IOMMU needs to show it to devices. */

export interface IommufdHwptPaging {
  readonly domain: IommuDomain;
  readonly ioas: IommufdIoas;
  readonly obj: IommufdObject;
  /** The devices that use it. */
  users: number;
}

const { fn } = source('linux', 'drivers/iommu/iommufd/hw_pagetable.c');

export const iommufd_hwpt_paging_destroy = fn(
  'The last device has left the page table: it goes.',
  function* iommufd_hwpt_paging_destroy({
    ioas,
    domain,
    hwpt,
  }: {
    readonly ioas: IommufdIoas;
    readonly domain: IommuDomain;
    readonly hwpt: () => IommufdHwptPaging;
  }) {
    yield* holding(ioas.mutex, MUTEX, function* () {
      behind('hwpt_item');
      at('hwpt_item');
      ioas.hwpt_list.splice(ioas.hwpt_list.indexOf(hwpt()), 1);
    });
    yield* iopt_table_remove_domain(ioas.iopt, domain);
    yield* __iommufd_hwpt_destroy(domain);
  },
);

const __iommufd_hwpt_destroy = fn('Frees the domain.', function* __iommufd_hwpt_destroy(domain: IommuDomain) {
  yield* iommu_domain_free(domain);
});

const iommufd_hwpt_paging_enforce_cc = fn(
  'Makes the hardware ignore no-snoop, since the device can.',
  function* iommufd_hwpt_paging_enforce_cc(domain: IommuDomain) {
    return yield* through('function pointer', 'enforce_cache_coherency', domain.ops.enforce_cache_coherency)(domain);
  },
);

export const iommufd_hwpt_paging_alloc = fn(
  'Makes a page table for a kind of device and puts the device into it, before anything is mapped: should that be refused, nothing was pinned in vain.',
  function* iommufd_hwpt_paging_alloc(ioas: IommufdIoas, idev: IommufdDevice): Run<IommufdHwptPaging | number> {
    const alloc_user = idev.dev.iommu?.ops.domain_alloc_user;
    const domain =
      alloc_user === undefined
        ? yield* iommu_paging_domain_alloc(idev.dev)
        : yield* through('function pointer', 'domain_alloc_user', alloc_user)(idev.dev);
    if (domain === undefined) return -EINVAL;
    if (idev.enforce_cache_coherency) yield* iommufd_hwpt_paging_enforce_cc(domain);
    const destroy = boundPointer(iommufd_object_ops().iommufd_hwpt_paging_destroy, () => ({ ioas, domain, hwpt: () => hwpt }));
    at('hwpt_paging');
    const hwpt: IommufdHwptPaging = { domain, ioas, obj: add_object(idev.ictx, destroy, '__iommufd_object_alloc'), users: 0 };
    const attached = yield* iommufd_hw_pagetable_attach(hwpt, idev);
    if (attached !== 0) return attached;
    const rc = yield* iopt_table_add_domain(ioas.iopt, domain);
    if (rc !== 0) return rc;
    behind('hwpt_item');
    at('hwpt_item');
    ioas.hwpt_list.push(hwpt);
    return hwpt;
  },
);
