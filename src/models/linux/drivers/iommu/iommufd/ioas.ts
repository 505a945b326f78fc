import { boundPointer, source } from '../../../../../engine/fn';
import { Mutex } from '../../../../../engine/mutex';
import { at, atCall } from '../../../../../engine/steps';
import { ENOENT } from '../../../errno';
import { IOMMU_READ, IOMMU_WRITE } from '../iommu';
import type { IommufdHwptPaging } from './hw_pagetable';
import { io_pagetable, iopt_map_user_pages, iopt_unmap_all, iopt_unmap_iova, type IoPagetable } from './io_pagetable';
import { add_object, iommufd_object_ops, type IommufdCtx, type IommufdUcmd } from './main';

/** I/O address spaces: what is mapped where, whichever devices look at it. */

export interface IommufdIoas {
  readonly id: number;
  readonly iopt: IoPagetable;
  readonly mutex: Mutex;
  /** The page tables that hold what is mapped here: one per kind of IOMMU. */
  readonly hwpt_list: IommufdHwptPaging[];
}

const { fn } = source('linux', 'drivers/iommu/iommufd/ioas.c');

export const iommufd_ioas_destroy = fn(
  'An address space goes, and with it everything that is mapped in it.',
  function* iommufd_ioas_destroy(ioas: IommufdIoas) {
    yield* iopt_unmap_all(ioas.iopt);
  },
);

const iommufd_ioas_alloc = fn('Makes an empty address space.', function* iommufd_ioas_alloc(ictx: IommufdCtx) {
  const destroy = boundPointer(iommufd_object_ops().iommufd_ioas_destroy, () => ioas);
  const { id } = add_object(ictx, destroy);
  const ioas: IommufdIoas = { id, iopt: io_pagetable(`IOAS ${id}`), mutex: Mutex(`mutex of IOAS ${id}`), hwpt_list: [] };
  ictx.ioases.set(id, ioas);
  return ioas;
});

export const iommufd_ioas_alloc_ioctl = fn(
  'IOMMU_IOAS_ALLOC: makes an address space and says its number.',
  function* iommufd_ioas_alloc_ioctl({ ictx, cmd }: IommufdUcmd<'IOMMU_IOAS_ALLOC'>) {
    const ioas = yield* iommufd_ioas_alloc(ictx);
    at('out_ioas_id');
    cmd.out.ioas_id = ioas.id;
    return 0;
  },
);

export const iommufd_ioas_map = fn(
  'IOMMU_IOAS_MAP: maps memory of the caller into an address space. No device need be there; those that come later get it too.',
  function* iommufd_ioas_map({ ictx, cmd }: IommufdUcmd<'IOMMU_IOAS_MAP'>) {
    atCall('iommufd_get_ioas');
    const ioas = ictx.ioases.get(cmd.ioas_id);
    if (ioas === undefined) return -ENOENT;
    const prot = IOMMU_READ | (cmd.writeable ? IOMMU_WRITE : 0);
    return yield* iopt_map_user_pages(ioas.iopt, { iova: cmd.iova, uptr: cmd.user_va, length: cmd.length, prot, mm: cmd.mm });
  },
);

export const iommufd_ioas_unmap = fn(
  'IOMMU_IOAS_UNMAP: removes what was mapped in a range.',
  function* iommufd_ioas_unmap({ ictx, cmd }: IommufdUcmd<'IOMMU_IOAS_UNMAP'>) {
    atCall('iommufd_get_ioas');
    const ioas = ictx.ioases.get(cmd.ioas_id);
    return ioas === undefined ? -ENOENT : yield* iopt_unmap_iova(ioas.iopt, cmd.iova, cmd.length);
  },
);
