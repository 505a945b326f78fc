import type { History } from '../history';
import { cpus } from './qemu/cpus';
import { devices } from './qemu/devices';
import { names } from './qemu/names';
import { vfio } from './qemu/vfio';

/** QEMU; models name things as 7.2 does. */
export const qemu: History = {
  checked: ['5.2', '6.0', '6.1', '6.2', '7.0', '7.1', '7.2', '8.0', '8.1', '8.2', '9.0', '9.2.4', '10.0.13', '10.2.2'],
  names,
  files: { ...cpus, ...devices, ...vfio },
};
