import type { History } from '../history';
import { cpus } from './qemu/cpus';
import { devices } from './qemu/devices';
import { names } from './qemu/names';
import { vfio } from './qemu/vfio';

/** QEMU; models name things as 7.2 does. That facts begin and end where they say was seen in each release up to 10.2 but 9.1 and 10.1. */
export const qemu: History = {
  checked: ['5.2', '7.2', '10.0.13', '10.2.2'],
  names,
  files: { ...cpus, ...devices, ...vfio },
};
