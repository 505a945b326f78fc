import { boundPointer, source, through } from '../../../../../engine/fn';
import { atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import type { DeviceBus, DeviceDriver } from '../../../include/linux/device';
import type { MdevCore, MdevDevice, MdevDriver } from '../../../include/linux/mdev';
import { driver_register } from '../../base/driver';
import { iommu_group_add_device, iommu_group_alloc, iommu_group_put } from '../../iommu/iommu';

/** The bus of mediated devices. */

const { fn, ops } = source('linux', 'drivers/vfio/mdev/mdev_driver.c');

const mdev_attach_iommu = fn(
  'Makes up an IOMMU group for the device: VFIO wants one, and no IOMMU sees a mediated device.',
  function* mdev_attach_iommu(core: MdevCore, mdev: MdevDevice) {
    const group = yield* iommu_group_alloc(core.vfio.iommu_group_ida);
    const ret = yield* iommu_group_add_device(group, mdev.dev);
    yield* iommu_group_put(group);
    return ret;
  },
);

const mdev_probe = fn(
  'The bus’s probe: calls that of the driver of mediated devices.',
  function* mdev_probe(core: MdevCore, mdev: MdevDevice) {
    if (!since('linux', '5.16')) yield* mdev_attach_iommu(core, mdev);
    const drv = core.drivers.find(({ driver }) => driver === mdev.dev.driver);
    return drv === undefined ? 0 : yield* through('function pointer', 'probe', drv.probe)(mdev);
  },
);

const mdev_match = fn(
  'No driver matches by itself: mdev_device_create() binds the one whose parent made the device.',
  function* mdev_match(_mdev: MdevDevice, _drv: DeviceDriver) {
    return 0;
  },
);

const mdev_bus_type = ops('mdev_bus_type', { probe: mdev_probe });
const mdev_bus_match = ops('mdev_bus_type', { match: mdev_match });

/** The bus with its operations on one device. */
export const mdev_bus = (core: MdevCore, mdev: () => MdevDevice): DeviceBus => ({
  type: core.mdev_bus_type,
  probe: boundPointer(
    boundPointer(mdev_bus_type.probe, () => core),
    mdev,
  ),
  match: since('linux', '5.14') ? boundPointer(mdev_bus_match.match, mdev) : undefined,
});

export const mdev_register_driver = fn(
  'Registers a driver of mediated devices on their bus.',
  function* mdev_register_driver(core: MdevCore, drv: MdevDriver) {
    drv.driver.bus = core.mdev_bus_type;
    core.drivers.push(drv);
    return yield* driver_register(drv.driver);
  },
);

export const mdev_bus_register = fn('Registers the bus of mediated devices.', function* mdev_bus_register(_core: MdevCore) {
  atCall('bus_register');
  return 0;
});
