import { source, via } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { holding, Mutex, MUTEX } from '../../../../../engine/mutex';
import { at, atCall } from '../../../../../engine/steps';
import { EFAULT } from '../../../errno';
import { PAGE_SHIFT, PAGE_SIZE, type MmStruct } from '../../../include/linux/mm_types';
import { iommu_map, iommu_unmap, type IommuDomain } from '../iommu';
import type { IoptArea } from './io_pagetable';

/** Memory behind areas: pinned once, however many domains show it. */

export interface IoptPages {
  readonly mutex: Mutex;
  readonly uptr: number;
  readonly npages: number;
  readonly mm: MmStruct;
  /** Some domain shows it. */
  pinned: boolean;
}

/** Frames that follow each other. */
interface Piece {
  readonly pfn: number;
  readonly npages: number;
}

const { fn } = source('linux', 'drivers/iommu/iommufd/pages.c');

export const iopt_alloc_pages = fn(
  'Remembers where the memory is. It is not touched before a device can see it.',
  function* iopt_alloc_pages(uptr: number, length: number, mm: MmStruct): Run<IoptPages> {
    at('npages');
    return { mutex: Mutex('iopt_pages.mutex'), uptr, npages: length >> PAGE_SHIFT, mm, pinned: false };
  },
);

const pfn_reader_first = fn(
  'Pins the memory, where no domain shows it yet, and collects its frames into pieces that hang together. Negative if there is no memory: a BAR has no pages to pin, and is not taken.',
  function* pfn_reader_first({ uptr, npages, mm }: IoptPages): Run<readonly Piece[] | number> {
    atCall('pfn_reader_next');
    const vma = mm.mmap.find(({ vm_start, vm_end }) => uptr >= vm_start && uptr < vm_end);
    if (vma === undefined || vma.pfnmap !== undefined || uptr + npages * PAGE_SIZE > vma.vm_end) return -EFAULT;
    const first = (uptr - vma.vm_start) >> PAGE_SHIFT;
    const pieces: Piece[] = [];
    for (let page = 0; page < npages; page++) {
      const pfn = vma.frame(first + page);
      const last = pieces.at(-1);
      if (last !== undefined && pfn === last.pfn + last.npages) pieces[pieces.length - 1] = { pfn: last.pfn, npages: last.npages + 1 };
      else pieces.push({ pfn, npages: 1 });
    }
    return pieces;
  },
);

const batch_to_domain = fn(
  'Maps the pieces into one domain.',
  function* batch_to_domain(pieces: readonly Piece[], domain: IommuDomain, area: IoptArea) {
    let iova = area['node.start'];
    for (const { pfn, npages } of pieces) {
      const rc = yield* iommu_map(domain, iova, pfn * PAGE_SIZE, npages * PAGE_SIZE, area.iommu_prot);
      if (rc !== 0) return rc;
      iova += npages * PAGE_SIZE;
    }
    return 0;
  },
);

/** Charges the memory once, when the first domain shows it. */
function charge({ pages }: IoptArea): void {
  atCall('pfn_reader_update_pinned');
  if (pages.pinned) return;
  pages.pinned = true;
  pages.mm.locked_vm += pages.npages;
}

function uncharge({ pages }: IoptArea, token: string): void {
  atCall(token);
  if (!pages.pinned) return;
  pages.pinned = false;
  pages.mm.locked_vm -= pages.npages;
}

export const iopt_area_fill_domain = fn(
  'Shows an area in one domain.',
  function* iopt_area_fill_domain(area: IoptArea, domain: IommuDomain) {
    const pieces = yield* pfn_reader_first(area.pages);
    if (typeof pieces === 'number') return pieces;
    const rc = yield* batch_to_domain(pieces, domain, area);
    if (rc === 0) charge(area);
    return rc;
  },
);

export const iopt_area_fill_domains = fn(
  'Shows an area in every domain of the address space. As long as there is none, the memory stays untouched.',
  function* iopt_area_fill_domains(area: IoptArea) {
    const { domains } = area.iopt;
    at('domains');
    if (domains.length === 0) return 0;
    return yield* holding(area.pages.mutex, MUTEX, function* () {
      const pieces = yield* pfn_reader_first(area.pages);
      if (typeof pieces === 'number') return pieces;
      for (const domain of domains) {
        const rc = yield* batch_to_domain(pieces, domain, area);
        if (rc !== 0) return rc;
      }
      charge(area);
      return 0;
    });
  },
);

const iopt_area_unmap_domain_range = fn(
  'Takes an area out of one domain.',
  function* iopt_area_unmap_domain_range(area: IoptArea, domain: IommuDomain) {
    const length = area['node.last'] - area['node.start'] + 1;
    yield* via('iommu_unmap_nofail', iommu_unmap)(domain, area['node.start'], length);
  },
);

const __iopt_area_unfill_domain = fn(
  'Takes an area out of a domain piece by piece, and lets go of each piece when it is no longer mapped.',
  function* __iopt_area_unfill_domain(area: IoptArea, domain: IommuDomain) {
    yield* iopt_area_unmap_domain_range(area, domain);
    uncharge(area, 'update_unpinned');
  },
);

export const iopt_area_unfill_domain = fn(
  'Takes an area out of the last domain that shows it.',
  function* iopt_area_unfill_domain(area: IoptArea, domain: IommuDomain) {
    yield* __iopt_area_unfill_domain(area, domain);
  },
);

export const iopt_area_unfill_domains = fn(
  'Takes an area out of all domains. The last one lets go of its memory.',
  function* iopt_area_unfill_domains(area: IoptArea) {
    yield* holding(area.pages.mutex, MUTEX, function* () {
      const [storage_domain, ...others] = area.iopt.domains;
      at('storage_domain');
      if (storage_domain === undefined) return;
      for (const domain of others) yield* iopt_area_unmap_domain_range(area, domain);
      yield* iopt_area_unfill_domain(area, storage_domain);
    });
  },
);
