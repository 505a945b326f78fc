import { int, oneOf, pointer, struct, type Instance, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through, via, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { holding, Mutex, MUTEX } from '../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import type { ContextEntry, IoPageTable } from '../../../hardware/dma_remapping';
import { since } from '../../../version';
import { EBUSY, EINVAL, ENODEV, EPERM } from '../../errno';
import type { Device } from '../../include/linux/device';

/** IOMMU groups and domains: the devices that an IOMMU cannot tell apart, and the address spaces that they are put into. */

export const IOMMU_DOMAIN_BLOCKED = 0;
export const IOMMU_DOMAIN_UNMANAGED = 1;
export const IOMMU_DOMAIN_DMA = 3;
const DOMAIN_TYPES = { IOMMU_DOMAIN_BLOCKED, IOMMU_DOMAIN_UNMANAGED, IOMMU_DOMAIN_DMA } as const;
export type IommuDomainType = (typeof DOMAIN_TYPES)[keyof typeof DOMAIN_TYPES];

export const IOMMU_READ = 1;
export const IOMMU_WRITE = 2;

export type IommuCap = 'IOMMU_CAP_CACHE_COHERENCY' | 'IOMMU_CAP_INTR_REMAP' | 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY';

/** A range of I/O virtual addresses that means something else: on x86 a write there is an interrupt. Both ends belong to it. */
export interface IommuResvRegion {
  readonly start: number;
  readonly end: number;
  readonly type: 'IOMMU_RESV_MSI' | 'IOMMU_RESV_DIRECT';
}

/** What a domain's IOMMU driver does with it. */
export interface IommuDomainOps {
  readonly attach_dev: Pointer<[domain: IommuDomain, dev: Device], number>;
  readonly map_pages: Pointer<[domain: IommuDomain, iova: number, paddr: number, size: number, prot: number], number>;
  readonly unmap_pages: Pointer<[domain: IommuDomain, iova: number, size: number], number>;
  readonly iotlb_sync_map: Pointer<[domain: IommuDomain, iova: number, size: number], void>;
  readonly iova_to_phys: Pointer<[domain: IommuDomain, iova: number], number>;
  readonly enforce_cache_coherency: Pointer<[domain: IommuDomain], boolean>;
  readonly free: Pointer<[domain: IommuDomain], void>;
}

/** An IOMMU driver. */
export interface IommuOps {
  readonly capable: Pointer<[dev: Device, cap: IommuCap], boolean>;
  readonly domain_alloc: Pointer<[type: IommuDomainType], IommuDomain | undefined>;
  readonly get_resv_regions: Pointer<[dev: Device, head: IommuResvRegion[]], void>;
  /** A domain as user space asks for it: `undefined` before 6.6. */
  readonly domain_alloc_user: Pointer<[dev: Device], IommuDomain | undefined> | undefined;
  /** A domain that blocks everything and needs no allocation: `undefined` before 6.6. */
  readonly blocked_domain: IommuDomain | undefined;
}

/** What the IOMMU has of a device. */
export interface DevIommu {
  readonly ops: IommuOps;
  readonly context: ContextEntry;
  /** Whether a message of the device can only raise the vectors that the host gave it. */
  readonly isolated_msi: boolean;
}

const IommuDomainCells = struct('iommu_domain', 'An address space of devices.', { type: oneOf(DOMAIN_TYPES, IOMMU_DOMAIN_UNMANAGED) });

export type IommuDomain = InstanceOf<typeof IommuDomainCells> & {
  readonly ops: IommuDomainOps;
  readonly table: IoPageTable | undefined;
  /** The first and the last address that it can translate. */
  readonly geometry: { readonly aperture_start: number; readonly aperture_end: number };
};

/** Makes a domain: what an IOMMU driver allocates. */
export const iommu_domain = (name: string, type: IommuDomainType, parts: Pick<IommuDomain, 'ops' | 'table' | 'geometry'>): IommuDomain =>
  Object.assign(IommuDomainCells(name, { type }), parts);

const IommuGroupCells = struct(
  'iommu_group',
  'Devices that an IOMMU cannot tell apart. owner_cnt: who relies on the domain that they are in; owner: the user-space owner among them.',
  { id: int(), owner_cnt: int(), owner: pointer<Instance>(), domain: pointer<IommuDomain>() },
);

export type IommuGroup = InstanceOf<typeof IommuGroupCells> & {
  readonly devices: Device[];
  readonly mutex: Mutex;
  name: string;
  default_domain: IommuDomain | undefined;
  blocking_domain: IommuDomain | undefined;
};

/** Makes a group; `default_domain` is what the kernel's own DMA goes through, and `owner_cnt` drivers rely on it. */
export const iommu_group = (id: number, default_domain?: IommuDomain, owner_cnt = 0): IommuGroup =>
  Object.assign(IommuGroupCells(`group ${id}`, { id, domain: default_domain, owner_cnt }), {
    devices: [],
    mutex: Mutex(`mutex of IOMMU group ${id}`),
    name: '',
    default_domain,
    blocking_domain: undefined,
  });

const { fn, ops } = source('linux', 'drivers/iommu/iommu.c');

export const iommu_group_alloc = fn('Makes an empty group.', function* iommu_group_alloc(ids: IommuGroupIds) {
  const group = iommu_group(ids.next);
  group.id = ids.next;
  ids.next += 1;
  return group;
});

/** iommu_group_ida: the number that the next group gets. */
export interface IommuGroupIds {
  next: number;
}

export const iommu_group_set_name = fn('Names a group, in sysfs.', function* iommu_group_set_name(group: IommuGroup, name: string) {
  at('name');
  group.name = name;
  return 0;
});

export const iommu_group_add_device = fn('Puts a device into a group.', function* iommu_group_add_device(group: IommuGroup, dev: Device) {
  dev.iommu_group = group;
  atCall('list_add_tail');
  group.devices.push(dev);
  return 0;
});

export const iommu_group_remove_device = fn('Takes a device out of its group.', function* iommu_group_remove_device(dev: Device) {
  const group = dev.iommu_group;
  at('group');
  if (group === undefined) return;
  group.devices.splice(group.devices.indexOf(dev), 1);
  at('iommu_group');
  dev.iommu_group = undefined;
});

export const iommu_group_ref_get = fn('Takes a reference on a group.', function* iommu_group_ref_get(group: IommuGroup) {
  atCall('kobject_get');
  return group;
});

export const iommu_group_put = fn('Drops a reference on a group.', function* iommu_group_put(_group: IommuGroup) {
  atCall('kobject_put');
});

export const iommu_group_get = fn(
  'The group of a device. It was made when the device was found, from what the IOMMU can tell apart: two functions that could reach each other behind the IOMMU’s back share one.',
  function* iommu_group_get(dev: Device) {
    at('iommu_group');
    return dev.iommu_group;
  },
);

export const iommu_group_id = fn('The number under which user space knows the group.', function* iommu_group_id(group: IommuGroup) {
  at('id');
  return group.id;
});

const iommu_bus_notifier = fn(
  'Hears of devices that come and go on the bus, to put them into groups. That a driver is bound does not matter to it.',
  function* iommu_bus_notifier(_action: number, _dev: Device) {
    at('action');
  },
);
/** Where the IOMMU core asks a bus to be told. */
export const iommu_subsys_init = ops('iommu_subsys_init', { iommu_bus_notifier });

export const device_iommu_capable = fn(
  'Asks the IOMMU of a device for a property.',
  function* device_iommu_capable(dev: Device, cap: IommuCap) {
    at('ops');
    return dev.iommu === undefined ? false : yield* through('function pointer', 'capable', dev.iommu.ops.capable)(dev, cap);
  },
);

const __iommu_attach_device = fn(
  'Puts one device into a domain: its IOMMU driver knows how.',
  function* __iommu_attach_device(domain: IommuDomain, dev: Device) {
    return yield* through('function pointer', 'attach_dev', domain.ops.attach_dev)(domain, dev);
  },
);

const iommu_group_do_attach_device = fn(
  'The same for each device of a group.',
  function* iommu_group_do_attach_device(domain: IommuDomain, dev: Device) {
    return yield* __iommu_attach_device(domain, dev);
  },
);

const __iommu_group_for_each_dev = fn(
  'Calls a function for each device of a group until one refuses.',
  function* __iommu_group_for_each_dev(group: IommuGroup, visit: Pointer<[dev: Device], number>) {
    for (const dev of group.devices) {
      const ret = yield* through('function pointer', 'fn', visit)(dev);
      if (ret !== 0) return ret;
    }
    return 0;
  },
);

const __iommu_device_set_domain = fn(
  'Moves one device. Firmware may have asked that it can always reach some memory: then it may not be blocked.',
  function* __iommu_device_set_domain(_group: IommuGroup, dev: Device, new_domain: IommuDomain) {
    return yield* __iommu_attach_device(new_domain, dev);
  },
);

const __iommu_group_set_domain_internal = fn(
  'Moves every device of a group into another domain. In between, a device is in the one or the other, never in neither.',
  function* __iommu_group_set_domain_internal(group: IommuGroup, new_domain: IommuDomain) {
    at('domain');
    if (group.domain === new_domain) return 0;
    for (const dev of group.devices) {
      const ret = yield* __iommu_device_set_domain(group, dev, new_domain);
      if (ret !== 0) return ret;
    }
    group.domain = new_domain;
    return 0;
  },
);

const __iommu_group_set_domain = fn(
  'Moves a group into another domain, all its devices or none.',
  function* __iommu_group_set_domain(group: IommuGroup, new_domain: IommuDomain) {
    if (since('linux', '6.4')) return yield* __iommu_group_set_domain_internal(group, new_domain);
    at('domain');
    if (group.domain === new_domain) return 0;
    const ret = yield* __iommu_group_for_each_dev(group, addressOf(bound(iommu_group_do_attach_device, () => new_domain)));
    if (ret === 0) group.domain = new_domain;
    return ret;
  },
);

/** Moves a group where it always may go. */
function* set_domain_nofail(group: IommuGroup, domain: IommuDomain | undefined): Run {
  if (domain === undefined) return;
  if (since('linux', '6.4')) yield* via('__iommu_group_set_domain_nofail', __iommu_group_set_domain_internal)(group, domain);
  else yield* __iommu_group_set_domain(group, domain);
}

const __iommu_domain_alloc = fn(
  'Allocates a domain of some type. Not every IOMMU driver knows every type.',
  function* __iommu_domain_alloc({ ops: driver }: DevIommu, type: IommuDomainType) {
    if (type === IOMMU_DOMAIN_BLOCKED && driver.blocked_domain !== undefined) {
      at('blocked_domain');
      return driver.blocked_domain;
    }
    return yield* through('function pointer', 'domain_alloc', driver.domain_alloc)(type);
  },
);

const __iommu_group_domain_alloc = fn(
  'Allocates a domain that suits a group’s devices.',
  function* __iommu_group_domain_alloc(iommu: DevIommu, type: IommuDomainType) {
    return yield* __iommu_domain_alloc(iommu, type);
  },
);

export const iommu_domain_alloc = fn(
  'Allocates a domain that the caller fills: for VFIO, with the memory of a virtual machine.',
  function* iommu_domain_alloc(iommu: DevIommu) {
    return yield* __iommu_domain_alloc(iommu, IOMMU_DOMAIN_UNMANAGED);
  },
);

export const iommu_paging_domain_alloc = fn(
  'Allocates a domain that the caller fills: for VFIO, with the memory of a virtual machine.',
  function* iommu_paging_domain_alloc(dev: Device) {
    at('dev_has_iommu');
    return dev.iommu === undefined ? undefined : yield* __iommu_domain_alloc(dev.iommu, IOMMU_DOMAIN_UNMANAGED);
  },
);

export const iommu_domain_free = fn('Frees a domain with its page table.', function* iommu_domain_free(domain: IommuDomain) {
  yield* through('function pointer', 'free', domain.ops.free)(domain);
});

const __iommu_group_alloc_blocking_domain = fn(
  'Makes sure that the group has a domain in which nothing is mapped: one that blocks by its nature, or an empty one.',
  function* __iommu_group_alloc_blocking_domain(group: IommuGroup) {
    at('blocking_domain');
    if (group.blocking_domain !== undefined) return 0;
    const iommu = group.devices[0]?.iommu;
    if (iommu === undefined) return -EINVAL;
    const alloc = since('linux', '6.6') ? __iommu_group_domain_alloc : __iommu_domain_alloc;
    const domain = (yield* alloc(iommu, IOMMU_DOMAIN_BLOCKED)) ?? (yield* alloc(iommu, IOMMU_DOMAIN_UNMANAGED));
    atWrite('blocking_domain', 'return');
    group.blocking_domain = domain;
    return domain === undefined ? -EINVAL : 0;
  },
);

const __iommu_take_dma_ownership = fn(
  'The owner changes: from now on the devices reach nothing, until the owner gives them a domain.',
  function* __iommu_take_dma_ownership(group: IommuGroup, owner: Instance) {
    return yield* take_ownership(group, owner);
  },
);

/** What claiming a group comes to, once nobody else has it. */
function* take_ownership(group: IommuGroup, owner: Instance): Run<number> {
  at('default_domain');
  if (group.domain !== group.default_domain) return -EBUSY;
  const failed = yield* __iommu_group_alloc_blocking_domain(group);
  if (failed !== 0) return failed;
  const ret = yield* __iommu_group_set_domain(group, group.blocking_domain!);
  if (ret !== 0) return ret;
  group.owner = owner;
  atWrite('owner_cnt', '__iommu_group_set_domain');
  group.owner_cnt += 1;
  return 0;
}

export const iommu_group_claim_dma_owner = fn(
  'A user of this group’s devices wants to decide what they can reach. Refused while a driver of the host relies on the group’s domain; granted, it first cuts the devices off from all memory.',
  function* iommu_group_claim_dma_owner(group: IommuGroup, owner: Instance) {
    return yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      if (group.owner_cnt > 0) return -EPERM;
      if (since('linux', '6.2')) return yield* __iommu_take_dma_ownership(group, owner);
      return yield* take_ownership(group, owner);
    });
  },
);

