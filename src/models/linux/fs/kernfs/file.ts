import { source, through } from '../../../../engine/fn';
import { sysfs_file_kfops_wo, type SysfsFile } from '../sysfs/file';

const { fn } = source('linux', 'fs/kernfs/file.c');

export const kernfs_fop_write_iter = fn(
  'write(2) to a file of sysfs: copies the text in and calls what is behind the file.',
  function* kernfs_fop_write_iter(file: SysfsFile, buf: string) {
    return yield* through('function pointer', 'write', sysfs_file_kfops_wo.write)(file, buf);
  },
);
