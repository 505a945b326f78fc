import type { History } from '../history';

export const acrn: History = {
  checked: ['3.0', '3.1', '3.2', '3.3', '3.4'],
  names: {},
  files: {},
};
