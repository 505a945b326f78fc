import { boundPointer, source, through } from '../../../../../engine/fn';
import { device_driver } from '../../../include/linux/device';
import type { MdevCore, MdevDevice, MdevDriver, MdevParentOps } from '../../../include/linux/mdev';
import type { VfioDeviceIoctl } from '../vfio_main';
import { vfio_add_group_dev } from '../vfio_main';
import { mdev_register_driver } from './mdev_driver';

/** vfio_mdev.ko, until 5.18: the one driver of every mediated device, which passes all on to the parent’s operations. */

const { fn, ops } = source('linux', 'drivers/vfio/mdev/vfio_mdev.c');

function parent_ops({ type: { parent } }: MdevDevice): MdevParentOps {
  if (parent?.ops === undefined) throw new Error('a mediated device has a parent with mdev_parent_ops as long as there is vfio_mdev');
  return parent.ops;
}

const vfio_mdev_open = fn('The device is opened: tells the parent’s driver.', function* vfio_mdev_open(mdev: MdevDevice) {
  return yield* through('function pointer', 'open', parent_ops(mdev).open)(mdev);
});

const vfio_mdev_release = fn('The device is closed: tells the parent’s driver.', function* vfio_mdev_release(mdev: MdevDevice) {
  yield* through('function pointer', 'release', parent_ops(mdev).release)(mdev);
});

const vfio_mdev_unlocked_ioctl = fn(
  'An ioctl on the device: the parent’s driver answers.',
  function* vfio_mdev_unlocked_ioctl(mdev: MdevDevice, arg: VfioDeviceIoctl) {
    return yield* through('function pointer', 'ioctl', parent_ops(mdev).ioctl)(mdev, arg);
  },
);

const vfio_mdev_read = fn(
  'A read of the device: the parent’s driver answers.',
  function* vfio_mdev_read(mdev: MdevDevice, region: number, offset: number, count: number) {
    return yield* through('function pointer', 'read', parent_ops(mdev).read)(mdev, region, offset, count);
  },
);

const vfio_mdev_write = fn(
  'A write to the device: the parent’s driver takes it.',
  function* vfio_mdev_write(mdev: MdevDevice, region: number, offset: number, count: number, value: number) {
    return yield* through('function pointer', 'write', parent_ops(mdev).write)(mdev, region, offset, count, value);
  },
);

const vfio_mdev_dev_ops = ops('vfio_mdev_dev_ops', {
  open: vfio_mdev_open,
  release: vfio_mdev_release,
  ioctl: vfio_mdev_unlocked_ioctl,
  read: vfio_mdev_read,
  write: vfio_mdev_write,
});

const vfio_mdev_probe = fn('Makes a VFIO device of a mediated one.', function* vfio_mdev_probe(core: MdevCore, mdev: MdevDevice) {
  const on = () => mdev;
  return yield* vfio_add_group_dev(core.vfio, mdev.dev, {
    open_device: boundPointer(vfio_mdev_dev_ops.open, on),
    close_device: boundPointer(vfio_mdev_dev_ops.release, on),
    ioctl: boundPointer(vfio_mdev_dev_ops.ioctl, on),
    read: boundPointer(vfio_mdev_dev_ops.read, on),
    write: boundPointer(vfio_mdev_dev_ops.write, on),
  });
});

const vfio_mdev_driver = ops('vfio_mdev_driver', { probe: vfio_mdev_probe });

export const vfio_mdev_init = fn('The module is loaded: registers the driver.', function* vfio_mdev_init(core: MdevCore) {
  const drv: MdevDriver = {
    driver: device_driver('vfio_mdev'),
    device_api: '',
    probe: boundPointer(vfio_mdev_driver.probe, () => core),
  };
  return yield* mdev_register_driver(core, drv);
});