const __iommu_release_dma_ownership = fn(
  'The group goes back to the domain of the kernel’s own DMA.',
  function* __iommu_release_dma_ownership(group: IommuGroup) {
    yield* release_ownership(group);
  },
);

function* release_ownership(group: IommuGroup): Run {
  at('owner_cnt');
  group.owner_cnt = 0;
  group.owner = undefined;
  yield* set_domain_nofail(group, group.default_domain);
}

export const iommu_group_release_dma_owner = fn(
  'The user of this group’s devices is gone.',
  function* iommu_group_release_dma_owner(group: IommuGroup) {
    yield* holding(group.mutex, MUTEX, () => (since('linux', '6.2') ? __iommu_release_dma_ownership(group) : release_ownership(group)));
  },
);

export const iommu_device_claim_dma_owner = fn(
  'The same for one device at a time: others of its group may join, as long as it is for the same owner.',
  function* iommu_device_claim_dma_owner(dev: Device, owner: Instance) {
    const group = dev.iommu_group;
    at('iommu_group');
    if (group === undefined) return -ENODEV;
    return yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      if (group.owner_cnt === 0) return yield* __iommu_take_dma_ownership(group, owner);
      if (group.owner !== owner) return -EPERM;
      group.owner_cnt += 1;
      return 0;
    });
  },
);

