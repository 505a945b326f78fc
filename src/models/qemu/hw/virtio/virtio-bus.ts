import { bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, type Pointer } from '../../../../engine/fn';
import { at, atCall, behind } from '../../../../engine/steps';
import { event_notifier_cleanup, event_notifier_init, type EventNotifier } from '../../util/event_notifier-posix';
import { virtio_queue_host_notifier_read, virtio_reset, type VirtIODevice } from './virtio';

/** What is between a virtio device and the bus that it is on: who owns the eventfds of its notifications. */

const ENOSYS = 38;

/** What a kind of bus does in its own way; the device on it is filled in. */
export interface VirtioBusClass {
  readonly notify: Pointer<[vector: number], void>;
  readonly ioeventfd_enabled: Pointer<[], boolean>;
  readonly ioeventfd_assign: Pointer<[notifier: EventNotifier, n: number, assign: boolean], number>;
  readonly set_guest_notifiers: Pointer<[nvqs: number, assign: boolean], number>;
}

const VirtioBusStateCells = struct(
  'VirtioBusState',
  'The bus of one virtio device: whether notifications go through eventfds now, and whether somebody else than QEMU’s main loop owns those.',
  {
    ioeventfd_started: bool(),
    ioeventfd_grabbed: int(),
  },
);

export type VirtioBusState = InstanceOf<typeof VirtioBusStateCells> & {
  readonly klass: VirtioBusClass;
  readonly vdev: () => VirtIODevice;
};

/** Makes the bus of a device. */
export const virtio_bus = (name: string, klass: VirtioBusClass, vdev: () => VirtIODevice): VirtioBusState =>
  Object.assign(VirtioBusStateCells(name), { klass, vdev });

const { fn } = source('qemu', 'hw/virtio/virtio-bus.c');

export const virtio_bus_start_ioeventfd = fn(
  'The driver is ready: lets its notifications go through eventfds, unless that is switched off.',
  function* virtio_bus_start_ioeventfd(bus: VirtioBusState) {
    const vdev = bus.vdev();
    if (!(yield* through('function pointer', 'ioeventfd_enabled', bus.klass.ioeventfd_enabled)())) return -ENOSYS;
    if (bus.ioeventfd_started) return 0;
    at('ioeventfd_grabbed');
    if (bus.ioeventfd_grabbed === 0) {
      const r = yield* through('function pointer', 'start_ioeventfd', vdev.klass.start_ioeventfd)(vdev);
      if (r < 0) {
        atCall('error_report', 'Slower, but it works: the notifications come as accesses.');
        return r;
      }
    }
    bus.ioeventfd_started = true;
    return 0;
  },
);

export const virtio_bus_stop_ioeventfd = fn(
  'The driver lets go of the device: takes the eventfds back.',
  function* virtio_bus_stop_ioeventfd(bus: VirtioBusState) {
    const vdev = bus.vdev();
    if (!bus.ioeventfd_started) return;
    const { stop_ioeventfd } = vdev.klass;
    if (bus.ioeventfd_grabbed === 0 && stop_ioeventfd !== undefined)
      yield* through('function pointer', 'stop_ioeventfd', stop_ioeventfd)(vdev);
    bus.ioeventfd_started = false;
  },
);

export const virtio_bus_reset = fn('Resets the device on the bus.', function* virtio_bus_reset(bus: VirtioBusState) {
  yield* virtio_bus_stop_ioeventfd(bus);
  yield* virtio_reset(bus.vdev());
});

export const virtio_bus_set_host_notifier = fn(
  'Opens a queue’s eventfd and puts it where the driver writes its notifications, or takes it away from there. Who listens to it is the caller’s business.',
  function* virtio_bus_set_host_notifier(bus: VirtioBusState, n: number, assign: boolean) {
    const vq = bus.vdev().vq[n]!;
    const notifier = vq.host_notifier;
    if (assign) yield* event_notifier_init(notifier);
    behind(assign ? 'ENOSYS' : 'ENOSYS ioeventfd_assign');
    const r = yield* through('function pointer', 'ioeventfd_assign', bus.klass.ioeventfd_assign)(notifier, n, assign);
    atCall('virtio_queue_set_host_notifier_enabled');
    vq.host_notifier_enabled = assign;
    return r;
  },
);

export const virtio_bus_cleanup_host_notifier = fn(
  'Serves the last notification, which the handler may not have seen any more, and closes the eventfd.',
  function* virtio_bus_cleanup_host_notifier(bus: VirtioBusState, n: number) {
    const vq = bus.vdev().vq[n]!;
    yield* virtio_queue_host_notifier_read(vq);
    yield* event_notifier_cleanup(vq.host_notifier);
  },
);
