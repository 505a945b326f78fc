import { source, through, type Fn, type Pointer } from '../../../../engine/fn';

/** Files of sysfs: an attribute of an object, with a function behind it. */

/** The store operation of an object's attributes; object and attribute are filled in. */
export interface SysfsFile {
  readonly store: Pointer<[buf: string], number>;
}

/** An attribute of an object, with the function behind writing to it. */
export interface Attribute<T> {
  readonly of: T;
  readonly store: Fn<[of: T, buf: string], number>;
}

const { fn, ops } = source('linux', 'fs/sysfs/file.c');

const sysfs_kf_write = fn(
  'Hands what was written to the store operation of the object’s type.',
  function* sysfs_kf_write(file: SysfsFile, buf: string) {
    return yield* through('function pointer', 'store', file.store)(buf);
  },
);

export const sysfs_file_kfops_wo = ops('sysfs_file_kfops_wo', { write: sysfs_kf_write });
