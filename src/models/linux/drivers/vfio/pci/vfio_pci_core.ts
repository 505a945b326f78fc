import { source } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import { at, atCall } from '../../../../../engine/steps';
import { EINVAL, ENOTTY } from '../../../errno';
import { PCI_COMMAND, PCI_COMMAND_MEMORY } from '../../../include/uapi/linux/pci_regs';
import {
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from '../../../include/uapi/linux/vfio';
import { vfio_set_irqs_validate_and_prepare, type VfioDeviceIoctl } from '../vfio_main';
import { vfio_pci_config_rw } from './vfio_pci_config';
import { vfio_pci_set_irqs_ioctl, type VfioIrqSet } from './vfio_pci_intrs';
import type { VfioPciCoreDevice } from './vfio_pci_priv';
import { vfio_pci_bar_rw } from './vfio_pci_rdwr';

/** The part of vfio-pci that every PCI driver of VFIO shares. */

const { fn } = source('linux', 'drivers/vfio/pci/vfio_pci_core.c');

/** vfio_pci_get_irq_count(): how many interrupts of a kind the device has, whatever user space may use of them. */
function irqCount(vdev: VfioPciCoreDevice, irq_type: number): number {
  const { msi } = vdev.pdev;
  switch (irq_type) {
    case VFIO_PCI_INTX_IRQ_INDEX:
      return vdev['vconfig.PCI_INTERRUPT_PIN'] ? 1 : 0;
    case VFIO_PCI_MSI_IRQ_INDEX:
      return msi?.msi_vec_count ?? 0;
    case VFIO_PCI_MSIX_IRQ_INDEX:
      return msi?.msix_vec_count ?? 0;
    default:
      return 0;
  }
}

export const vfio_pci_memory_lock_and_enable = fn(
  'Keeps the device’s memory enabled, and user space from disabling it, while its MSI-X table is touched. The result is the COMMAND register as it was.',
  function* vfio_pci_memory_lock_and_enable({ pdev }: VfioPciCoreDevice) {
    atCall('down_write');
    atCall('pci_read_config_word');
    const cmd = yield* pdev.config.read_word(PCI_COMMAND);
    if (!(cmd & PCI_COMMAND_MEMORY)) {
      atCall('pci_write_config_word');
      yield* pdev.config.write_word(PCI_COMMAND, cmd | PCI_COMMAND_MEMORY);
    }
    return cmd;
  },
);

export const vfio_pci_memory_unlock_and_restore = fn(
  'Puts the COMMAND register back and lets user space at it again.',
  function* vfio_pci_memory_unlock_and_restore({ pdev }: VfioPciCoreDevice, cmd: number) {
    atCall('pci_write_config_word');
    yield* pdev.config.write_word(PCI_COMMAND, cmd);
    atCall('up_write');
  },
);

const vfio_pci_ioctl_set_irqs = fn(
  'VFIO_DEVICE_SET_IRQS: copies the request in, checks it, and does it under igate.',
  function* vfio_pci_ioctl_set_irqs(vdev: VfioPciCoreDevice, set: VfioIrqSet) {
    atCall('vfio_pci_get_irq_count');
    const max = irqCount(vdev, set.index);
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
