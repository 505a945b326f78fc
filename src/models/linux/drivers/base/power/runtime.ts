import { boundPointer, source, through, via, type Pointer } from '../../../../../engine/fn';
import { at, atCall, behind, until } from '../../../../../engine/steps';
import { EAGAIN } from '../../../errno';
import {
  DevPmInfoCells,
  RPM_ACTIVE,
  RPM_RESUMING,
  RPM_SUSPENDED,
  RPM_SUSPENDING,
  type DevicePmOps,
  type DevPmInfo,
  type Device,
} from '../../../include/linux/device';
import { queue_work, work_struct, type WorkqueueStruct } from '../../../kernel/workqueue';

/** Runtime power management: a device whose usage count is zero sleeps. */

const RPM_ASYNC = 0x01;
const RPM_GET_PUT = 0x04;

type Callback = Pointer<[], number>;

const { fn, ops } = source('linux', 'drivers/base/power/runtime.c');

const __rpm_callback = fn(
  'Calls the bus’s callback, without the lock of the device’s power state.',
  function* __rpm_callback(cb: Callback) {
    return yield* through('function pointer', 'cb', cb)();
  },
);

const rpm_callback = fn('Calls a power callback of the device’s bus.', function* rpm_callback(cb: Callback) {
  return yield* __rpm_callback(cb);
});

const rpm_suspend = fn('Puts the device to sleep, unless somebody has begun to use it meanwhile.', function* rpm_suspend(dev: Device) {
  const refusal = check_suspend_allowed(dev);
  if (refusal !== 0) return refusal;
  set_status(dev, RPM_SUSPENDING);
  const retval = yield* rpm_callback(callbacks(dev).runtime_suspend);
  behind(retval === 0 ? '__update_runtime_status' : '__update_runtime_status __update_runtime_status');
  set_status(dev, retval === 0 ? RPM_SUSPENDED : RPM_ACTIVE);
  return retval;
});

const rpm_idle = fn(
  'The device seems unused: asks its bus and suspends it, or leaves that to a worker where the caller may not wait.',
  function* rpm_idle(dev: Device, rpmflags: number) {
    const refusal = check_suspend_allowed(dev);
    if (refusal !== 0) return refusal;
    if (rpmflags & RPM_ASYNC) {
      at('request_pending');
      if (power(dev).request_pending) return 0;
      power(dev).request_pending = true;
      yield* queue_work(power(dev).pm_wq, power(dev).work);
      return 0;
    }
    const retval = yield* through('function pointer', 'callback', callbacks(dev).runtime_idle)();
    return retval !== 0 ? retval : yield* rpm_suspend(dev);
  },
);

const rpm_resume = fn('Wakes the device up, and waits until it is awake.', function* rpm_resume(dev: Device) {
  at('runtime_status');
  yield* until(() => power(dev).runtime_status === RPM_ACTIVE || power(dev).runtime_status === RPM_SUSPENDED);
  if (power(dev).runtime_status === RPM_ACTIVE) return 1;
  set_status(dev, RPM_RESUMING);
  const retval = yield* rpm_callback(callbacks(dev).runtime_resume);
  behind(retval === 0 ? '__update_runtime_status __update_runtime_status' : '__update_runtime_status');
  set_status(dev, retval === 0 ? RPM_ACTIVE : RPM_SUSPENDED);
  return retval;
});

const __pm_runtime_idle = fn(
  'One user less. If it was the last one, the device may sleep.',
  function* __pm_runtime_idle(dev: Device, rpmflags: number) {
    if (rpmflags & RPM_GET_PUT) {
      atCall('rpm_drop_usage_count');
      power(dev).usage_count -= 1;
      if (power(dev).usage_count > 0) return 0;
    }
    return yield* rpm_idle(dev, rpmflags);
  },
);

const __pm_runtime_resume = fn('One user more, who needs the device awake.', function* __pm_runtime_resume(dev: Device, rpmflags: number) {
  if (rpmflags & RPM_GET_PUT) {
    atCall('atomic_inc');
    power(dev).usage_count += 1;
  }
  return yield* rpm_resume(dev);
});

