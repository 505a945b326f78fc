import { boundPointer, source, via } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import type { VfioDeviceOps } from '../../../include/linux/vfio';
import type { PciDev } from '../../pci/pci';
import { pci_driver, pci_register_driver, type PciBus, type PciDriver } from '../../pci/pci-driver';
import {
  vfio_iommufd_physical_attach_ioas,
  vfio_iommufd_physical_bind,
  vfio_iommufd_physical_detach_ioas,
  vfio_iommufd_physical_unbind,
} from '../iommufd';
import type { Vfio } from '../vfio';
import { _vfio_alloc_device, vfio_put_device } from '../vfio_main';
import {
  vfio_pci_core_close_device,
  vfio_pci_core_enable,
  vfio_pci_core_finish_enable,
  vfio_pci_core_init_dev,
  vfio_pci_core_ioctl,
  vfio_pci_core_match,
  vfio_pci_core_mmap,
  vfio_pci_core_read,
  vfio_pci_core_register_device,
  vfio_pci_core_release_dev,
  vfio_pci_core_request,
  vfio_pci_core_set_params,
  vfio_pci_core_sriov_configure,
  vfio_pci_core_unregister_device,
  vfio_pci_core_write,
} from './vfio_pci_core';
import { vfio_pci_core_device, type VfioPciCore, type VfioPciCoreDevice } from './vfio_pci_priv';

/** vfio-pci, the driver: what it offers PCI and the VFIO core. */

const { fn, ops } = source('linux', 'drivers/vfio/pci/vfio_pci.c');

const vfio_pci_open_device = fn(
  'The first user of the device: makes it ready. What only some devices have, like an Intel GPU’s OpRegion, would come in between.',
  function* vfio_pci_open_device(vdev: VfioPciCoreDevice) {
    const ret = yield* vfio_pci_core_enable(vdev);
    if (ret !== 0) return ret;
    yield* vfio_pci_core_finish_enable(vdev);
    return 0;
  },
);

const table = ops('vfio_pci_ops', {
  init: vfio_pci_core_init_dev,
  release: vfio_pci_core_release_dev,
  open_device: vfio_pci_open_device,
  close_device: vfio_pci_core_close_device,
  ioctl: vfio_pci_core_ioctl,
  read: vfio_pci_core_read,
  write: vfio_pci_core_write,
  mmap: vfio_pci_core_mmap,
  request: vfio_pci_core_request,
  match: vfio_pci_core_match,
});

/** What vfio-pci offers an iommufd: since 6.2. */
const by_iommufd = ops('vfio_pci_ops', {
  bind_iommufd: vfio_iommufd_physical_bind,
  unbind_iommufd: vfio_iommufd_physical_unbind,
  attach_ioas: vfio_iommufd_physical_attach_ioas,
  detach_ioas: vfio_iommufd_physical_detach_ioas,
});

/** vfio-pci's operations on one device. */
export const vfio_pci_ops = (vdev: () => VfioPciCoreDevice): VfioDeviceOps => ({
  init: boundPointer(table.init, vdev),
  release: boundPointer(table.release, vdev),
  open_device: boundPointer(table.open_device, vdev),
  close_device: boundPointer(table.close_device, vdev),
  ioctl: boundPointer(table.ioctl, vdev),
  read: boundPointer(table.read, vdev),
  write: boundPointer(table.write, vdev),
  mmap: boundPointer(table.mmap, vdev),
  request: boundPointer(table.request, vdev),
  match: boundPointer(table.match, vdev),
  ...(since('linux', '6.2') ? by_iommufd : {}),
});

/** dev_get_drvdata(): what vfio-pci keeps for a device. */
const drvdata = ({ dev }: PciDev): VfioPciCoreDevice => dev.driver_data as VfioPciCoreDevice;

const vfio_pci_probe = fn(
  'vfio-pci gets a device. It does nothing with it yet; it only offers it to user space.',
  function* vfio_pci_probe(core: VfioPciCore, pdev: PciDev) {
    const vdev = vfio_pci_core_device(pdev, core.vfio.host, vfio_pci_ops, core);
    yield* via('vfio_alloc_device', _vfio_alloc_device)(core.vfio, vdev.vdev);
    atCall('dev_set_drvdata');
    pdev.dev.driver_data = vdev;
    const ret = yield* vfio_pci_core_register_device(vdev);
    if (ret !== 0) yield* vfio_put_device(core.vfio, vdev.vdev);
    return ret;
  },
);

const vfio_pci_remove = fn(
  'vfio-pci loses a device. It waits for the user to close it: nobody can be forced to.',
  function* vfio_pci_remove(core: VfioPciCore, pdev: PciDev) {
    const vdev = drvdata(pdev);
    yield* vfio_pci_core_unregister_device(vdev);
    yield* vfio_put_device(core.vfio, vdev.vdev);
  },
);

const vfio_pci_sriov_configure = fn(
  'Lets the user of a physical function make virtual ones, if the module’s parameter allows.',
  function* vfio_pci_sriov_configure(_core: VfioPciCore, pdev: PciDev, nr_virtfn: number) {
    at('enable_sriov');
    return yield* vfio_pci_core_sriov_configure(drvdata(pdev), nr_virtfn);
  },
);

const driver_ops = ops('vfio_pci_driver', { probe: vfio_pci_probe, remove: vfio_pci_remove, sriov_configure: vfio_pci_sriov_configure });

/** The driver, which knows no device by itself. */
export const vfio_pci_driver = (core: VfioPciCore): PciDriver =>
  pci_driver('vfio-pci', {
    id_table: 'only by override',
    driver_managed_dma: true,
    probe: boundPointer(driver_ops.probe, () => core),
    remove: boundPointer(driver_ops.remove, () => core),
    sriov_configure: boundPointer(driver_ops.sriov_configure, () => core),
  });

export const vfio_pci_init = fn(
  'vfio-pci.ko is loaded: registers a driver that takes no device until somebody says so.',
  function* vfio_pci_init(_vfio: Vfio, bus: PciBus, driver: PciDriver) {
    yield* vfio_pci_core_set_params();
    const ret = yield* pci_register_driver(bus, driver);
    atCall('vfio_pci_fill_ids');
    return ret;
  },
);
