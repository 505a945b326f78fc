import { source, through } from '../../../../engine/fn';
import { at, behind } from '../../../../engine/steps';
import { EINVAL } from '../../errno';
import type { VfioDevice } from '../../include/linux/vfio';
import { iommufd_device_attach, iommufd_device_bind, iommufd_device_detach, iommufd_device_unbind } from '../iommu/iommufd/device';
import type { IommufdCtx } from '../iommu/iommufd/main';
import type { VfioDeviceFile } from './vfio_main';

/** Devices of VFIO whose way to memory is an iommufd. */

const { fn } = source('linux', 'drivers/vfio/iommufd.c');

export const vfio_df_iommufd_bind = fn(
  'Binds the device to the iommufd: how, its driver says.',
  function* vfio_df_iommufd_bind({ device, iommufd }: VfioDeviceFile) {
    const { bind_iommufd } = device.ops;
    at('bind_iommufd');
    return bind_iommufd === undefined ? -EINVAL : yield* through('function pointer', 'bind_iommufd', bind_iommufd)(device, iommufd!);
  },
);

export const vfio_df_iommufd_unbind = fn(
  'Takes the device away from the iommufd.',
  function* vfio_df_iommufd_unbind({ device }: VfioDeviceFile) {
    const { unbind_iommufd } = device.ops;
    at('unbind_iommufd');
    if (unbind_iommufd !== undefined) {
      behind('unbind_iommufd');
      yield* through('function pointer', 'unbind_iommufd', unbind_iommufd)(device);
    }
  },
);

export const vfio_iommufd_physical_bind = fn(
  'A device that masters the bus: the iommufd claims its DMA.',
  function* vfio_iommufd_physical_bind(vdev: VfioDevice, ictx: IommufdCtx) {
    const idev = yield* iommufd_device_bind(ictx, vdev.dev);
    if (typeof idev === 'number') return idev;
    vdev.iommufd_device = idev;
    return 0;
  },
);

export const vfio_iommufd_physical_unbind = fn(
  'Takes the device out of its address space, if it is in one, and gives its DMA back.',
  function* vfio_iommufd_physical_unbind(vdev: VfioDevice) {
    at('iommufd_device');
    if (vdev.iommufd_device === undefined) return;
    if (vdev.iommufd_attached) {
      yield* iommufd_device_detach(vdev.iommufd_device);
      vdev.iommufd_attached = false;
    }
    yield* iommufd_device_unbind(vdev.iommufd_device);
    vdev.iommufd_device = undefined;
  },
);

export const vfio_iommufd_physical_attach_ioas = fn(
  'Puts the device into an address space.',
  function* vfio_iommufd_physical_attach_ioas(vdev: VfioDevice, pt_id: number) {
    at('iommufd_device');
    if (vdev.iommufd_device === undefined || vdev.iommufd_attached) return -EINVAL;
    const rc = yield* iommufd_device_attach(vdev.iommufd_device, pt_id);
    if (rc !== 0) return rc;
    vdev.iommufd_attached = true;
    return 0;
  },
);

export const vfio_iommufd_physical_detach_ioas = fn(
  'Takes the device out of its address space.',
  function* vfio_iommufd_physical_detach_ioas(vdev: VfioDevice) {
    at('iommufd_attached');
    if (vdev.iommufd_device === undefined || !vdev.iommufd_attached) return;
    yield* iommufd_device_detach(vdev.iommufd_device);
    vdev.iommufd_attached = false;
  },
);
