import { architecturally, boundPointer, source } from '../../engine/fn';
import { qemu_system_shutdown_request } from '../qemu/softmmu/runstate';
import type { Process } from '../qemu/machine';
import { qemu_clock_get_ms, timer_mod, timer_new_ms } from '../qemu/util/qemu-timer';

/** Whoever runs a virtual machine, at its monitor. */

const { fn, ops } = source('user', 'monitor');

const quit = fn('Ends the virtual machine.', function* quit(q: Process) {
  yield* architecturally('function pointer', qemu_system_shutdown_request)(q);
});

const monitor = ops('monitor', { quit });

/** Ends the virtual machine after a while, in milliseconds. Call it on QEMU's main thread. */
export const quit_after = (q: Process, milliseconds: number) =>
  timer_mod(
    timer_new_ms(
      'quit',
      q.main_loop_tlg,
      boundPointer(monitor.quit, () => q),
    ),
    qemu_clock_get_ms() + milliseconds,
  );
