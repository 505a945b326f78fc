import { bool, int, pointer, struct, type InstanceOf } from '../../../../../engine/cell';
import { addressOf, boundPointer, source, through, via, type Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { holding, Mutex, MUTEX } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import { EINVAL, ENODEV, ENOENT, EPERM } from '../../../errno';
import type { Device } from '../../../include/linux/device';
import {
  device_iommu_capable,
  iommu_attach_group_handle,
  iommu_detach_group_handle,
  iommu_device_claim_dma_owner,
  iommu_device_release_dma_owner,
  iommu_group_get,
  iommu_group_has_isolated_msi,
  type IommuDomain,
  type IommuGroup,
} from '../iommu';
import { iommufd_hwpt_paging_alloc, type IommufdHwptPaging } from './hw_pagetable';
import { iopt_table_enforce_dev_resv_regions, remove_reserved_iova } from './io_pagetable';
import type { IommufdIoas } from './ioas';
import { add_object, iommufd_object_ops, iommufd_object_remove, type IommufdCtx, type IommufdObject } from './main';

/** Devices in an iommufd: whose DMA it owns, and which address space they are in. */

const IommufdGroupCells = struct('iommufd_group', 'The devices of one IOMMU group in this iommufd; they share a domain.', {
  domain: pointer<IommuDomain>(),
});

export type IommufdGroup = InstanceOf<typeof IommufdGroupCells> & {
  readonly group: IommuGroup;
  readonly lock: Mutex;
  readonly device_list: IommufdDevice[];
  hwpt: IommufdHwptPaging | undefined;
};

const IommufdDeviceCells = struct('iommufd_device', 'A device that is bound to an iommufd.', {
  obj_id: int(),
  enforce_cache_coherency: bool(),
});

export type IommufdDevice = InstanceOf<typeof IommufdDeviceCells> & {
  readonly ictx: IommufdCtx;
  readonly dev: Device;
  readonly igroup: IommufdGroup;
  readonly obj: IommufdObject;
};

type Attach = Pointer<[idev: IommufdDevice, hwpt: IommufdHwptPaging], number>;

const { fn } = source('linux', 'drivers/iommu/iommufd/device.c');

const iommufd_get_group = fn('The iommufd’s own record of an IOMMU group.', function* iommufd_get_group(ictx: IommufdCtx, dev: Device): Run<
  IommufdGroup | number
> {
  const group = yield* iommu_group_get(dev);
  if (group === undefined) return -ENODEV;
  atCall('xa_load');
  const known = ictx.groups.find((igroup) => igroup.group === group);
  if (known !== undefined) return known;
  const igroup: IommufdGroup = Object.assign(IommufdGroupCells(`group ${group.id}`), {
    group,
    lock: Mutex(`iommufd_group.lock of group ${group.id}`),
    device_list: [],
    hwpt: undefined,
  });
  ictx.groups.push(igroup);
  return igroup;
});

export const iommufd_device_destroy = fn(
  'The device is no longer bound: its DMA goes back to the kernel.',
  function* iommufd_device_destroy(dev: Device) {
    yield* iommu_device_release_dma_owner(dev);
    atCall('iommufd_put_group');
  },
);

export const iommufd_device_bind = fn(
  'Claims the DMA of a device for an iommufd: it is cut off from the host’s memory. Refused, unless its interrupts cannot be taken for another’s.',
  function* iommufd_device_bind(ictx: IommufdCtx, dev: Device): Run<IommufdDevice | number> {
    if (!(yield* device_iommu_capable(dev, 'IOMMU_CAP_CACHE_COHERENCY'))) return -EINVAL;
    const igroup = yield* iommufd_get_group(ictx, dev);
    if (typeof igroup === 'number') return igroup;
    if (!(yield* iommu_group_has_isolated_msi(igroup.group))) return -EPERM;
    const claimed = yield* iommu_device_claim_dma_owner(dev, ictx);
    if (claimed !== 0) return claimed;
    const obj = add_object(
      ictx,
      boundPointer(iommufd_object_ops().iommufd_device_destroy, () => dev),
    );
    const idev: IommufdDevice = Object.assign(IommufdDeviceCells(dev.name, { obj_id: obj.id }), { ictx, dev, igroup, obj });
    behind('device_iommu_capable');
    const coherent = yield* device_iommu_capable(dev, 'IOMMU_CAP_ENFORCE_CACHE_COHERENCY');
    idev.enforce_cache_coherency = coherent;
    return idev;
  },
);

export const iommufd_device_unbind = fn('Takes the device out of the iommufd.', function* iommufd_device_unbind(idev: IommufdDevice) {
  yield* via('iommufd_object_destroy_user', iommufd_object_remove)(idev.ictx, idev.obj);
});

const iommufd_device_attach_reserved_iova = fn(
  'What is not memory for this device may not be mapped in its address space.',
  function* iommufd_device_attach_reserved_iova(idev: IommufdDevice, { ioas }: IommufdHwptPaging) {
    return yield* iopt_table_enforce_dev_resv_regions(ioas.iopt, idev.dev);
  },
);

const iommufd_hwpt_attach_device = fn(
  'The first device of a group takes the whole group into the domain.',
  function* iommufd_hwpt_attach_device({ domain }: IommufdHwptPaging, { igroup }: IommufdDevice) {
    return yield* iommu_attach_group_handle(domain, igroup.group);
  },
);

const iommufd_hwpt_detach_device = fn(
  'The last device of a group takes the whole group out of the domain.',
  function* iommufd_hwpt_detach_device({ domain }: IommufdHwptPaging, { igroup }: IommufdDevice) {
    yield* iommu_detach_group_handle(domain, igroup.group);
  },
);

export const iommufd_hw_pagetable_attach = fn(
  'Puts a device into a page table. Devices of one group can only be in the same.',
  function* iommufd_hw_pagetable_attach(hwpt: IommufdHwptPaging, idev: IommufdDevice) {
    const { igroup } = idev;
    return yield* holding(igroup.lock, MUTEX, function* () {
      behind('mutex_lock');
      at('hwpt');
      if (igroup.hwpt !== undefined && igroup.hwpt !== hwpt) return -EINVAL;
      let rc = yield* iommufd_device_attach_reserved_iova(idev, hwpt);
      if (rc === 0 && igroup.device_list.length === 0) {
        rc = yield* iommufd_hwpt_attach_device(hwpt, idev);
        if (rc === 0) {
          igroup.hwpt = hwpt;
          atWrite('hwpt', 'mutex_lock');
          igroup.domain = hwpt.domain;
        }
      }
      if (rc !== 0) {
        remove_reserved_iova(hwpt.ioas.iopt, idev.dev);
        return rc;
      }
      hwpt.users += 1;
      atCall('list_add_tail');
      igroup.device_list.push(idev);
      return 0;
    });
  },
);

const iommufd_hw_pagetable_detach = fn('Takes a device out of its page table.', function* iommufd_hw_pagetable_detach(idev: IommufdDevice) {
  const { igroup } = idev;
  const { hwpt } = igroup;
  at('hwpt');
  if (hwpt === undefined) return undefined;
  yield* holding(igroup.lock, MUTEX, function* () {
    atCall('list_del');
    igroup.device_list.splice(igroup.device_list.indexOf(idev), 1);
    if (igroup.device_list.length === 0) {
      yield* iommufd_hwpt_detach_device(hwpt, idev);
      igroup.hwpt = undefined;
      atWrite('hwpt', 'mutex_lock');
      igroup.domain = undefined;
    }
    remove_reserved_iova(hwpt.ioas.iopt, idev.dev);
  });
  return hwpt;
});

const iommufd_device_do_attach = fn(
  'Attaches a device that is in no address space yet.',
  function* iommufd_device_do_attach(idev: IommufdDevice, hwpt: IommufdHwptPaging) {
    return yield* iommufd_hw_pagetable_attach(hwpt, idev);
  },
);

const iommufd_device_auto_get_domain = fn(
  'An address space was named, not a page table: takes one that suits the device, or makes one.',
  function* iommufd_device_auto_get_domain(idev: IommufdDevice, ioas: IommufdIoas, do_attach: Attach) {
    return yield* holding(ioas.mutex, MUTEX, function* () {
      for (const hwpt of ioas.hwpt_list) {
        const rc = yield* through('function pointer', 'do_attach', do_attach)(idev, hwpt);
        if (rc !== -EINVAL) return rc;
      }
      const made = yield* iommufd_hwpt_paging_alloc(ioas, idev);
      return typeof made === 'number' ? made : 0;
    });
  },
);

const iommufd_device_change_pt = fn(
  'Looks up what user space named by its number.',
  function* iommufd_device_change_pt(idev: IommufdDevice, pt_id: number, do_attach: Attach) {
    atCall('iommufd_get_object');
    const ioas = idev.ictx.ioases.get(pt_id);
    return ioas === undefined ? -ENOENT : yield* iommufd_device_auto_get_domain(idev, ioas, do_attach);
  },
);

export const iommufd_device_attach = fn(
  'Puts a device into an address space: from now on it reaches what is mapped there.',
  function* iommufd_device_attach(idev: IommufdDevice, pt_id: number) {
    return yield* iommufd_device_change_pt(idev, pt_id, addressOf(iommufd_device_do_attach));
  },
);

export const iommufd_device_detach = fn(
  'Takes a device out of its address space. The page table goes with its last device.',
  function* iommufd_device_detach(idev: IommufdDevice) {
    const hwpt = yield* iommufd_hw_pagetable_detach(idev);
    if (hwpt === undefined) return;
    hwpt.users -= 1;
    atCall('iommufd_hw_pagetable_put');
    if (hwpt.users === 0) yield* via('iommufd_hw_pagetable_put', iommufd_object_remove)(idev.ictx, hwpt.obj);
  },
);
