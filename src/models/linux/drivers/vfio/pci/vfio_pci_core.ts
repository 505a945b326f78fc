import { source } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import { at } from '../../../../../engine/steps';
import { EINVAL, ENOTTY } from '../../../errno';
import { VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_NUM_IRQS } from '../../../include/uapi/linux/vfio';
import { vfio_set_irqs_validate_and_prepare, type VfioDeviceIoctl } from '../vfio_main';
import { vfio_pci_config_rw } from './vfio_pci_config';
import { vfio_pci_set_irqs_ioctl, type VfioIrqSet } from './vfio_pci_intrs';
import type { VfioPciCoreDevice } from './vfio_pci_priv';
import { vfio_pci_bar_rw } from './vfio_pci_rdwr';

/** The part of vfio-pci that every PCI driver of VFIO shares. */

const { fn } = source('linux', 'drivers/vfio/pci/vfio_pci_core.c');

const vfio_pci_ioctl_set_irqs = fn(
  'VFIO_DEVICE_SET_IRQS: copies the request in, checks it, and does it under igate.',
  function* vfio_pci_ioctl_set_irqs(vdev: VfioPciCoreDevice, set: VfioIrqSet) {
    const max = vdev['vconfig.PCI_INTERRUPT_PIN'] ? 1 : 0;
    const ret = yield* vfio_set_irqs_validate_and_prepare(set, max, VFIO_PCI_NUM_IRQS);
    if (ret !== 0) return ret;
    yield* acquire(vdev.igate, 'mutex_lock');
    const result = yield* vfio_pci_set_irqs_ioctl(vdev, vdev.vdev.host, set);
    release(vdev.igate, 'mutex_unlock');
    return result;
  },
);

export const vfio_pci_core_ioctl = fn(
  'Dispatches the ioctls of a VFIO PCI device.',
  function* vfio_pci_core_ioctl(vdev: VfioPciCoreDevice, arg: VfioDeviceIoctl) {
    if (arg.cmd === 'VFIO_DEVICE_SET_IRQS') return yield* vfio_pci_ioctl_set_irqs(vdev, arg.set);
    at('ENOTTY');
    return -ENOTTY;
  },
);

const vfio_pci_rw = fn(
  'Reads or writes a region: the configuration space or a BAR.',
  function* vfio_pci_rw(vdev: VfioPciCoreDevice, index: number, offset: number, value: number | undefined) {
    switch (index) {
      case VFIO_PCI_CONFIG_REGION_INDEX:
        return yield* vfio_pci_config_rw(vdev, offset, value);
      case VFIO_PCI_BAR0_REGION_INDEX:
        return yield* vfio_pci_bar_rw(vdev, offset, value);
      default:
        return -EINVAL;
    }
  },
);

export const vfio_pci_core_read = fn(
  'read(2) of a region.',
  function* vfio_pci_core_read(vdev: VfioPciCoreDevice, region: number, offset: number) {
    return yield* vfio_pci_rw(vdev, region, offset, undefined);
  },
);

export const vfio_pci_core_write = fn(
  'write(2) to a region.',
  function* vfio_pci_core_write(vdev: VfioPciCoreDevice, region: number, offset: number, _count: number, value: number) {
    return yield* vfio_pci_rw(vdev, region, offset, value);
  },
);
