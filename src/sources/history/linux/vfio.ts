import type { History } from '../../history';
import { device } from './vfio/device';
import { group } from './vfio/group';
import { mdev } from './vfio/mdev';
import { pci } from './vfio/pci';
import { type1 } from './vfio/type1';

/** `drivers/vfio` and `samples/vfio-mdev`. */
export const vfio: History['files'] = { ...device, ...group, ...mdev, ...pci, ...type1 };
