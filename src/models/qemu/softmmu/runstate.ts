import { source } from '../../../engine/fn';
import { acquire } from '../../../engine/mutex';
import { at, atCall } from '../../../engine/steps';
import type { Process } from '../machine';
import { main_loop_wait } from '../util/main-loop';

const { fn } = source('qemu', 'softmmu/runstate.c');

export const qemu_init_subsystems = fn(
  'Starts QEMU: from here on the main thread holds the BQL, except while it polls.',
  function* qemu_init_subsystems(q: Process) {
    yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    q.initialized = true;
  },
);

export const qemu_main_loop = fn('Serves events until QEMU is told to stop.', function* qemu_main_loop(q: Process) {
  while (!q.shutdown_requested) yield* main_loop_wait(q);
  atCall('main_loop_should_exit');
});

export const qemu_system_shutdown_request = fn(
  'Somebody wants QEMU to stop: the main loop will see it.',
  function* qemu_system_shutdown_request(q: Process) {
    at('shutdown_requested');
    q.shutdown_requested = true;
    atCall('qemu_notify_event');
  },
);
