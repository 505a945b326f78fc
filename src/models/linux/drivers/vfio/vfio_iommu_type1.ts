import { bool, hex, int, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { holding, Mutex, MUTEX } from '../../../../engine/mutex';
import { at, atCall, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { EEXIST, EFAULT, EINVAL, EIO, ENOSPC, ENOTTY, EPERM } from '../../errno';
import type { Device } from '../../include/linux/device';
import { isDeviceFrame, PAGE_SHIFT, PAGE_SIZE, VM_FAULT_SIGBUS, type MmStruct, type VmAreaStruct } from '../../include/linux/mm_types';
import type { VfioDevice } from '../../include/linux/vfio';
import {
  VFIO_DMA_CC_IOMMU,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
  VFIO_UPDATE_VADDR,
} from '../../include/uapi/linux/vfio';
import {
  iommu_attach_group,
  iommu_detach_group,
  iommu_domain_alloc,
  iommu_domain_free,
  iommu_get_group_resv_regions,
  iommu_group_for_each_dev,
  iommu_group_has_isolated_msi,
  iommu_iova_to_phys,
  iommu_map,
  iommu_paging_domain_alloc,
  iommu_unmap,
  iommu_unmap_fast,
  IOMMU_READ,
  IOMMU_WRITE,
  device_iommu_capable,
  type IommuCap,
  type IommuDomain,
  type IommuGroup,
  type IommuResvRegion,
} from '../iommu/iommu';
import { vfio_register_iommu_driver } from './container';
import { VFIO_EMULATED_IOMMU, type ContainerIoctl, type DmaMap, type IommuInfo, type Vfio, type VfioGroupType } from './vfio';
import { vfio_info_add_capability, vfio_info_cap_add, vfio_info_cap_shift, type VfioInfoCap } from './vfio_main';

/** The container’s IOMMU backend of x86: what user space maps, each device of the container can reach. */

const DMA_ENTRY_LIMIT = 65535;

const VfioDmaCells = struct(
  'vfio_dma',
  'One mapping that user space made: memory of a process, at an address of the devices. Sizes and addresses in bytes.',
  {
    iova: hex(32),
    vaddr: hex(32),
    size: hex(32),
    prot: int(),
    locked_vm: int(),
    iommu_mapped: bool(),
  },
);

export type VfioDma = InstanceOf<typeof VfioDmaCells> & { readonly mm: MmStruct };

/** A range of addresses that devices may be given; both ends belong to it. */
interface VfioIova {
  readonly start: number;
  readonly end: number;
}

/** A group in a container. */
interface VfioIommuGroup {
  readonly iommu_group: IommuGroup;
}

/** An IOMMU domain of a container, with the groups that are in it. */
interface VfioDomain {
  readonly domain: IommuDomain;
  readonly group_list: VfioIommuGroup[];
  enforce_cache_coherency: boolean;
}

const VfioIommuCells = struct(
  'vfio_iommu',
  'A container’s IOMMU state: how many more mappings user space may make, and how many groups can reach memory unseen.',
  {
    v2: bool(),
    dma_avail: int(DMA_ENTRY_LIMIT),
    num_non_pinned_groups: int(),
  },
);

export type VfioIommu = InstanceOf<typeof VfioIommuCells> & {
  readonly lock: Mutex;
  readonly domain_list: VfioDomain[];
  readonly emulated_iommu_groups: VfioIommuGroup[];
  readonly device_list: VfioDevice[];
  /** In the order of their addresses: a tree upstream. */
  readonly dma_list: VfioDma[];
  iova_list: VfioIova[];
};

const { fn, ops } = source('linux', 'drivers/vfio/vfio_iommu_type1.c');

// Mappings: what user space asked for

/** vfio_find_dma(): a mapping that overlaps a range. */
function find_dma({ dma_list }: VfioIommu, start: number, size: number): VfioDma | undefined {
  atCall('vfio_find_dma');
  return dma_list.find((dma) => start < dma.iova + dma.size && dma.iova < start + size);
}

const vfio_link_dma = fn('Remembers a mapping.', function* vfio_link_dma({ dma_list }: VfioIommu, dma: VfioDma) {
  const next = dma_list.findIndex(({ iova }) => iova > dma.iova);
  atCall('rb_insert_color');
  dma_list.splice(next < 0 ? dma_list.length : next, 0, dma);
});

// Pinning: memory that a device can write to must not move

/** Pages that were pinned but not yet mapped: a batch is pinned at once, and may go on where the physical memory does not. */
interface VfioBatch {
  pfns: number[];
}

const VFIO_BATCH_MAX_CAPACITY = 512;

const vfio_lock_acct = fn(
  'Charges pinned pages to the process that owns the memory.',
  function* vfio_lock_acct(dma: VfioDma, npage: number) {
    at('npage');
    if (npage === 0) return 0;
    atCall('mm_lock_acct');
    dma.mm.locked_vm += npage;
    dma.locked_vm += npage;
    return 0;
  },
);

const follow_fault_pfn = fn(
  'The page frame behind an address that maps a device. If nobody has touched it yet, the fault is made here: the driver that owns the mapping inserts it.',
  function* follow_fault_pfn(vma: VmAreaStruct, vaddr: number, pfn: { value: number }) {
    const page = (vaddr - vma.vm_start) >> PAGE_SHIFT;
    atCall(since('linux', '6.12') ? 'follow_pfnmap_start' : 'follow_pte');
    if (vma.pfnmap === undefined) return -EFAULT;
    if (!vma.pfnmap.present.has(page)) {
      const fault = yield* through('function pointer', 'fixup_user_fault', vma.pfnmap.fault)({ vma, address: vaddr });
      if (fault === VM_FAULT_SIGBUS) return -EFAULT;
    }
    pfn.value = vma.frame(page);
    return 0;
  },
);

const vaddr_get_pfns = fn(
  'Pins pages of the process and says which frames they are. What has no page to pin, a device’s BAR, gives one frame at a time. Negative on error.',
  function* vaddr_get_pfns(mm: MmStruct, vaddr: number, npages: number, batch: VfioBatch) {
    atCall('pin_user_pages_remote');
    const vma = mm.mmap.find(({ vm_start, vm_end }) => vaddr >= vm_start && vaddr < vm_end);
    if (vma === undefined) return -EFAULT;
    const first = (vaddr - vma.vm_start) >> PAGE_SHIFT;
    if (vma.pfnmap === undefined) {
      const count = Math.min(npages, (vma.vm_end - vaddr) >> PAGE_SHIFT);
      batch.pfns = Array.from({ length: count }, (_, page) => vma.frame(first + page));
      return count;
    }
    const pfn = { value: 0 };
    const ret = yield* follow_fault_pfn(vma, vaddr, pfn);
    if (ret !== 0) return ret;
    batch.pfns = [pfn.value];
    return 1;
  },
);

const vfio_pin_pages_remote = fn(
  'Pins pages for as long as their frames follow each other, since only those can be mapped in one go. What was pinned beyond stays in the batch for the next call. The result is the number of pages, or negative.',
  function* vfio_pin_pages_remote(dma: VfioDma, vaddr: number, npage: number, pfn_base: { value: number }, batch: VfioBatch) {
    let pinned = 0;
    let lock_acct = 0;
    at('batch');
    if (batch.pfns.length > 0) pfn_base.value = batch.pfns[0]!;
    while (pinned < npage) {
      if (batch.pfns.length === 0) {
        const wanted = Math.min(npage - pinned, VFIO_BATCH_MAX_CAPACITY);
        const ret = yield* vaddr_get_pfns(dma.mm, vaddr + pinned * PAGE_SIZE, wanted, batch);
        if (ret < 0) return ret;
        if (pinned === 0) pfn_base.value = batch.pfns[0]!;
      }
      const pfn = batch.pfns[0]!;
      if (pfn !== pfn_base.value + pinned) break;
      batch.pfns.shift();
      pinned++;
      if (!isDeviceFrame(pfn)) lock_acct++;
    }
    yield* vfio_lock_acct(dma, lock_acct);
    return pinned;
  },
);

const vfio_unpin_pages_remote = fn(
  'Lets go of pages; the result is how many of them counted.',
  function* vfio_unpin_pages_remote(dma: VfioDma, pfn: number, npage: number, do_accounting: boolean) {
    atCall('put_pfn');
    const unlocked = isDeviceFrame(pfn) ? 0 : npage;
    if (do_accounting) yield* vfio_lock_acct(dma, -unlocked);
    return unlocked;
  },
);

// Mapping: pinned memory becomes reachable

const vfio_iommu_map = fn(
  'Maps pinned memory into every domain of the container.',
  function* vfio_iommu_map(iommu: VfioIommu, iova: number, pfn: number, npage: number, prot: number) {
    for (const { domain } of iommu.domain_list) {
      const ret = yield* iommu_map(domain, iova, pfn * PAGE_SIZE, npage * PAGE_SIZE, prot);
      if (ret !== 0) return ret;
    }
    return 0;
  },
);

const vfio_pin_map_dma = fn(
  'Pins and maps a range piece by piece, each as long as the physical memory hangs together. The mapping grows with them, so that a failure in between can be undone.',
  function* vfio_pin_map_dma(iommu: VfioIommu, dma: VfioDma, map_size: number) {
    const batch: VfioBatch = { pfns: [] };
    const pfn = { value: 0 };
    let size = map_size;
    let ret = 0;
    while (size > 0) {
      const npage = yield* vfio_pin_pages_remote(dma, dma.vaddr + dma.size, size >> PAGE_SHIFT, pfn, batch);
      if (npage <= 0) {
        ret = npage;
        break;
      }
      ret = yield* vfio_iommu_map(iommu, dma.iova + dma.size, pfn.value, npage, dma.prot);
      if (ret !== 0) {
        yield* vfio_unpin_pages_remote(dma, pfn.value, npage, true);
        break;
      }
      size -= npage * PAGE_SIZE;
      dma.size += npage * PAGE_SIZE;
    }
    dma.iommu_mapped = true;
    if (ret !== 0) yield* vfio_remove_dma(iommu, dma);
    return ret;
  },
);

/** vfio_iommu_iova_dma_valid(): whether every device of the container can be given these addresses. */
function iova_dma_valid({ iova_list }: VfioIommu, start: number, end: number): boolean {
  atCall('vfio_iommu_iova_dma_valid');
  return iova_list.length === 0 || iova_list.some((iova) => start >= iova.start && end <= iova.end);
}

const vfio_dma_do_map = fn(
  'VFIO_IOMMU_MAP_DMA: checks the range against what is mapped already and against what the devices can address, and then makes it reachable. With mediated devices only, nothing is pinned: their driver asks for pages when it needs them.',
  function* vfio_dma_do_map(iommu: VfioIommu, { iova, vaddr, size, flags, mm }: DmaMap) {
    let prot = 0;
    if (flags & VFIO_DMA_MAP_FLAG_WRITE) prot |= IOMMU_WRITE;
    if (flags & VFIO_DMA_MAP_FLAG_READ) prot |= IOMMU_READ;
    if (prot === 0) return -EINVAL;
    return yield* holding(iommu.lock, MUTEX, function* () {
      at('pgsize');
      if (size === 0 || (size | iova | vaddr) & (PAGE_SIZE - 1)) return -EINVAL;
      if (find_dma(iommu, iova, size) !== undefined) return -EEXIST;
      at('dma_avail');
      if (iommu.dma_avail === 0) return -ENOSPC;
      if (!iova_dma_valid(iommu, iova, iova + size - 1)) return -EINVAL;
      const dma: VfioDma = Object.assign(VfioDmaCells(`0x${iova.toString(16)}`), { mm });
      behind('vfio_iommu_iova_dma_valid');
      at('dma_avail');
      iommu.dma_avail -= 1;
      dma.iova = iova;
      dma.vaddr = vaddr;
      dma.prot = prot;
      yield* vfio_link_dma(iommu, dma);
      at('domain_list');
      if (iommu.domain_list.length > 0) return yield* vfio_pin_map_dma(iommu, dma, size);
      dma.size = size;
      return 0;
    });
  },
);

// Unmapping: the hardware has to forget before the memory may be used again

/** Ranges that are unmapped but may still be in the hardware's cache. */
interface VfioRegion {
  readonly phys: number;
  readonly len: number;
}

const vfio_sync_unpin = fn(
  'Waits until the hardware has forgotten the ranges, and only then lets go of their pages.',
  function* vfio_sync_unpin(dma: VfioDma, regions: VfioRegion[]) {
    atCall('iommu_iotlb_sync');
    let unlocked = 0;
    for (const { phys, len } of regions.splice(0))
      unlocked += yield* vfio_unpin_pages_remote(dma, phys / PAGE_SIZE, len / PAGE_SIZE, false);
    return unlocked;
  },
);

const unmap_unpin_fast = fn(
  'Unmaps a range without waiting, and remembers what has to be unpinned afterwards.',
  function* unmap_unpin_fast({ domain }: VfioDomain, iova: number, len: number, phys: number, regions: VfioRegion[]) {
    const unmapped = yield* iommu_unmap_fast(domain, iova, len);
    atCall('list_add_tail');
    if (unmapped > 0) regions.push({ phys, len: unmapped });
    return unmapped;
  },
);

const vfio_unmap_unpin = fn(
  'Takes a mapping out of the hardware. Nobody has written down which frames were pinned: the page table is asked, page by page, for pieces that hang together.',
  function* vfio_unmap_unpin(iommu: VfioIommu, dma: VfioDma, do_accounting: boolean) {
    at('domain_list');
    const [first, ...others] = iommu.domain_list;
    if (first === undefined || dma.size === 0) return 0;
    for (const { domain } of others) yield* iommu_unmap(domain, dma.iova, dma.size);
    const regions: VfioRegion[] = [];
    const end = dma.iova + dma.size;
    for (let iova = dma.iova; iova < end;) {
      const phys = yield* iommu_iova_to_phys(first.domain, iova);
      if (phys === 0) {
        iova += PAGE_SIZE;
        continue;
      }
      let len = PAGE_SIZE;
      for (; iova + len < end; len += PAGE_SIZE) {
        behind('iommu_iova_to_phys');
        if ((yield* iommu_iova_to_phys(first.domain, iova + len)) !== phys + len) break;
      }
      const unmapped = yield* unmap_unpin_fast(first, iova, len, phys, regions);
      if (unmapped === 0) break;
      iova += unmapped;
    }
    dma.iommu_mapped = false;
    const unlocked = regions.length > 0 ? yield* vfio_sync_unpin(dma, regions) : 0;
    if (!do_accounting) return unlocked;
    yield* vfio_lock_acct(dma, -unlocked);
    return 0;
  },
);

const vfio_remove_dma = fn('Unmaps, unpins and forgets one mapping.', function* vfio_remove_dma(iommu: VfioIommu, dma: VfioDma) {
  yield* vfio_unmap_unpin(iommu, dma, true);
  atCall('vfio_unlink_dma');
  iommu.dma_list.splice(iommu.dma_list.indexOf(dma), 1);
  at('dma_avail');
  iommu.dma_avail += 1;
});

const vfio_dma_do_unmap = fn(
  'VFIO_IOMMU_UNMAP_DMA: removes every mapping in a range. With the v2 interface a range that cuts a mapping in two is refused.',
  function* vfio_dma_do_unmap(iommu: VfioIommu, iova: number, size: number) {
    return yield* holding(iommu.lock, MUTEX, function* () {
      behind('mutex_lock');
      at('pgsize');
      if (size === 0 || (size | iova) & (PAGE_SIZE - 1)) return -EINVAL;
      if (iommu.v2) {
        const first = find_dma(iommu, iova, 1);
        if (first !== undefined && first.iova !== iova) return -EINVAL;
        behind('vfio_find_dma');
        const last = find_dma(iommu, iova + size - 1, 1);
        if (last !== undefined && last.iova + last.size !== iova + size) return -EINVAL;
      }
      atCall('vfio_find_dma_first_node');
      const within = iommu.dma_list.filter((dma) => dma.iova >= iova && dma.iova < iova + size);
      for (const dma of within) yield* vfio_remove_dma(iommu, dma);
      return 0;
    });
  },
);

const vfio_iommu_unmap_unpin_all = fn(
  'Removes every mapping: the last group that could use them is gone.',
  function* vfio_iommu_unmap_unpin_all(iommu: VfioIommu) {
    at('dma_list');
    for (const dma of [...iommu.dma_list]) yield* vfio_remove_dma(iommu, dma);
  },
);

const vfio_iommu_unmap_unpin_reaccount = fn(
  'The last group that reaches memory by itself is gone, but mediated devices remain: nothing stays pinned except what they asked for.',
  function* vfio_iommu_unmap_unpin_reaccount(iommu: VfioIommu) {
    for (const dma of iommu.dma_list) {
      const unlocked = yield* vfio_unmap_unpin(iommu, dma, false);
      yield* vfio_lock_acct(dma, -unlocked);
    }
  },
);

// Groups: who can reach the mappings

const vfio_iommu_find_iommu_group = fn(
  'Whether the group is in this container.',
  function* vfio_iommu_find_iommu_group(iommu: VfioIommu, iommu_group: IommuGroup) {
    at('domain_list');
    const groups = [...iommu.domain_list.flatMap(({ group_list }) => group_list), ...iommu.emulated_iommu_groups];
    return groups.some((group) => group.iommu_group === iommu_group) ? 1 : 0;
  },
);

/** The answer of a callback of iommu_group_for_each_dev(). */
interface Allocated {
  domain: IommuDomain | undefined;
}

const vfio_iommu_domain_alloc = fn(
  'Allocates a domain that suits this device, and so all of its group.',
  function* vfio_iommu_domain_alloc(data: Allocated, dev: Device) {
    if (dev.iommu === undefined) return 1;
    data.domain = since('linux', '6.10') ? yield* iommu_paging_domain_alloc(dev) : yield* iommu_domain_alloc(dev.iommu);
    return 1;
  },
);

const vfio_iommu_device_capable = fn(
  'Whether the IOMMU of this device has a property.',
  function* vfio_iommu_device_capable(cap: IommuCap, dev: Device) {
    return (yield* device_iommu_capable(dev, cap)) ? 1 : 0;
  },
);

const vfio_iommu_iova_insert = fn(
  'Adds a range of addresses to a list.',
  function* vfio_iommu_iova_insert(head: VfioIova[], start: number, end: number) {
    atCall('list_add_tail');
    head.push({ start, end });
    return 0;
  },
);

const vfio_iommu_aper_resize = fn(
  'Cuts the list to what the IOMMU can translate at all.',
  function* vfio_iommu_aper_resize(iova: VfioIova[], start: number, end: number) {
    at('iova');
    if (iova.length === 0) return yield* vfio_iommu_iova_insert(iova, start, end);
    const cut = iova.map((range) => ({ start: Math.max(range.start, start), end: Math.min(range.end, end) }));
    iova.splice(0, iova.length, ...cut.filter((range) => range.start <= range.end));
    return 0;
  },
);

const vfio_iommu_resv_exclude = fn(
  'Takes out what is not memory: a mapping over the range of interrupt messages would never be reached.',
  function* vfio_iommu_resv_exclude(iova: VfioIova[], resv_regions: readonly IommuResvRegion[]) {
    for (const { start, end } of resv_regions) {
      for (const range of iova.splice(0)) {
        if (start > range.end || end < range.start) {
          iova.push(range);
          continue;
        }
        if (start > range.start) yield* vfio_iommu_iova_insert(iova, range.start, start - 1);
        if (end < range.end) {
          behind('vfio_iommu_iova_insert');
          yield* vfio_iommu_iova_insert(iova, end + 1, range.end);
        }
      }
    }
    behind('vfio_iommu_iova_insert');
    at('iova');
    return iova.length === 0 ? -EINVAL : 0;
  },
);

const vfio_iommu_iova_get_copy = fn(
  'Copies the list of addresses, to change it without anybody noticing until all is well.',
  function* vfio_iommu_iova_get_copy({ iova_list }: VfioIommu, copy: VfioIova[]) {
    for (const { start, end } of iova_list) yield* vfio_iommu_iova_insert(copy, start, end);
    return 0;
  },
);

const vfio_test_domain_fgsp = fn(
  'Finds out by trying whether the IOMMU makes large pages out of any two neighbours; unmapping can then go in larger steps.',
  function* vfio_test_domain_fgsp({ domain }: VfioDomain, regions: readonly VfioIova[]) {
    const start = regions[0]?.start;
    at('regions');
    if (start === undefined) return;
    const ret = yield* iommu_map(domain, start, SCRATCH_FRAME * PAGE_SIZE, 2 * PAGE_SIZE, IOMMU_READ | IOMMU_WRITE);
    if (ret !== 0) return;
    if ((yield* iommu_unmap(domain, start, PAGE_SIZE)) === PAGE_SIZE) yield* iommu_unmap(domain, start + PAGE_SIZE, PAGE_SIZE);
  },
);

/** Two pages that alloc_pages() gives for the trial. */
const SCRATCH_FRAME = 0x500;

const vfio_iommu_replay = fn(
  'Gives a new domain what the container has mapped already. What only mediated devices had until now is pinned here for the first time.',
  function* vfio_iommu_replay(iommu: VfioIommu, { domain }: VfioDomain) {
    const batch: VfioBatch = { pfns: [] };
    const pfn = { value: 0 };
    const known = iommu.domain_list[0]?.domain;
    at('dma_list');
    for (const dma of iommu.dma_list) {
      for (let iova = dma.iova; iova < dma.iova + dma.size;) {
        let size: number;
        if (dma.iommu_mapped && known !== undefined) {
          pfn.value = (yield* iommu_iova_to_phys(known, iova)) / PAGE_SIZE;
          size = PAGE_SIZE;
        } else {
          const npage = yield* vfio_pin_pages_remote(
            dma,
            dma.vaddr + (iova - dma.iova),
            (dma.iova + dma.size - iova) >> PAGE_SHIFT,
            pfn,
            batch,
          );
          if (npage <= 0) return npage;
          size = npage * PAGE_SIZE;
        }
        const ret = yield* iommu_map(domain, iova, pfn.value * PAGE_SIZE, size, dma.prot);
        if (ret !== 0) return ret;
        iova += size;
      }
    }
    for (const dma of iommu.dma_list) {
      if (!dma.iommu_mapped) dma.iommu_mapped = true;
    }
    return 0;
  },
);

/** Whether no device of the group can forge the interrupts of others. */
function* has_isolated_msi(group: IommuGroup): Run<boolean> {
  if (since('linux', '6.3')) return yield* iommu_group_has_isolated_msi(group);
  const capable = addressOf(bound(vfio_iommu_device_capable, (): IommuCap => 'IOMMU_CAP_INTR_REMAP'));
  behind('vfio_iommu_resv_exclude');
  return (yield* iommu_group_for_each_dev(group, capable)) !== 0;
}

const vfio_iommu_type1_attach_group = fn(
  'A group joins the container. A group of mediated devices is only listed: no hardware reaches memory for it. Any other gets a domain, and everything that is mapped becomes reachable for its devices. Refused if they could send interrupts in another’s name.',
  function* vfio_iommu_type1_attach_group(iommu: VfioIommu, iommu_group: IommuGroup, type: VfioGroupType) {
    return yield* holding(iommu.lock, MUTEX, function* () {
      if ((yield* vfio_iommu_find_iommu_group(iommu, iommu_group)) !== 0) {
        behind('vfio_iommu_find_iommu_group mutex_unlock');
        return -EINVAL;
      }
      const group: VfioIommuGroup = { iommu_group };
      if (type === VFIO_EMULATED_IOMMU) {
        at('emulated_iommu_groups');
        iommu.emulated_iommu_groups.push(group);
        behind('emulated_iommu_groups mutex_unlock');
        return 0;
      }
      const ret = yield* attach_physical_group(iommu, group);
      if (ret !== 0) behind('vfio_iommu_iova_insert_copy mutex_unlock');
      return ret;
    });
  },
);

/** The larger half of attaching: a group whose devices reach memory by themselves. */
function* attach_physical_group(iommu: VfioIommu, group: VfioIommuGroup): Run<number> {
  const { iommu_group } = group;
  const allocated: Allocated = { domain: undefined };
  yield* iommu_group_for_each_dev(iommu_group, addressOf(bound(vfio_iommu_domain_alloc, () => allocated)));
  if (allocated.domain === undefined) return -EIO;
  const domain: VfioDomain = { domain: allocated.domain, group_list: [], enforce_cache_coherency: false };
  const ret = yield* iommu_attach_group(domain.domain, iommu_group);
  if (ret !== 0) {
    yield* iommu_domain_free(domain.domain);
    return ret;
  }
  const refused = yield* prepare_domain(iommu, domain, group);
  if (refused === 0) return 0;
  yield* iommu_detach_group(domain.domain, iommu_group);
  yield* iommu_domain_free(domain.domain);
  return refused;
}

/** What has to hold before the domain counts; negative where it does not. */
function* prepare_domain(iommu: VfioIommu, domain: VfioDomain, group: VfioIommuGroup): Run<number> {
  const { aperture_start, aperture_end } = domain.domain.geometry;
  const resv: IommuResvRegion[] = [];
  yield* iommu_get_group_resv_regions(group.iommu_group, resv);
  atCall('vfio_iommu_resv_conflict');
  if (iommu.dma_list.some((dma) => resv.some(({ start, end }) => dma.iova <= end && start < dma.iova + dma.size))) return -EINVAL;
  const iova_copy: VfioIova[] = [];
  yield* vfio_iommu_iova_get_copy(iommu, iova_copy);
  yield* vfio_iommu_aper_resize(iova_copy, aperture_start, aperture_end);
  const excluded = yield* vfio_iommu_resv_exclude(iova_copy, resv);
  if (excluded !== 0) return excluded;
  if (!(yield* has_isolated_msi(group.iommu_group))) return -EPERM;
  domain.enforce_cache_coherency = yield* through(
    'function pointer',
    'enforce_cache_coherency',
    domain.domain.ops.enforce_cache_coherency,
  )(domain.domain);

  const compatible = iommu.domain_list.find(
    (other) => other.domain.ops === domain.domain.ops && other.enforce_cache_coherency === domain.enforce_cache_coherency,
  );
  if (compatible === undefined) {
    yield* vfio_test_domain_fgsp(domain, iova_copy);
    const replayed = yield* vfio_iommu_replay(iommu, domain);
    if (replayed !== 0) return replayed;
    domain.group_list.push(group);
    iommu.domain_list.unshift(domain);
  } else {
    yield* iommu_detach_group(domain.domain, group.iommu_group);
    behind('iommu_detach_group');
    yield* iommu_attach_group(compatible.domain, group.iommu_group);
    compatible.group_list.push(group);
    yield* iommu_domain_free(domain.domain);
  }
  atCall('vfio_iommu_iova_insert_copy');
  iommu.iova_list = iova_copy;
  at('num_non_pinned_groups');
  iommu.num_non_pinned_groups += 1;
  behind('vfio_iommu_iova_insert_copy');
  return 0;
}

const vfio_iommu_resv_refresh = fn(
  'Works out anew which addresses the groups that are left can be given.',
  function* vfio_iommu_resv_refresh(iommu: VfioIommu, copy: VfioIova[]) {
    at('iova_copy');
    const [first, last] = [copy[0], copy.at(-1)];
    if (first === undefined || last === undefined) return -EINVAL;
    const resv: IommuResvRegion[] = [];
    for (const { group_list } of iommu.domain_list) {
      for (const { iommu_group } of group_list) yield* iommu_get_group_resv_regions(iommu_group, resv);
    }
    copy.splice(0);
    yield* vfio_iommu_aper_resize(copy, first.start, last.end);
    return yield* vfio_iommu_resv_exclude(copy, resv);
  },
);

const vfio_iommu_type1_detach_group = fn(
  'A group leaves the container. If it was the last one in its domain, the domain goes; if it was the last domain, all mappings go, or at least all pins where mediated devices stay.',
  function* vfio_iommu_type1_detach_group(iommu: VfioIommu, iommu_group: IommuGroup) {
    yield* holding(iommu.lock, MUTEX, function* () {
      at('emulated_iommu_groups');
      const emulated = iommu.emulated_iommu_groups.findIndex((group) => group.iommu_group === iommu_group);
      if (emulated >= 0) {
        iommu.emulated_iommu_groups.splice(emulated, 1);
        if (iommu.emulated_iommu_groups.length === 0 && iommu.domain_list.length === 0) yield* vfio_iommu_unmap_unpin_all(iommu);
        return;
      }
      yield* detach_physical_group(iommu, iommu_group);
    });
  },
);

function* detach_physical_group(iommu: VfioIommu, iommu_group: IommuGroup): Run {
  const copy: VfioIova[] = [];
  yield* vfio_iommu_iova_get_copy(iommu, copy);
  const domain = iommu.domain_list.find(({ group_list }) => group_list.some((group) => group.iommu_group === iommu_group));
  if (domain !== undefined) {
    yield* iommu_detach_group(domain.domain, iommu_group);
    domain.group_list.splice(
      domain.group_list.findIndex((group) => group.iommu_group === iommu_group),
      1,
    );
    if (domain.group_list.length === 0) yield* remove_domain(iommu, domain);
  }
  if ((yield* vfio_iommu_resv_refresh(iommu, copy)) === 0) {
    atCall('vfio_iommu_iova_insert_copy');
    iommu.iova_list = copy;
  }
  at('num_non_pinned_groups');
  iommu.num_non_pinned_groups -= 1;
}

function* remove_domain(iommu: VfioIommu, domain: VfioDomain): Run {
  if (iommu.domain_list.length === 1) {
    if (iommu.emulated_iommu_groups.length === 0) {
      behind('iommu_detach_group');
      yield* vfio_iommu_unmap_unpin_all(iommu);
    } else yield* vfio_iommu_unmap_unpin_reaccount(iommu);
  }
  yield* iommu_domain_free(domain.domain);
  iommu.domain_list.splice(iommu.domain_list.indexOf(domain), 1);
}

// The interface to the container

const vfio_iommu_type1_open = fn('VFIO_SET_IOMMU: makes an empty set of mappings.', function* vfio_iommu_type1_open(arg: number): Run<
  VfioIommu | undefined
> {
  at('arg');
  if (arg !== VFIO_TYPE1_IOMMU && arg !== VFIO_TYPE1v2_IOMMU) return undefined;
  const iommu: VfioIommu = Object.assign(VfioIommuCells('type1'), {
    lock: Mutex('vfio_iommu.lock'),
    domain_list: [],
    emulated_iommu_groups: [],
    device_list: [],
    dma_list: [],
    iova_list: [],
  });
  if (arg === VFIO_TYPE1v2_IOMMU) iommu.v2 = true;
  return iommu;
});

const vfio_iommu_type1_release = fn(
  'The container is gone: so is everything that is still mapped.',
  function* vfio_iommu_type1_release(iommu: VfioIommu) {
    yield* vfio_iommu_unmap_unpin_all(iommu);
    atCall('vfio_iommu_iova_free');
    iommu.iova_list = [];
  },
);

const vfio_iommu_type1_check_extension = fn(
  'What the backend can do; some of it depends on the groups that are there.',
  function* vfio_iommu_type1_check_extension(iommu: VfioIommu | undefined, extension: number) {
    at('arg');
    switch (extension) {
      case VFIO_TYPE1_IOMMU:
      case VFIO_TYPE1v2_IOMMU:
      case VFIO_UNMAP_ALL:
        return 1;
      case VFIO_UPDATE_VADDR:
        return iommu !== undefined && iommu.emulated_iommu_groups.length === 0 ? 1 : 0;
      case VFIO_DMA_CC_IOMMU:
        if (iommu === undefined) return 0;
        atCall('vfio_domains_have_enforce_cache_coherency');
        return iommu.domain_list.every(({ enforce_cache_coherency }) => enforce_cache_coherency) ? 1 : 0;
      default:
        return 0;
    }
  },
);

const vfio_iommu_iova_build_caps = fn(
  'Tells user space which addresses it may use.',
  function* vfio_iommu_iova_build_caps({ iova_list }: VfioIommu, caps: VfioInfoCap) {
    at('iova_list');
    return iova_list.length === 0 ? 0 : yield* vfio_iommu_iova_add_cap(caps, 16 + 16 * iova_list.length);
  },
);

const vfio_iommu_iova_add_cap = fn('Puts the list into the answer.', function* vfio_iommu_iova_add_cap(caps: VfioInfoCap, size: number) {
  yield* vfio_info_cap_add(caps, size);
  return 0;
});

const vfio_iommu_migration_build_caps = fn(
  'Tells user space how finely writes to memory can be tracked.',
  function* vfio_iommu_migration_build_caps(_iommu: VfioIommu, caps: VfioInfoCap) {
    return yield* vfio_info_add_capability(caps, 32);
  },
);

const vfio_iommu_dma_avail_build_caps = fn(
  'Tells user space how many more mappings it may make.',
  function* vfio_iommu_dma_avail_build_caps(_iommu: VfioIommu, caps: VfioInfoCap) {
    return yield* vfio_info_add_capability(caps, 12);
  },
);

const SIZEOF_INFO = 24;

const vfio_iommu_type1_get_info = fn(
  'VFIO_IOMMU_GET_INFO: page sizes and capabilities. If the caller’s buffer is too small for the capabilities, it learns how much it needs and asks again.',
  function* vfio_iommu_type1_get_info(iommu: VfioIommu, info: IommuInfo) {
    const caps: VfioInfoCap = { size: 0 };
    yield* holding(iommu.lock, MUTEX, function* () {
      yield* vfio_iommu_migration_build_caps(iommu, caps);
      yield* vfio_iommu_dma_avail_build_caps(iommu, caps);
      yield* vfio_iommu_iova_build_caps(iommu, caps);
    });
    behind('mutex_unlock');
    at('flags');
    info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
    if (info.argsz < SIZEOF_INFO + caps.size) info.argsz = SIZEOF_INFO + caps.size;
    else yield* vfio_info_cap_shift(caps, SIZEOF_INFO);
    return 0;
  },
);

const vfio_iommu_type1_map_dma = fn('Copies the request in.', function* vfio_iommu_type1_map_dma(iommu: VfioIommu, map: DmaMap) {
  return yield* vfio_dma_do_map(iommu, map);
});

const vfio_iommu_type1_unmap_dma = fn(
  'Copies the request in.',
  function* vfio_iommu_type1_unmap_dma(iommu: VfioIommu, iova: number, size: number) {
    return yield* vfio_dma_do_unmap(iommu, iova, size);
  },
);

const vfio_iommu_type1_ioctl = fn(
  'The ioctls of a container that are for its backend.',
  function* vfio_iommu_type1_ioctl(iommu: VfioIommu | undefined, ioctl: ContainerIoctl) {
    at('cmd');
    switch (ioctl.cmd) {
      case 'VFIO_CHECK_EXTENSION':
        return yield* vfio_iommu_type1_check_extension(iommu, ioctl.extension);
      case 'VFIO_IOMMU_GET_INFO':
        return iommu === undefined ? -EINVAL : yield* vfio_iommu_type1_get_info(iommu, ioctl.info);
      case 'VFIO_IOMMU_MAP_DMA':
        return iommu === undefined ? -EINVAL : yield* vfio_iommu_type1_map_dma(iommu, ioctl.map);
      case 'VFIO_IOMMU_UNMAP_DMA':
        return iommu === undefined ? -EINVAL : yield* vfio_iommu_type1_unmap_dma(iommu, ioctl.iova, ioctl.size);
      case 'VFIO_GET_API_VERSION':
      case 'VFIO_SET_IOMMU':
        return -ENOTTY;
    }
  },
);

const vfio_iommu_type1_register_device = fn(
  'A device of the container was opened: if its driver maps pages by itself, it wants to hear when they go.',
  function* vfio_iommu_type1_register_device(_iommu: VfioIommu, _device: VfioDevice) {
    at('dma_unmap');
  },
);

const vfio_iommu_type1_unregister_device = fn(
  'A device of the container was closed.',
  function* vfio_iommu_type1_unregister_device(_iommu: VfioIommu, _device: VfioDevice) {
    at('dma_unmap');
  },
);

const vfio_iommu_type1_notify = fn(
  'The container’s file is closed: nobody can validate an address any more, so nobody may wait for that.',
  function* vfio_iommu_type1_notify(iommu: VfioIommu) {
    yield* holding(iommu.lock, MUTEX, function* () {
      at('container_open');
    });
  },
);

const table = ops('vfio_iommu_driver_ops_type1', {
  open: vfio_iommu_type1_open,
  release: vfio_iommu_type1_release,
  ioctl: vfio_iommu_type1_ioctl,
  attach_group: vfio_iommu_type1_attach_group,
  detach_group: vfio_iommu_type1_detach_group,
  register_device: vfio_iommu_type1_register_device,
  unregister_device: vfio_iommu_type1_unregister_device,
});

/** `vfio_iommu_driver_ops`: what a backend offers the container. */
export type VfioIommuDriverOps = typeof table & { readonly notify: Pointer<[iommu: VfioIommu], void> | undefined };

export const vfio_iommu_type1_init = fn(
  'vfio_iommu_type1.ko is loaded: it offers itself to the containers. Nothing is done to any IOMMU here.',
  function* vfio_iommu_type1_init(vfio: Vfio) {
    const notify = since('linux', '6.2')
      ? undefined
      : ops('vfio_iommu_driver_ops_type1', { vfio_iommu_type1_notify }).vfio_iommu_type1_notify;
    return yield* vfio_register_iommu_driver(vfio, { ...table, notify });
  },
);
