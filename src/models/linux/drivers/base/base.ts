import { source, through } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import type { Device, DeviceDriver } from '../../include/linux/device';

const { fn } = source('linux', 'drivers/base/base.h');

export const driver_match_device = fn(
  'Whether a driver is for a device: the bus decides, and a bus without an opinion says yes.',
  function* driver_match_device(drv: DeviceDriver, dev: Device) {
    at('match');
    const match = dev.bus?.match;
    return match === undefined ? 1 : yield* through('function pointer', 'match', match)(drv);
  },
);
