import { source, through } from '../../../engine/fn';
import { vfio_device_fops, type VfioDeviceFile } from '../drivers/vfio/vfio_main';

/** read(2) and write(2), on their way to a file's own operations. */

const { fn, ops } = source('linux', 'fs/read_write.c');

const vfs_read = fn(
  'Checks the access and calls the file’s read operation.',
  function* vfs_read(file: VfioDeviceFile, region: number, offset: number, count: number) {
    return yield* through('function pointer', 'read', vfio_device_fops.read)(file, region, offset, count);
  },
);

const vfs_write = fn(
  'Checks the access and calls the file’s write operation.',
  function* vfs_write(file: VfioDeviceFile, region: number, offset: number, count: number, value: number) {
    return yield* through('function pointer', 'write', vfio_device_fops.write)(file, region, offset, count, value);
  },
);

const ksys_pread64 = fn('pread64(2).', function* ksys_pread64(file: VfioDeviceFile, region: number, offset: number, count: number) {
  return yield* vfs_read(file, region, offset, count);
});

const ksys_pwrite64 = fn(
  'pwrite64(2).',
  function* ksys_pwrite64(file: VfioDeviceFile, region: number, offset: number, count: number, value: number) {
    return yield* vfs_write(file, region, offset, count, value);
  },
);

/** The system calls that lead here. */
export const pread64 = ops('pread64', { ksys_pread64 });
export const pwrite64 = ops('pwrite64', { ksys_pwrite64 });