export const iommu_device_release_dma_owner = fn(
  'One device less of the owner’s. With the last one the group goes back to the kernel.',
  function* iommu_device_release_dma_owner(dev: Device) {
    const group = dev.iommu_group;
    at('iommu_group');
    if (group === undefined) return;
    yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      if (group.owner_cnt > 1) group.owner_cnt -= 1;
      else yield* __iommu_release_dma_ownership(group);
    });
  },
);

export const iommu_device_use_default_domain = fn(
  'A driver of the host is about to use the kernel’s DMA API: it relies on the default domain, so the group cannot be given away.',
  function* iommu_device_use_default_domain(dev: Device) {
    const group = dev.iommu_group;
    at('iommu_group');
    if (group === undefined) return 0;
    return yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      if (group.owner_cnt > 0 && (group.domain !== group.default_domain || group.owner !== undefined)) return -EBUSY;
      group.owner_cnt += 1;
      return 0;
    });
  },
);

export const iommu_device_unuse_default_domain = fn(
  'The driver of the host is gone, and no longer relies on the default domain.',
  function* iommu_device_unuse_default_domain(dev: Device) {
    const group = dev.iommu_group;
    at('iommu_group');
    if (group === undefined) return;
    yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      if (group.owner_cnt > 0) group.owner_cnt -= 1;
    });
  },
);

