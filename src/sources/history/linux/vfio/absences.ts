import type { Fact } from '../../../history';
import { before } from '../../backports';

/** Why things are absent in whole ranges of versions, where several files need the same sentence. */

export const BORROWED_KVM = 'until 6.3 an open device takes no reference on the virtual machine: it borrows its group’s pointer';
export const CLOSED_INLINE = 'until 6.2 vfio_device_fops_release closes the device itself';
export const COUNTED_BY_LIST =
  'before 5.13 and 5.10.137 a device on its group’s list has a reference: vfio_device_get can always take another';
export const FINDS_ITS_GROUP = 'until 5.16 whoever registers a device finds its group';
export const MADE_IN_GROUP =
  'before 5.13 and 5.10.137 vfio_group_create_device allocates the VFIO device, fills it in and puts it on its group’s list';
export const NO_CDEV = 'until 6.6 a VFIO device has no node of its own: it is opened through its group';
export const NO_DEVICE_IN_MEMORY = 'until 6.1 the driver allocates its device, and frees it, by itself';
export const NO_NOTIFY = 'only from 5.12 to 6.2 is the backend told that the container’s file is closed';
export const OPENED_INLINE = 'until 5.19 vfio_group_get_device_fd opens the device itself, and makes its file';
export const NO_CHECK_OF_ACCESS = 'until 6.6 a device’s file is made when its device is open: nothing has to be checked';

/** What holds until a VFIO device is set up and registered in steps: until then vfio_add_group_dev makes one, and its references keep it. */
export const beforeRegistering = (fact: Fact): readonly Fact[] => before('5.13', ['5.10.137'], fact);

/** Until 5.19 a device's driver is asked right where the group's ioctl opens it. */
export const OPENED_BY_IOCTL: readonly Fact[] = [
  { until: '5.15', symbol: 'vfio_group_get_device_fd', anchor: 'name open', absent: OPENED_INLINE },
  { until: '5.19', symbol: 'vfio_group_get_device_fd', anchor: 'name open_device', absent: OPENED_INLINE },
];
/** Until 6.2 its driver is told right where its file is closed. */
export const CLOSED_BY_RELEASE: readonly Fact[] = [
  { until: '5.15', symbol: 'vfio_device_fops_release', anchor: 'name release', absent: CLOSED_INLINE },
  { until: '6.2', symbol: 'vfio_device_fops_release', anchor: 'name close_device', absent: CLOSED_INLINE },
];
