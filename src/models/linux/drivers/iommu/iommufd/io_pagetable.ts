import { hex, int, struct, type InstanceOf } from '../../../../../engine/cell';
import { source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { holding, Mutex, RWSEM_READ, RWSEM_WRITE } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import { EEXIST, EINVAL, ENOENT } from '../../../errno';
import type { Device } from '../../../include/linux/device';
import { PAGE_SIZE, type MmStruct } from '../../../include/linux/mm_types';
import { iommu_get_resv_regions, type IommuDomain, type IommuResvRegion } from '../iommu';
import {
  iopt_alloc_pages,
  iopt_area_fill_domain,
  iopt_area_fill_domains,
  iopt_area_unfill_domain,
  iopt_area_unfill_domains,
  type IoptPages,
} from './pages';

/** The map of one address space: areas, the domains that show them, and ranges that must stay empty. */

const IoptAreaCells = struct('iopt_area', 'A range of an address space with memory behind it. Both ends belong to it.', {
  'node.start': hex(32),
  'node.last': hex(32),
  iommu_prot: int(),
});

export type IoptArea = InstanceOf<typeof IoptAreaCells> & { readonly iopt: IoPagetable; readonly pages: IoptPages };

const IoPagetableCells = struct('io_pagetable', 'What is mapped in an address space, and in how many domains it shows.', {
  next_domain_id: int(),
});

export type IoPagetable = InstanceOf<typeof IoPagetableCells> & {
  readonly iova_rwsem: Mutex;
  readonly domains_rwsem: Mutex;
  readonly area_itree: IoptArea[];
  readonly reserved_itree: { readonly start: number; readonly end: number; readonly owner: Device }[];
  readonly domains: IommuDomain[];
};

export const io_pagetable = (name: string): IoPagetable =>
  Object.assign(IoPagetableCells(name), {
    iova_rwsem: Mutex(`iova_rwsem of ${name}`),
    domains_rwsem: Mutex(`domains_rwsem of ${name}`),
    area_itree: [],
    reserved_itree: [],
    domains: [],
  });

/** A mapping that user space asks for, in bytes. */
export interface UserPages {
  readonly iova: number;
  readonly uptr: number;
  readonly length: number;
  readonly prot: number;
  readonly mm: MmStruct;
}

const { fn } = source('linux', 'drivers/iommu/iommufd/io_pagetable.c');

const overlaps = (area: IoptArea, start: number, last: number): boolean => area['node.start'] <= last && start <= area['node.last'];

const iopt_check_iova = fn(
  'Whether a range is free: no device of the address space needs it empty, and nothing is mapped there.',
  function* iopt_check_iova({ reserved_itree, area_itree }: IoPagetable, iova: number, length: number) {
    const last = iova + length - 1;
    atCall('iopt_reserved_iter_first');
    if (reserved_itree.some(({ start, end }) => iova <= end && start <= last)) return -EINVAL;
    atCall('iopt_area_iter_first');
    return area_itree.some((area) => overlaps(area, iova, last)) ? -EEXIST : 0;
  },
);

const iopt_insert_area = fn(
  'Takes a range for memory.',
  function* iopt_insert_area(iopt: IoPagetable, pages: IoptPages, iova: number, prot: number) {
    const area: IoptArea = Object.assign(IoptAreaCells(`0x${iova.toString(16)}`), { iopt, pages });
    area.iommu_prot = prot;
    area['node.start'] = iova;
    at('last');
    area['node.last'] = iova + pages.npages * PAGE_SIZE - 1;
    atCall('interval_tree_insert');
    const next = iopt.area_itree.findIndex((other) => other['node.start'] > iova);
    iopt.area_itree.splice(next < 0 ? iopt.area_itree.length : next, 0, area);
    return area;
  },
);

const iopt_alloc_area_pages = fn(
  'Takes the place that user space has chosen, so that nobody else gets it.',
  function* iopt_alloc_area_pages(iopt: IoPagetable, pages: IoptPages, { iova, length, prot }: UserPages): Run<IoptArea | number> {
    return yield* holding(iopt.iova_rwsem, RWSEM_WRITE, function* () {
      at('length');
      if (length === 0 || (length | iova) & (PAGE_SIZE - 1)) return -EINVAL;
      const taken = yield* iopt_check_iova(iopt, iova, length);
      return taken === 0 ? yield* iopt_insert_area(iopt, pages, iova, prot) : taken;
    });
  },
);

const iopt_fill_domains_pages = fn('Shows new areas in every domain.', function* iopt_fill_domains_pages(area: IoptArea) {
  return yield* iopt_area_fill_domains(area);
});

const iopt_map_pages = fn(
  'Takes the range first and fills it afterwards, without the lock that others need to look something up.',
  function* iopt_map_pages(iopt: IoPagetable, pages: IoptPages, request: UserPages) {
    const area = yield* iopt_alloc_area_pages(iopt, pages, request);
    if (typeof area === 'number') return area;
    const rc = yield* holding(iopt.domains_rwsem, RWSEM_READ, () => iopt_fill_domains_pages(area));
    if (rc !== 0) iopt.area_itree.splice(iopt.area_itree.indexOf(area), 1);
    return rc;
  },
);

export const iopt_map_user_pages = fn('Maps memory of a process.', function* iopt_map_user_pages(iopt: IoPagetable, request: UserPages) {
  const pages = yield* iopt_alloc_pages(request.uptr, request.length, request.mm);
  return yield* iopt_map_pages(iopt, pages, request);
});

const iopt_unmap_iova_range = fn(
  'Removes the areas of a range, from its start on. One that sticks out ends this: what came before it stays removed.',
  function* iopt_unmap_iova_range(iopt: IoPagetable, start: number, last: number) {
    return yield* holding(iopt.domains_rwsem, RWSEM_READ, function* () {
      atCall('iopt_area_iter_first');
      const areas = iopt.area_itree.filter((area) => overlaps(area, start, last));
      for (const area of areas) {
        if (area['node.start'] < start || area['node.last'] > last) {
          behind('up_read');
          return -ENOENT;
        }
        yield* iopt_area_unfill_domains(area);
        atCall('iopt_abort_area');
        iopt.area_itree.splice(iopt.area_itree.indexOf(area), 1);
      }
      behind('up_read');
      return 0;
    });
  },
);

export const iopt_unmap_iova = fn(
  'Removes what is mapped in a range.',
  function* iopt_unmap_iova(iopt: IoPagetable, iova: number, length: number) {
    at('length');
    return length === 0 ? -EINVAL : yield* iopt_unmap_iova_range(iopt, iova, iova + length - 1);
  },
);

export const iopt_unmap_all = fn('Removes everything.', function* iopt_unmap_all(iopt: IoPagetable) {
  yield* iopt_unmap_iova_range(iopt, 0, Infinity);
});

const iopt_fill_domain = fn(
  'A domain is new in the address space: it gets everything that is mapped already.',
  function* iopt_fill_domain({ area_itree }: IoPagetable, domain: IommuDomain) {
    atCall('iopt_area_iter_first');
    for (const area of area_itree) {
      const rc = yield* iopt_area_fill_domain(area, domain);
      if (rc !== 0) return rc;
    }
    return 0;
  },
);

const iopt_unfill_domain = fn(
  'A domain leaves the address space.',
  function* iopt_unfill_domain({ area_itree }: IoPagetable, domain: IommuDomain) {
    atCall('iopt_area_iter_first');
    for (const area of area_itree) yield* iopt_area_unfill_domain(area, domain);
  },
);

export const iopt_table_add_domain = fn(
  'From now on the domain shows what is mapped in the address space.',
  function* iopt_table_add_domain(iopt: IoPagetable, domain: IommuDomain) {
    return yield* holding(iopt.domains_rwsem, RWSEM_WRITE, function* () {
      const rc = yield* iopt_fill_domain(iopt, domain);
      if (rc !== 0) return rc;
      iopt.domains.push(domain);
      iopt.next_domain_id += 1;
      return 0;
    });
  },
);

export const iopt_table_remove_domain = fn(
  'The domain shows nothing any more.',
  function* iopt_table_remove_domain(iopt: IoPagetable, domain: IommuDomain) {
    yield* holding(iopt.domains_rwsem, RWSEM_WRITE, function* () {
      atWrite('next_domain_id', 'down_write');
      iopt.next_domain_id -= 1;
      iopt.domains.splice(iopt.domains.indexOf(domain), 1);
      yield* iopt_unfill_domain(iopt, domain);
    });
  },
);

export const iopt_table_enforce_dev_resv_regions = fn(
  'Keeps empty what is not memory for this device. Refused if something is mapped there already.',
  function* iopt_table_enforce_dev_resv_regions(iopt: IoPagetable, dev: Device) {
    return yield* holding(iopt.iova_rwsem, RWSEM_WRITE, function* () {
      const regions: IommuResvRegion[] = [];
      yield* iommu_get_resv_regions(dev, regions);
      atCall('iopt_reserve_iova');
      if (regions.some(({ start, end }) => iopt.area_itree.some((area) => overlaps(area, start, end)))) return -EINVAL;
      iopt.reserved_itree.push(...regions.map(({ start, end }) => ({ start, end, owner: dev })));
      return 0;
    });
  },
);

/** iopt_remove_reserved_iova(): the device no longer needs anything kept empty. */
export function remove_reserved_iova({ reserved_itree }: IoPagetable, dev: Device): void {
  atCall('iopt_remove_reserved_iova');
  const others = reserved_itree.filter(({ owner }) => owner !== dev);
  reserved_itree.splice(0, reserved_itree.length, ...others);
}