const pm_runtime_work = fn(
  'Does what could not be done in the context that noticed it: suspends an idle device.',
  function* pm_runtime_work(dev: Device) {
    at('request_pending');
    if (!power(dev).request_pending) return;
    power(dev).request_pending = false;
    yield* rpm_idle(dev, 0);
  },
);

const pm_runtime_init = ops('pm_runtime_init', { pm_runtime_work });

/** Gives a device that is found a power state: awake, and kept so until a driver allows otherwise. */
export function dev_pm_info(name: string, dev: () => Device, pm_wq: WorkqueueStruct, usage_count = 1): DevPmInfo {
  const work = work_struct(`${name} power.work`, boundPointer(pm_runtime_init.pm_runtime_work, dev));
  return Object.assign(DevPmInfoCells(name, { usage_count }), { work, pm_wq });
}

export const pm_runtime_allow = fn(
  'The driver lets the device sleep when nobody uses it: gives up the reference that every device is born with.',
  function* pm_runtime_allow(dev: Device) {
    at('runtime_auto');
    if (power(dev).runtime_auto) return;
    power(dev).runtime_auto = true;
    atCall('rpm_drop_usage_count');
    power(dev).usage_count -= 1;
    if (power(dev).usage_count === 0) yield* rpm_idle(dev, RPM_ASYNC);
  },
);

export const pm_runtime_forbid = fn('The device has to stay awake from now on.', function* pm_runtime_forbid(dev: Device) {
  at('runtime_auto');
  if (!power(dev).runtime_auto) return;
  power(dev).runtime_auto = false;
  atCall('atomic_inc');
  power(dev).usage_count += 1;
  yield* rpm_resume(dev);
});

export const pm_runtime_barrier = fn(
  'Waits until nothing asynchronous is going on with the device’s power.',
  function* pm_runtime_barrier(dev: Device) {
    atCall('__pm_runtime_barrier');
    power(dev).request_pending = false;
    yield* until(() => power(dev).runtime_status === RPM_ACTIVE || power(dev).runtime_status === RPM_SUSPENDED);
  },
);

/** pm_runtime_get_sync() and its kin: a user more, and the device is awake afterwards. `wrapper` is the inline that stands in the caller. */
export const pm_runtime_get = (wrapper: 'pm_runtime_get_sync' | 'pm_runtime_resume_and_get', dev: Device) =>
  via(wrapper, __pm_runtime_resume)(dev, RPM_GET_PUT);
export const pm_runtime_resume = (dev: Device) => via('pm_runtime_resume', __pm_runtime_resume)(dev, 0);
/** pm_runtime_put(): a user less; the device may go to sleep later. */
export const pm_runtime_put = (dev: Device) => via('pm_runtime_put', __pm_runtime_idle)(dev, RPM_GET_PUT | RPM_ASYNC);
/** pm_runtime_put_sync(): a user less; if it was the last, the device is asleep afterwards. */
export const pm_runtime_put_sync = (dev: Device) => via('pm_runtime_put_sync', __pm_runtime_idle)(dev, RPM_GET_PUT);

/** pm_runtime_get_noresume(). */
export function pm_runtime_get_noresume(dev: Device): void {
  atCall('pm_runtime_get_noresume');
  power(dev).usage_count += 1;
}

/** pm_runtime_put_noidle(). */
export function pm_runtime_put_noidle(dev: Device): void {
  atCall('pm_runtime_put_noidle');
  power(dev).usage_count -= 1;
}

/** rpm_check_suspend_allowed(): 0, or why the device stays as it is. */
function check_suspend_allowed(dev: Device): number {
  atCall('rpm_check_suspend_allowed');
  if (power(dev).usage_count > 0) return -EAGAIN;
  return power(dev).runtime_status === RPM_SUSPENDED ? 1 : 0;
}

function set_status(dev: Device, status: DevPmInfo['runtime_status']): void {
  atCall('__update_runtime_status');
  power(dev).runtime_status = status;
}

/** A device that cannot sleep has no power state, and is never asked. */
function power({ name, power: info }: Device): DevPmInfo {
  if (info === undefined) throw new Error(`${name} has no power state in these models`);
  return info;
}

function callbacks({ name, bus }: Device): DevicePmOps {
  if (bus?.pm === undefined) throw new Error(`the bus of ${name} has no power callbacks in these models`);
  return bus.pm;
}
