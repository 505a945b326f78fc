import { source, through, via } from '../../../../engine/fn';
import { at, atCall, behind } from '../../../../engine/steps';
import { EBUSY, EINVAL, ENOENT, ENOSYS, ERANGE } from '../../errno';
import { BUS_NOTIFY_ADD_DEVICE, blocking_notifier_call_chain } from '../../kernel/notifier';
import { bus_notify } from '../base/bus';
import { device_attach, device_release_driver } from '../base/dd';
import { since } from '../../../version';
import type { PciDev } from './pci';

/** SR-IOV: making virtual functions. */

const { fn } = source('linux', 'drivers/pci/iov.c');

export const pci_iov_add_virtfn = fn(
  'A virtual function joins the bus: an address of its own, no interrupt pin, and no switch for its memory. Drivers are tried on it like on any other device.',
  function* pci_iov_add_virtfn(dev: PciDev, id: number) {
    at('virtfn');
    const virtfn = dev.sriov!.make(id);
    dev.sriov!.virtfns.push(virtfn);
    atCall('pci_device_add');
    const { bus } = virtfn.dev;
    if (bus !== undefined && since('linux', '6.3')) yield* via('pci_device_add', bus_notify)(virtfn.dev, BUS_NOTIFY_ADD_DEVICE);
    else if (bus !== undefined)
      yield* via('pci_device_add', blocking_notifier_call_chain)(bus.type.bus_notifier, BUS_NOTIFY_ADD_DEVICE, virtfn.dev);
    yield* via('pci_bus_add_device', device_attach)(virtfn.dev);
    return 0;
  },
);

const sriov_add_vfs = fn('Makes the virtual functions one by one.', function* sriov_add_vfs(dev: PciDev, num_vfs: number) {
  for (let id = 0; id < num_vfs; id++) yield* pci_iov_add_virtfn(dev, id);
  return 0;
});

const sriov_enable = fn(
  'Switches SR-IOV on in the device: from now on its virtual functions answer.',
  function* sriov_enable(dev: PciDev, nr_virtfn: number) {
    at('num_VFs');
    if (dev['sriov.num_VFs'] > 0) return -EINVAL;
    atCall('pci_iov_set_numvfs');
    const rc = yield* sriov_add_vfs(dev, nr_virtfn);
    if (rc === 0) dev['sriov.num_VFs'] = nr_virtfn;
    return rc;
  },
);

export const pci_enable_sriov = fn(
  'Makes virtual functions, if this is a function that can.',
  function* pci_enable_sriov(dev: PciDev, nr_virtfn: number) {
    at('is_physfn');
    return dev.sriov === undefined ? -ENOSYS : yield* sriov_enable(dev, nr_virtfn);
  },
);

const pci_iov_remove_virtfn = fn(
  'A virtual function is taken away: first from its driver, which may have to wait for its user.',
  function* pci_iov_remove_virtfn(_dev: PciDev, virtfn: PciDev) {
    yield* via('pci_stop_and_remove_bus_device', device_release_driver)(virtfn.dev);
    const devices = virtfn.dev.bus?.type.devices;
    devices?.splice(devices.indexOf(virtfn.dev), 1);
  },
);

const sriov_del_vfs = fn('Removes the virtual functions one by one.', function* sriov_del_vfs(dev: PciDev) {
  for (const virtfn of dev.sriov?.virtfns.splice(0) ?? []) yield* pci_iov_remove_virtfn(dev, virtfn);
});

const sriov_disable = fn('Switches SR-IOV off.', function* sriov_disable(dev: PciDev) {
  at('num_VFs');
  if (dev['sriov.num_VFs'] === 0) return;
  yield* sriov_del_vfs(dev);
  dev['sriov.num_VFs'] = 0;
});

export const pci_disable_sriov = fn('Removes all virtual functions.', function* pci_disable_sriov(dev: PciDev) {
  yield* sriov_disable(dev);
});

export const sriov_numvfs_store = fn(
  'A write to `sriov_numvfs`: asks the driver of a physical function for virtual ones.',
  function* sriov_numvfs_store(pdev: PciDev, buf: string) {
    atCall('kstrtou16');
    const num_vfs = Number(buf);
    atCall('pci_sriov_get_totalvfs');
    if (num_vfs > (pdev.sriov?.total_VFs ?? 0)) return -ERANGE;
    const configure = pdev.driver?.sriov_configure;
    at('sriov_configure');
    if (configure === undefined) return -ENOENT;
    if (num_vfs > 0 && pdev['sriov.num_VFs'] > 0) return -EBUSY;
    behind(num_vfs === 0 ? 'sriov_configure' : 'sriov_configure sriov_configure');
    const ret = yield* through('function pointer', 'sriov_configure', configure)(pdev, num_vfs);
    return ret < 0 ? ret : buf.length;
  },
);
