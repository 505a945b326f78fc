import { source, through, type Pointer } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import type { BusType, Device, DeviceDriver } from '../../include/linux/device';
import { device_initial_probe } from './dd';

/** Buses: who is on them, and bringing drivers and devices together. */

const { fn } = source('linux', 'drivers/base/bus.c');

export const bus_register = fn('Makes a bus known to the driver core.', function* bus_register(_bus: BusType) {
  atCall('kset_create_and_add');
  return 0;
});

export const bus_add_driver = fn(
  'Puts a driver on its bus. Devices that are there already and match would be bound now; here, none is.',
  function* bus_add_driver(drv: DeviceDriver) {
    const { bus } = drv;
    at('klist_drivers');
    if (bus === undefined) throw new Error(`driver ${drv.name} registers without a bus`);
    bus['p.klist_drivers'] += 1;
    bus.drivers.push(drv);
    return 0;
  },
);

export const bus_for_each_drv = fn(
  'Calls a function for each driver of a bus until one returns something else than 0.',
  function* bus_for_each_drv(bus: BusType, visit: Pointer<[drv: DeviceDriver], number>) {
    for (const drv of bus.drivers) {
      const error = yield* through('function pointer', 'fn', visit)(drv);
      if (error !== 0) return error;
    }
    return 0;
  },
);

export const bus_probe_device = fn(
  'A new device: looks for a driver, unless its bus has that turned off. A device of a class is on no bus.',
  function* bus_probe_device(dev: Device) {
    if (dev.bus !== undefined) yield* device_initial_probe(dev);
  },
);
