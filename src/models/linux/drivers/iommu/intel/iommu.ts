import { architecturally, source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall } from '../../../../../engine/steps';
import { io_page_table, map_pages, set_context, translation, unmap_pages } from '../../../../hardware/dma_remapping';
import { since } from '../../../../version';
import type { Device } from '../../../include/linux/device';
import {
  iommu_domain,
  IOMMU_DOMAIN_BLOCKED,
  IOMMU_DOMAIN_DMA,
  IOMMU_DOMAIN_UNMANAGED,
  IOMMU_WRITE,
  type IommuCap,
  type IommuDomain,
  type IommuDomainType,
  type IommuOps,
  type IommuResvRegion,
} from '../iommu';

/** The driver of Intel’s IOMMU, VT-d. */

/** Interrupts are writes to this megabyte: whatever is mapped there, the IOMMU does not see it as memory. */
const IOAPIC_RANGE_START = 0xfee00000;
const IOAPIC_RANGE_END = 0xfeefffff;
/** What the page tables of most machines translate: 48 bits. */
const APERTURE = { aperture_start: 0, aperture_end: 2 ** 48 - 1 } as const;

const { fn, ops } = source('linux', 'drivers/iommu/intel/iommu.c');

const intel_iommu_attach_device = fn(
  'Points the context entry of a device at the domain’s page table. What the device reached before, it no longer reaches.',
  function* intel_iommu_attach_device(domain: IommuDomain, dev: Device) {
    const { context } = dev.iommu!;
    if (context.table !== undefined) {
      atCall('device_block_translation');
      yield* architecturally('mmio', set_context)(context, undefined);
    }
    atCall(since('linux', '6.3') ? 'dmar_domain_attach_device' : 'domain_add_dev_info');
    yield* architecturally('mmio', set_context)(context, domain.table);
    return 0;
  },
);

const blocking_domain_attach_dev = fn(
  'Takes the page table out of a device’s context entry: its DMA is stopped.',
  function* blocking_domain_attach_dev(_domain: IommuDomain, dev: Device) {
    atCall('device_block_translation');
    yield* architecturally('mmio', set_context)(dev.iommu!.context, undefined);
    return 0;
  },
);

const intel_iommu_map_pages = fn(
  'Writes entries into the domain’s page table.',
  function* intel_iommu_map_pages(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number) {
    atCall('intel_iommu_map');
    yield* architecturally('mmio', map_pages)(domain.table!, { iova, size, paddr, writable: (prot & IOMMU_WRITE) !== 0 });
    return 0;
  },
);

const intel_iommu_unmap_pages = fn(
  'Clears entries of the domain’s page table.',
  function* intel_iommu_unmap_pages(domain: IommuDomain, iova: number, size: number) {
    atCall('intel_iommu_unmap');
    return yield* architecturally('mmio', unmap_pages)(domain.table!, iova, size);
  },
);

const intel_iommu_iotlb_sync_map = fn(
  'Hardware in caching mode, an emulated IOMMU above all, remembers absent entries too: tells it that there is something now.',
  function* intel_iommu_iotlb_sync_map(_domain: IommuDomain, _iova: number, _size: number) {
    at(since('linux', '6.10') ? 'cache_tag_flush_range_np' : 'iommu_array');
  },
);

const intel_iommu_iova_to_phys = fn('Walks the page table.', function* intel_iommu_iova_to_phys(domain: IommuDomain, iova: number) {
  atCall('pfn_to_dma_pte');
  const found = translation(domain.table!, iova);
  return found === undefined ? 0 : found.paddr + (iova - found.iova);
});

const intel_iommu_enforce_cache_coherency = fn(
  'Makes the hardware ignore no-snoop, if it can: then the guest needs no WBINVD, and KVM need not emulate one.',
  function* intel_iommu_enforce_cache_coherency(_domain: IommuDomain) {
    atCall('domain_support_force_snooping');
    return true;
  },
);

const intel_iommu_domain_free = fn('Frees the page table.', function* intel_iommu_domain_free(_domain: IommuDomain) {
  atCall('domain_exit');
});

const intel_iommu_domain_alloc = fn(
  'Allocates a domain with an empty page table. It knows no domain that blocks.',
  function* intel_iommu_domain_alloc(type: IommuDomainType): Run<IommuDomain | undefined> {
    at('type');
    if (type === IOMMU_DOMAIN_BLOCKED) return undefined;
    atCall('md_domain_init');
    return paging_domain(type);
  },
);

function paging_domain(type: IommuDomainType): IommuDomain {
  const name = 'dmar domain';
  return iommu_domain(name, type, { ops: default_domain_ops, table: io_page_table(name), geometry: APERTURE });
}

const intel_iommu_domain_alloc_user = fn(
  'Allocates a domain for an iommufd, with an empty page table.',
  function* intel_iommu_domain_alloc_user(_dev: Device): Run<IommuDomain | undefined> {
    atCall('paging_domain_alloc');
    return paging_domain(IOMMU_DOMAIN_UNMANAGED);
  },
);

const intel_iommu_capable = fn('What this IOMMU can do.', function* intel_iommu_capable(dev: Device, cap: IommuCap) {
  at('cap');
  switch (cap) {
    case 'IOMMU_CAP_CACHE_COHERENCY':
    case 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY':
      return true;
    case 'IOMMU_CAP_INTR_REMAP':
      return dev.iommu!.isolated_msi;
  }
});

const intel_iommu_get_resv_regions = fn(
  'The range of the interrupt messages is not memory; nor is what the firmware has reserved.',
  function* intel_iommu_get_resv_regions(_device: Device, head: IommuResvRegion[]) {
    atCall('list_add_tail');
    head.push({ start: IOAPIC_RANGE_START, end: IOAPIC_RANGE_END, type: 'IOMMU_RESV_MSI' });
  },
);

/** The operations of an allocated domain; upstream has them inside of intel_iommu_ops. */
const default_domain_ops = ops('intel_iommu_ops', {
  attach_dev: intel_iommu_attach_device,
  map_pages: intel_iommu_map_pages,
  unmap_pages: intel_iommu_unmap_pages,
  iotlb_sync_map: intel_iommu_iotlb_sync_map,
  iova_to_phys: intel_iommu_iova_to_phys,
  free: intel_iommu_domain_free,
  enforce_cache_coherency: intel_iommu_enforce_cache_coherency,
});

/** Makes VT-d's driver, and the domain that the kernel’s own DMA goes through. Call it while a machine is set up. */
export function intel_iommu(): { readonly ops: IommuOps; readonly default_domain: IommuDomain } {
  const blocking = ops('blocking_domain', { attach_dev: blocking_domain_attach_dev });
  const blocked_domain = since('linux', '6.6')
    ? iommu_domain('blocking domain', IOMMU_DOMAIN_BLOCKED, {
        ops: { ...default_domain_ops, ...blocking },
        table: undefined,
        geometry: APERTURE,
      })
    : undefined;
  const table = io_page_table('default domain');
  return {
    ops: {
      ...ops('intel_iommu_ops', {
        capable: intel_iommu_capable,
        domain_alloc: intel_iommu_domain_alloc,
        get_resv_regions: intel_iommu_get_resv_regions,
      }),
      domain_alloc_user: since('linux', '6.6')
        ? ops('intel_iommu_ops', { domain_alloc_user: intel_iommu_domain_alloc_user }).domain_alloc_user
        : undefined,
      blocked_domain,
    },
    default_domain: iommu_domain('default domain', IOMMU_DOMAIN_DMA, { ops: default_domain_ops, table, geometry: APERTURE }),
  };
}
