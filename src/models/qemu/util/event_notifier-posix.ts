import { bool, pointer, struct, type InstanceOf } from '../../../engine/cell';
import { source, through } from '../../../engine/fn';
import { atCall } from '../../../engine/steps';
import { eventfd_ctx, eventfd_fops, type EventfdCtx } from '../../linux/fs/eventfd';

/** Event notifiers: QEMU's name for an eventfd. */

const EventNotifierCells = struct('EventNotifier', 'An eventfd as QEMU holds it.', {
  rfd: pointer<EventfdCtx>(),
  initialized: bool(),
});

export type EventNotifier = InstanceOf<typeof EventNotifierCells> & { readonly name: string };

/** Makes an event notifier that has no eventfd yet. */
export const event_notifier = (name: string): EventNotifier => Object.assign(EventNotifierCells(name), { name });

/** Makes an event notifier that QEMU initialized before the run began. */
export const initialized_event_notifier = (name: string): EventNotifier =>
  Object.assign(EventNotifierCells(name, { rfd: eventfd_ctx(name), initialized: true }), { name });

const { fn } = source('qemu', 'util/event_notifier-posix.c');

export const event_notifier_init = fn('Opens the eventfd, non-blocking.', function* event_notifier_init(e: EventNotifier) {
  atCall('eventfd');
  const ret = eventfd_ctx(e.name);
  e.rfd = ret;
  e.initialized = true;
  return 0;
});

export const event_notifier_cleanup = fn(
  'Closes the eventfd. Whoever in the kernel still listens to it is told by the hang-up.',
  function* event_notifier_cleanup(e: EventNotifier) {
    if (!e.initialized) return;
    yield* through('syscall', 'close', eventfd_fops.release)(event_notifier_get_fd(e));
    e.rfd = undefined;
    e.initialized = false;
  },
);

export const event_notifier_set = fn('Signals the event by writing to the eventfd.', function* event_notifier_set(e: EventNotifier) {
  if (!e.initialized) return -1;
  yield* through('syscall', 'write', eventfd_fops.write)(event_notifier_get_fd(e));
  return 0;
});

export const event_notifier_test_and_clear = fn(
  'Takes the event by reading the eventfd, however often it was signalled. False if somebody else took it before.',
  function* event_notifier_test_and_clear(e: EventNotifier) {
    if (!e.initialized) return false;
    const value = yield* through('syscall', 'read', eventfd_fops.read_iter)(event_notifier_get_fd(e));
    return value > 0;
  },
);

/** event_notifier_get_fd(): the eventfd, which must be open. */
export function event_notifier_get_fd(e: EventNotifier): EventfdCtx {
  const { rfd } = e;
  if (rfd === undefined) throw new Error(`the event notifier ${e.name} is not initialized`);
  return rfd;
}
