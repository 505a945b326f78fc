import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { holding, MUTEX } from '../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { EINVAL, ENODEV } from '../../errno';
import type { VfioDevice } from '../../include/linux/vfio';
import type { IommufdFile } from '../iommu/iommufd/main';
import { vfio_device_block_group, vfio_device_unblock_group } from './group';
import {
  vfio_allocate_device_file,
  vfio_df_close,
  vfio_df_open,
  vfio_device_get_kvm_safe,
  vfio_device_put_kvm,
  vfio_device_try_get_registration,
  type VfioDeviceFile,
} from './vfio_main';

/** A device’s own node, /dev/vfio/devices/vfioN, which needs no group and no container, but an iommufd. */

const { fn } = source('linux', 'drivers/vfio/device_cdev.c');

export const vfio_device_fops_cdev_open = fn(
  'Opens the device’s node. The file can be used for nothing yet except to bind it.',
  function* vfio_device_fops_cdev_open(device: VfioDevice): Run<VfioDeviceFile | number> {
    if (!(yield* vfio_device_try_get_registration(device))) return -ENODEV;
    const df = yield* vfio_allocate_device_file(device);
    at('private_data');
    return df;
  },
);

const vfio_df_get_kvm_safe = fn(
  'The device gets a reference on the virtual machine that the file was given to.',
  function* vfio_df_get_kvm_safe(df: VfioDeviceFile) {
    yield* vfio_device_get_kvm_safe(df.device, df.kvm);
  },
);

export const vfio_df_ioctl_bind_iommufd = fn(
  'VFIO_DEVICE_BIND_IOMMUFD: opens the device on behalf of an iommufd, which from now on owns its DMA. It excludes the way by the group, and is excluded by it.',
  function* vfio_df_ioctl_bind_iommufd(df: VfioDeviceFile, { ictx }: IommufdFile) {
    const { device } = df;
    at('group');
    if (df.group !== undefined) return -EINVAL;
    const blocked = yield* vfio_device_block_group(device);
    if (blocked !== 0) return blocked;
    const ret = yield* holding(device.dev_set!.lock, MUTEX, function* () {
      at('access_granted');
      if (df.access_granted) {
        behind('vfio_device_put_kvm');
        return -EINVAL;
      }
      atCall('iommufd_ctx_from_fd');
      df.iommufd = ictx;
      yield* vfio_df_get_kvm_safe(df);
      const failed = yield* vfio_df_open(df);
      if (failed !== 0) {
        yield* vfio_device_put_kvm(device);
        atWrite('iommufd', 'vfio_device_put_kvm');
        df.iommufd = undefined;
        behind('vfio_device_put_kvm');
        return failed;
      }
      device.cdev_opened = true;
      atCall('smp_store_release');
      df.access_granted = true;
      return 0;
    });
    if (ret !== 0) yield* vfio_device_unblock_group(device);
    return ret;
  },
);

export const vfio_df_unbind_iommufd = fn(
  'The file is closed: the device loses its iommufd, and its group can be opened again.',
  function* vfio_df_unbind_iommufd(df: VfioDeviceFile) {
    const { device } = df;
    at('access_granted');
    if (!df.access_granted) return;
    yield* holding(device.dev_set!.lock, MUTEX, function* () {
      yield* vfio_df_close(df);
      yield* vfio_device_put_kvm(device);
      device.cdev_opened = false;
    });
    yield* vfio_device_unblock_group(device);
  },
);

export const vfio_df_ioctl_attach_pt = fn(
  'VFIO_DEVICE_ATTACH_IOMMUFD_PT: puts the device into an address space of the iommufd.',
  function* vfio_df_ioctl_attach_pt(df: VfioDeviceFile, pt_id: number) {
    const { device } = df;
    return yield* holding(device.dev_set!.lock, MUTEX, function* () {
      const { attach_ioas } = device.ops;
      return attach_ioas === undefined ? -EINVAL : yield* through('function pointer', 'attach_ioas', attach_ioas)(device, pt_id);
    });
  },
);

export const vfio_df_ioctl_detach_pt = fn(
  'VFIO_DEVICE_DETACH_IOMMUFD_PT: takes the device out of its address space. Its DMA is blocked afterwards.',
  function* vfio_df_ioctl_detach_pt(df: VfioDeviceFile) {
    const { device } = df;
    return yield* holding(device.dev_set!.lock, MUTEX, function* () {
      const { detach_ioas } = device.ops;
      if (detach_ioas !== undefined) yield* through('function pointer', 'detach_ioas', detach_ioas)(device);
      return 0;
    });
  },
);