export const iommu_group_dma_owner_claimed = fn(
  'Whether anybody, driver or user, relies on the domain that the group is in.',
  function* iommu_group_dma_owner_claimed(group: IommuGroup) {
    return yield* holding(group.mutex, MUTEX, function* () {
      at('owner_cnt');
      return group.owner_cnt > 0;
    });
  },
);

export const iommu_group_has_isolated_msi = fn(
  'Whether no device of the group can send the interrupts of another: the IOMMU has to translate messages too.',
  function* iommu_group_has_isolated_msi(group: IommuGroup) {
    return yield* holding(group.mutex, MUTEX, function* () {
      atCall('msi_device_has_isolated_msi');
      return group.devices.every(({ iommu }) => iommu?.isolated_msi === true);
    });
  },
);

export const iommu_group_for_each_dev = fn(
  'Calls a function for each device of a group until one says that it is enough.',
  function* iommu_group_for_each_dev(group: IommuGroup, visit: Pointer<[dev: Device], number>) {
    return yield* holding(group.mutex, MUTEX, function* () {
      if (!since('linux', '6.6')) return yield* __iommu_group_for_each_dev(group, visit);
      for (const dev of group.devices) {
        const ret = yield* through('function pointer', 'fn', visit)(dev);
        if (ret !== 0) return ret;
      }
      return 0;
    });
  },
);

