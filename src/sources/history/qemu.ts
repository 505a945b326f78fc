import type { History } from '../history';

export const qemu: History = {
  checked: ['5.2', '7.2', '10.0'],
  names: {},
  files: {},
};
