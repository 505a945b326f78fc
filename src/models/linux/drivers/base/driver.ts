import { source } from '../../../../engine/fn';
import type { DeviceDriver } from '../../include/linux/device';
import { bus_add_driver } from './bus';

const { fn } = source('linux', 'drivers/base/driver.c');

export const driver_register = fn('Makes a driver known to its bus.', function* driver_register(drv: DeviceDriver) {
  return yield* bus_add_driver(drv);
});