const __iommu_attach_group = fn(
  'Puts a group into a domain, unless it is in somebody else’s.',
  function* __iommu_attach_group(domain: IommuDomain, group: IommuGroup) {
    at('blocking_domain');
    if (group.domain !== group.default_domain && group.domain !== group.blocking_domain) return -EBUSY;
    if (since('linux', '6.4')) return yield* __iommu_group_set_domain(group, domain);
    const ret = yield* __iommu_group_for_each_dev(group, addressOf(bound(iommu_group_do_attach_device, () => domain)));
    if (ret === 0) {
      atWrite('domain', 'iommu_group_do_attach_device');
      group.domain = domain;
    }
    return ret;
  },
);

export const iommu_attach_group = fn(
  'Puts a group into a domain: its devices reach what is mapped there, and nothing else.',
  function* iommu_attach_group(domain: IommuDomain, group: IommuGroup) {
    return yield* holding(group.mutex, MUTEX, () => __iommu_attach_group(domain, group));
  },
);

export const iommu_attach_group_handle = fn(
  'Puts a group into a domain and remembers for whom, so that faults find their owner.',
  function* iommu_attach_group_handle(domain: IommuDomain, group: IommuGroup) {
    return yield* holding(group.mutex, MUTEX, () => __iommu_attach_group(domain, group));
  },
);

const __iommu_group_set_core_domain = fn(
  'Out of the domain: to the kernel’s, or, while a user owns the group, to the one that blocks.',
  function* __iommu_group_set_core_domain(group: IommuGroup) {
    at('owner');
    yield* set_domain_nofail(group, group.owner === undefined ? group.default_domain : group.blocking_domain);
  },
);

export const iommu_detach_group = fn(
  'Takes a group out of a domain.',
  function* iommu_detach_group(_domain: IommuDomain, group: IommuGroup) {
    yield* holding(group.mutex, MUTEX, () => __iommu_group_set_core_domain(group));
  },
);

export const iommu_detach_group_handle = fn(
  'Takes a group out of a domain.',
  function* iommu_detach_group_handle(_domain: IommuDomain, group: IommuGroup) {
    yield* holding(group.mutex, MUTEX, () => __iommu_group_set_core_domain(group));
  },
);

