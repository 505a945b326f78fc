import type { History } from '../../history';

/** `drivers/vfio` and `samples/vfio-mdev`. */
export const vfio: History['files'] = {
  'drivers/vfio/container.c': {
    '*': [{ until: '6.1', path: 'drivers/vfio/vfio_main.c' }],
  },
  'drivers/vfio/group.c': {
    '*': [
      { until: '6.0', path: 'drivers/vfio/vfio.c' },
      { until: '6.2', path: 'drivers/vfio/vfio_main.c' },
    ],
  },
  'drivers/vfio/vfio_main.c': {
    '*': [{ until: '6.0', path: 'drivers/vfio/vfio.c' }],
    vfio_device_try_get_registration: [{ until: '6.0', path: 'drivers/vfio/vfio.c', symbol: 'vfio_device_try_get' }],
  },
};
