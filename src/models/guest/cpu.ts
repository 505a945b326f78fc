import { atCall } from '../../engine/steps';
import type { Run } from '../../engine/machine';

/**
 * The CPU that a guest's code runs on, as its drivers see it. Any access to a device may leave the guest; which hypervisor
 * is then entered, and how it answers, is no business of a driver.
 */
export interface GuestCpu {
  /** OUT and IN. `size` is in bytes. */
  readonly out: (port: number, size: number, value: number) => Run;
  readonly in: (port: number, size: number) => Run<number>;
  /** A store to and a load from memory that a device answers for. */
  readonly store: (address: number, size: number, value: number) => Run;
  readonly load: (address: number, size: number) => Run<number>;
  /** RFLAGS.IF. Setting it takes the interrupts that waited, right there. */
  readonly interrupts_on: () => boolean;
  readonly set_interrupts: (on: boolean) => Run;
  /** Spins until another CPU has brought about `done`. */
  readonly spin: (done: () => boolean) => Run;
}

/**
 * spin_lock_irqsave() where nobody contends for the lock: what matters is that interrupts are off. The result is whether they were on.
 * @param token the function in the caller that does it, where that is another one
 */
export function* spin_lock_irqsave(cpu: GuestCpu, token = 'spin_lock_irqsave'): Run<boolean> {
  const flags = cpu.interrupts_on();
  atCall(token);
  if (flags) yield* cpu.set_interrupts(false);
  return flags;
}

/** spin_unlock_irqrestore(). */
export function* spin_unlock_irqrestore(cpu: GuestCpu, flags: boolean, token = 'spin_unlock_irqrestore'): Run {
  atCall(token);
  if (flags) yield* cpu.set_interrupts(true);
}
