import { architecturally, source, through } from '../../../engine/fn';
import { NO_STEP } from '../../../engine/journal';
import { running } from '../../../engine/running';
import { acquire, release } from '../../../engine/mutex';
import { at, atCall, causedBy, until } from '../../../engine/steps';
import { interrupt_cpu } from '../../hardware/virt_cpu';
import type { X86CPU } from '../include/hw/core/cpu';
import { pendingInterrupt } from '../target/i386/cpu';

/** Getting a CPU's attention, from any thread. */

const { fn } = source('qemu', 'softmmu/cpus.c');

/** qemu_cpu_is_self(): whether this is the thread that runs the CPU. */
export const qemu_cpu_is_self = (cpu: X86CPU): boolean => cpu.thread === running().currentThread;

const generic_handle_interrupt = fn(
  'Notes the request, and wakes the CPU’s thread if this is another one.',
  function* generic_handle_interrupt(cpu: X86CPU, mask: number) {
    cpu.interrupt_request |= mask;
    atCall('qemu_cpu_is_self');
    if (!qemu_cpu_is_self(cpu)) yield* qemu_cpu_kick(cpu);
  },
);

export const cpu_interrupt = fn(
  'Asks for a CPU’s attention. Nothing is injected here: the CPU’s own thread does that, when the guest can take it.',
  function* cpu_interrupt(cpu: X86CPU, mask: number) {
    const { handle_interrupt } = cpu.board.cpus_accel;
    if (handle_interrupt !== undefined) yield* through('function pointer', 'handle_interrupt', handle_interrupt)(cpu, mask);
    else yield* generic_handle_interrupt(cpu, mask);
  },
);

export const cpus_kick_thread = fn(
  'Sends the CPU’s thread a signal, unless one is under way already.',
  function* cpus_kick_thread(cpu: X86CPU) {
    if (cpu.thread_kicked) return at('thread_kicked', 'a signal is under way already');
    cpu.thread_kicked = true;
    atCall('pthread_kill');
    const { kvm } = cpu;
    if (kvm === undefined) return;
    kvm.signalledAt = running().lastStep;
    kvm.TIF_SIGPENDING = true;
    // The host tells the processor that the thread runs on, which takes it out of the guest.
    yield* architecturally('hardirq', interrupt_cpu)(kvm.cpu);
  },
);

export const qemu_cpu_kick = fn('Wakes the CPU’s thread, or makes it come out of the guest.', function* qemu_cpu_kick(cpu: X86CPU) {
  atCall('qemu_cond_broadcast');
  cpu.kickedAt = running().lastStep;
  const { kick_vcpu_thread } = cpu.board.cpus_accel;
  if (kick_vcpu_thread !== undefined) yield* through('function pointer', 'kick_vcpu_thread', kick_vcpu_thread)(cpu);
  else yield* cpus_kick_thread(cpu);
});

const cpu_thread_is_idle = fn('Whether a CPU’s thread has nothing to do.', function* cpu_thread_is_idle(cpu: X86CPU) {
  at('halted');
  return isIdle(cpu);
});

/** A halted CPU for which nobody has asked. */
const isIdle = (cpu: X86CPU): boolean => cpu.halted && pendingInterrupt(cpu, cpu.interrupt_request) === 0;

const qemu_wait_io_event_common = fn(
  'The CPU’s thread is awake: the next one who wants it has to signal it again.',
  function* qemu_wait_io_event_common(cpu: X86CPU) {
    atCall('qatomic_mb_set');
    if (cpu.thread_kicked) cpu.thread_kicked = false;
  },
);

export const qemu_wait_io_event = fn(
  'Where a CPU’s thread sleeps while its guest has halted. It gives the BQL away meanwhile.',
  function* qemu_wait_io_event(cpu: X86CPU) {
    while (yield* cpu_thread_is_idle(cpu)) {
      release(cpu.board.qemu_global_mutex, 'qemu_cond_wait');
      cpu.kickedAt = NO_STEP;
      yield* until(() => !isIdle(cpu));
      yield* acquire(cpu.board.qemu_global_mutex, 'qemu_cond_wait');
      causedBy(cpu.kickedAt);
    }
    yield* qemu_wait_io_event_common(cpu);
  },
);
