import type { History } from '../history';
import { cpus } from './qemu/cpus';
import { devices } from './qemu/devices';
import { names } from './qemu/names';
import { vfio } from './qemu/vfio';

/** QEMU; models name things as 7.2 does. */
export const qemu: History = {
  checked: ['5.2', '7.2', '10.0', '10.2'],
  names,
  files: { ...cpus, ...devices, ...vfio },
};
