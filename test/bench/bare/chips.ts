import { apic_pair, pic_pair, type ApicPair, type PicPair } from '../../conform/qemu_chips';
import { perform, type Chips, type Operation } from '../operations';
import { bareMachine } from './machine';

/**
 * The models of QEMU's interrupt controllers by themselves. This module is built apart, by `bareModels` in esbuild.mjs: the very same sources, but
 * their coroutines are plain functions, calls have no frames, and cells are fields. What is typed as a coroutine here is the result itself.
 */

type Plain<T> = { readonly [K in keyof T]: T[K] extends (...args: infer A) => Generator<unknown, infer R> ? (...args: A) => R : T[K] };

/** Makes the chips and gives what performs operations on them. */
export function barePics(): (operations: readonly Operation[]) => number[] {
  const within = bareMachine({ qemu: '7.2' });
  const pair = within(pic_pair) as unknown as Plain<PicPair> & { int: 0 | 1 };
  const chips: Chips = {
    write: (port, value) => pair.outb(port, value),
    read: (port) => pair.inb(port),
    line: (pin, level) => pair.set_irq(pin, level),
    acknowledge: () => (pair.int ? pair.acknowledge() : -1),
  };
  return (operations) =>
    within(() => {
      const answers = perform(chips, operations);
      pair.edges.length = 0;
      return answers;
    });
}

/** The same for an I/O APIC and a local APIC. */
export function bareApics(): (operations: readonly Operation[]) => number[] {
  const within = bareMachine({ qemu: '7.2' });
  const pair = within(() => apic_pair(0x11)) as unknown as Plain<ApicPair>;
  const chips: Chips = {
    write: (address, value) => pair.mmio_write(address, value),
    read: (address) => pair.mmio_read(address),
    line: (pin, level) => pair.set_irq(pin, level),
    acknowledge: () => pair.take() ?? -1,
  };
  return (operations) => within(() => perform(chips, operations));
}
