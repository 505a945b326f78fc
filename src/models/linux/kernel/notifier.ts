import { source, through, type Pointer } from '../../../engine/fn';
import type { Device } from '../include/linux/device';

/** Notifier chains: a list of callbacks that hear of what happens on a bus. */

/** What happens to a device on its bus, with the header's names and values. */
export const BUS_NOTIFY_ADD_DEVICE = 0;
export const BUS_NOTIFY_BIND_DRIVER = 3;
export const BUS_NOTIFY_BOUND_DRIVER = 4;
export const BUS_NOTIFY_UNBIND_DRIVER = 5;
export const BUS_NOTIFY_UNBOUND_DRIVER = 6;
export const BUS_NOTIFY_DRIVER_NOT_BOUND = 7;

export interface NotifierBlock {
  readonly notifier_call: Pointer<[action: number, dev: Device], void>;
}

const { fn } = source('linux', 'kernel/notifier.c');

const notifier_call_chain = fn(
  'Calls everybody on the chain, in the order of their priority.',
  function* notifier_call_chain(chain: readonly NotifierBlock[], action: number, dev: Device) {
    for (const nb of chain) yield* through('function pointer', 'notifier_call', nb.notifier_call)(action, dev);
  },
);

export const blocking_notifier_call_chain = fn(
  'Tells a chain of listeners, which may sleep.',
  function* blocking_notifier_call_chain(chain: readonly NotifierBlock[], action: number, dev: Device) {
    if (chain.length > 0) yield* notifier_call_chain(chain, action, dev);
  },
);
