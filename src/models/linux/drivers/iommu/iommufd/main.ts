import { int, struct, type InstanceOf } from '../../../../../engine/cell';
import { boundPointer, source, through, type Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall } from '../../../../../engine/steps';
import { file, type File } from '../../../fs/file_table';
import type { MmStruct } from '../../../include/linux/mm_types';
import { iommufd_device_destroy, type IommufdGroup } from './device';
import { iommufd_hwpt_paging_destroy } from './hw_pagetable';
import { iommufd_ioas_alloc_ioctl, iommufd_ioas_destroy, iommufd_ioas_map, iommufd_ioas_unmap, type IommufdIoas } from './ioas';

/** iommufd: address spaces of devices as objects of one file, /dev/iommu, with numbers that user space names them by. */

/** Something in an iommufd that user space knows by its number, with what frees it. */
export interface IommufdObject {
  readonly id: number;
  readonly destroy: Pointer<[], void>;
}

const IommufdCtxCells = struct('iommufd_ctx', 'An open /dev/iommu, and how many address spaces, page tables and devices it has.', {
  objects: int(),
});

export type IommufdCtx = InstanceOf<typeof IommufdCtxCells> & {
  readonly table: Map<number, IommufdObject>;
  readonly ioases: Map<number, IommufdIoas>;
  readonly groups: IommufdGroup[];
  next_id: number;
};

/** /dev/iommu, open. */
export type IommufdFile = File & { readonly f_op: 'iommufd_fops'; readonly ictx: IommufdCtx };

/** The ioctls of an iommufd. Addresses and lengths in bytes; `mm` is the caller's memory. */
export type IommufdIoctl =
  | { readonly cmd: 'IOMMU_IOAS_ALLOC'; readonly out: { ioas_id: number } }
  | {
      readonly cmd: 'IOMMU_IOAS_MAP';
      readonly ioas_id: number;
      readonly iova: number;
      readonly user_va: number;
      readonly length: number;
      readonly writeable: boolean;
      readonly mm: MmStruct;
    }
  | { readonly cmd: 'IOMMU_IOAS_UNMAP'; readonly ioas_id: number; readonly iova: number; readonly length: number };

/** What an ioctl works on. */
export interface IommufdUcmd<C extends IommufdIoctl['cmd']> {
  readonly ictx: IommufdCtx;
  readonly cmd: Extract<IommufdIoctl, { readonly cmd: C }>;
}

const { fn, ops } = source('linux', 'drivers/iommu/iommufd/main.c');

/** iommufd_object_alloc() and iommufd_object_finalize(): an object gets its number, and user space may use it. */
export function add_object(
  ictx: IommufdCtx,
  destroy: Pointer<[], void>,
  alloc: 'iommufd_object_alloc' | '__iommufd_object_alloc' = 'iommufd_object_alloc',
): IommufdObject {
  const object = { id: ictx.next_id, destroy };
  ictx.next_id += 1;
  ictx.table.set(object.id, object);
  atCall(alloc);
  ictx.objects += 1;
  return object;
}

/** Takes an object out of the file and frees it. */
function* destroy(ictx: IommufdCtx, object: IommufdObject): Run {
  ictx.objects -= 1;
  ictx.table.delete(object.id);
  yield* through('function pointer', 'destroy', object.destroy)();
}

export const iommufd_object_remove = fn(
  'Takes an object out of the file and frees it. Its number is never used again.',
  function* iommufd_object_remove(ictx: IommufdCtx, object: IommufdObject) {
    atCall('xas_store');
    yield* destroy(ictx, object);
    return 0;
  },
);

/** What frees each kind of object. */
export const iommufd_object_ops = () =>
  ops('iommufd_object_ops', { iommufd_ioas_destroy, iommufd_hwpt_paging_destroy, iommufd_device_destroy });

const iommufd_ioctl_ops = () => ops('iommufd_ioctl_ops', { iommufd_ioas_alloc_ioctl, iommufd_ioas_map, iommufd_ioas_unmap });

const iommufd_fops_ioctl = fn(
  'An ioctl on an iommufd: a table says what it takes and who does it.',
  function* iommufd_fops_ioctl({ ictx }: IommufdFile, cmd: IommufdIoctl) {
    at('op');
    const ioctls = iommufd_ioctl_ops();
    switch (cmd.cmd) {
      case 'IOMMU_IOAS_ALLOC':
        return yield* through('function pointer', 'execute', ioctls.iommufd_ioas_alloc_ioctl)({ ictx, cmd });
      case 'IOMMU_IOAS_MAP':
        return yield* through('function pointer', 'execute', ioctls.iommufd_ioas_map)({ ictx, cmd });
      case 'IOMMU_IOAS_UNMAP':
        return yield* through('function pointer', 'execute', ioctls.iommufd_ioas_unmap)({ ictx, cmd });
    }
  },
);

const iommufd_fops_release = fn(
  'The file is closed. What others are made of goes last.',
  function* iommufd_fops_release({ ictx }: IommufdFile) {
    for (const object of [...ictx.table.values()].reverse()) {
      atCall('xa_erase');
      yield* destroy(ictx, object);
    }
  },
);

const release_of = ops('iommufd_fops', { release: iommufd_fops_release });

const iommufd_fops_open = fn('Opens /dev/iommu: nothing is in it yet.', function* iommufd_fops_open(): Run<IommufdFile> {
  atCall('kzalloc');
  const ictx: IommufdCtx = Object.assign(IommufdCtxCells('/dev/iommu'), {
    table: new Map<number, IommufdObject>(),
    ioases: new Map<number, IommufdIoas>(),
    groups: [],
    next_id: 1,
  });
  const opened: IommufdFile = Object.assign(
    file(
      '/dev/iommu',
      boundPointer(release_of.release, () => opened),
    ),
    { f_op: 'iommufd_fops' as const, ictx },
  );
  return opened;
});

export const iommufd_fops = ops('iommufd_fops', { open: iommufd_fops_open, unlocked_ioctl: iommufd_fops_ioctl });
