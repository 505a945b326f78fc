import type { Run } from '../../src/engine/machine';
import { createBench } from '../conform/bench';
import { apic_pair, pic_pair } from '../conform/qemu_chips';
import type { Operation } from './operations';

/** The models of QEMU's interrupt controllers on a machine of the engine, with its journal off. */

/** An implementation, driven by calls of models. */
interface ModelledChips {
  write(at: number, value: number): Run;
  read(at: number): Run<number>;
  line(pin: number, level: 0 | 1): Run;
  acknowledge(): Run<number>;
}

/** Makes the chips and gives what performs operations on them. */
export function modelledPics(): (operations: readonly Operation[]) => number[] {
  const { bench } = createBench({ qemu: '7.2' }, () => undefined);
  const pair = bench.perform(pic_pair);
  const chips: ModelledChips = {
    write: pair.outb,
    read: pair.inb,
    line: pair.set_irq,
    *acknowledge() {
      return pair.int ? yield* pair.acknowledge() : -1;
    },
  };
  return (operations) => {
    const answers = bench.perform(() => perform(chips, operations));
    pair.edges.length = 0;
    return answers;
  };
}

/** The same for an I/O APIC and a local APIC. */
export function modelledApics(): (operations: readonly Operation[]) => number[] {
  const { bench } = createBench({ qemu: '7.2' }, () => undefined);
  const pair = bench.perform(() => apic_pair(0x11));
  const chips: ModelledChips = {
    write: pair.mmio_write,
    read: pair.mmio_read,
    line: pair.set_irq,
    *acknowledge() {
      return (yield* pair.take()) ?? -1;
    },
  };
  return (operations) => bench.perform(() => perform(chips, operations));
}

function* perform(chips: ModelledChips, operations: readonly Operation[]): Run<number[]> {
  const answers: number[] = [];
  for (const operation of operations) {
    switch (operation.kind) {
      case 'write':
        yield* chips.write(operation.at, operation.value);
        break;
      case 'read':
        answers.push(yield* chips.read(operation.at));
        break;
      case 'line':
        yield* chips.line(operation.pin, operation.level);
        break;
      case 'acknowledge':
        answers.push(yield* chips.acknowledge());
        break;
    }
  }
  return answers;
}