export const iommu_get_resv_regions = fn(
  'Asks the IOMMU driver which addresses of a device are not memory.',
  function* iommu_get_resv_regions(dev: Device, list: IommuResvRegion[]) {
    if (dev.iommu !== undefined) yield* through('function pointer', 'get_resv_regions', dev.iommu.ops.get_resv_regions)(dev, list);
  },
);

export const iommu_get_group_resv_regions = fn(
  'Collects the addresses that are not memory for some device of the group.',
  function* iommu_get_group_resv_regions(group: IommuGroup, head: IommuResvRegion[]) {
    return yield* holding(group.mutex, MUTEX, function* () {
      for (const dev of group.devices) yield* iommu_get_resv_regions(dev, head);
      return 0;
    });
  },
);

const __iommu_map_pages = fn(
  'Maps as much as fits into pages of one size.',
  function* __iommu_map_pages(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number) {
    return yield* through('function pointer', 'map_pages', domain.ops.map_pages)(domain, iova, paddr, size, prot);
  },
);

const __iommu_map = fn(
  'Maps a range, in pages as large as its alignment allows.',
  function* __iommu_map(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number) {
    if (!since('linux', '6.8')) return yield* __iommu_map_pages(domain, iova, paddr, size, prot);
    atCall('iommu_pgsize');
    behind('iommu_pgsize');
    return yield* through('function pointer', 'map_pages', domain.ops.map_pages)(domain, iova, paddr, size, prot);
  },
);

const _iommu_map = fn(
  'Maps a range and lets the hardware know, where it remembers that there was nothing.',
  function* _iommu_map(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number) {
    return yield* map_and_sync(domain, iova, paddr, size, prot);
  },
);

function* map_and_sync(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number): Run<number> {
  const ret = yield* __iommu_map(domain, iova, paddr, size, prot);
  if (ret === 0) yield* through('function pointer', 'iotlb_sync_map', domain.ops.iotlb_sync_map)(domain, iova, size);
  return ret;
}

export const iommu_map = fn(
  'Lets the devices of a domain reach a range of physical memory under an I/O virtual address. All sizes are in bytes.',
  function* iommu_map(domain: IommuDomain, iova: number, paddr: number, size: number, prot: number) {
    if (since('linux', '6.3')) return yield* map_and_sync(domain, iova, paddr, size, prot);
    return yield* _iommu_map(domain, iova, paddr, size, prot);
  },
);

const __iommu_unmap_pages = fn(
  'Unmaps as much as lies in pages of one size.',
  function* __iommu_unmap_pages(domain: IommuDomain, iova: number, size: number) {
    return yield* through('function pointer', 'unmap_pages', domain.ops.unmap_pages)(domain, iova, size);
  },
);

const __iommu_unmap = fn(
  'Unmaps a range and says how many bytes of it were mapped.',
  function* __iommu_unmap(domain: IommuDomain, iova: number, size: number) {
    if (!since('linux', '6.8')) return yield* __iommu_unmap_pages(domain, iova, size);
    atCall('iommu_pgsize');
    behind('iommu_pgsize');
    return yield* through('function pointer', 'unmap_pages', domain.ops.unmap_pages)(domain, iova, size);
  },
);

export const iommu_unmap = fn(
  'Takes a range away from the devices of a domain, and waits until the hardware has forgotten it.',
  function* iommu_unmap(domain: IommuDomain, iova: number, size: number) {
    const unmapped = yield* __iommu_unmap(domain, iova, size);
    atCall('iommu_iotlb_sync');
    return unmapped;
  },
);

export const iommu_unmap_fast = fn(
  'Takes a range away but does not wait: the caller has to, before the memory is used for something else.',
  function* iommu_unmap_fast(domain: IommuDomain, iova: number, size: number) {
    return yield* __iommu_unmap(domain, iova, size);
  },
);

export const iommu_iova_to_phys = fn(
  'The physical address behind an I/O virtual one; 0 where there is none. The page table is the only place where this is kept.',
  function* iommu_iova_to_phys(domain: IommuDomain, iova: number) {
    at('type');
    if (domain.type === IOMMU_DOMAIN_BLOCKED) return 0;
    return yield* through('function pointer', 'iova_to_phys', domain.ops.iova_to_phys)(domain, iova);
  },
);
