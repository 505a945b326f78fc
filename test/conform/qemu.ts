import type { Run } from '../../src/engine/machine';
import type { PICCommonState } from '../../src/models/qemu/include/hw/isa/i8259_internal';
import type { Adapter, Results, Subject } from './adapter';
import { createBench, type Bench } from './bench';
import { apic_pair, pic_pair, vectorsIn, type ApicPair, type PicPair } from './qemu_chips';
import type { Op, Scenario, State } from './recording';

/** Recordings of QEMU’s own interrupt controllers, made with qtest under TCG, replayed on the models of QEMU. */

export const qemu: Adapter = {
  results: ['ret', 'vector', 'int_edges'],
  skips: new Map(),
  build(scenario): Subject {
    const { bench } = createBench({ qemu: '7.2' }, () => undefined);
    return scenario.family === 'pic' ? picSubject(bench) : apicSubject(bench, scenario);
  },
};

function picSubject(bench: Bench): Subject {
  const pair = bench.perform(() => pic_pair());
  return {
    perform: (op) => bench.perform(() => performOnPics(pair, op)),
    state: () => ({ pic0: picState(pair.master), pic1: picState(pair.slave), int: pair.int }),
  };
}

function* performOnPics(pair: PicPair, op: Op): Run<Results | undefined> {
  pair.edges.length = 0;
  const results = yield* picOperation(pair, op);
  // Recorded only where the output changed more than once.
  return results && (pair.edges.length > 1 ? { ...results, int_edges: [...pair.edges] } : results);
}

function* picOperation(pair: PicPair, op: Op): Run<Results | undefined> {
  switch (op.op) {
    case 'set_irq':
      yield* pair.set_irq(number(op, 'pin'), levelOf(op));
      return {};
    case 'outb':
      yield* pair.outb(number(op, 'port'), number(op, 'val'));
      return {};
    case 'inb':
      return { ret: yield* pair.inb(number(op, 'port')) };
    case 'intack':
      // A CPU acknowledges only what asks.
      return pair.int ? { vector: yield* pair.acknowledge() } : {};
    default:
      return undefined;
  }
}

const picState = (chip: PICCommonState): State => ({
  irr: chip.irr,
  imr: chip.imr,
  isr: chip.isr,
  priority_add: chip.priority_add,
  irq_base: chip.irq_base,
  read_reg_select: Number(chip.read_reg_select),
  elcr: chip.elcr,
  special_fully_nested_mode: Number(chip.special_fully_nested_mode),
});

function apicSubject(bench: Bench, scenario: Scenario): Subject {
  if (scenario.family !== 'ioapic') throw new Error(`there are no recordings of QEMU’s ${scenario.family}`);
  const pair = bench.perform(() => apic_pair());
  return { perform: (op) => bench.perform(() => performOnApics(pair, op)), state: () => bench.perform(() => apicState(pair)) };
}

function* performOnApics(pair: ApicPair, op: Op): Run<Results | undefined> {
  switch (op.op) {
    case 'set_irq':
      yield* pair.set_irq(number(op, 'pin'), levelOf(op));
      return {};
    case 'mmio_write':
      yield* pair.mmio_write(number(op, 'addr'), number(op, 'val'));
      return {};
    case 'mmio_read':
      return { ret: yield* pair.mmio_read(number(op, 'addr')) };
    case 'intack':
      return { vector: yield* pair.take() };
    default:
      return undefined;
  }
}

function* apicState({ ioapic, lapic, ppr }: ApicPair): Run<State> {
  const { id, ioregsel, irr, ioredtbl } = ioapic;
  const REMOTE_IRR_OF_LEVEL = 0xc000;
  const levels = vectorsIn(lapic.tmr);
  const requested = vectorsIn(lapic.irr);
  return {
    ioapic: {
      id,
      ioregsel,
      irr,
      redir: Object.fromEntries(ioredtbl.map(({ low, high }, pin) => [pin, `0x${hex8(high.value)}${hex8(low.value)}`])),
      remote_irr: ioredtbl.flatMap(({ low }, pin) => ((low.value & REMOTE_IRR_OF_LEVEL) === REMOTE_IRR_OF_LEVEL ? [pin] : [])),
    },
    lapic: {
      '0': {
        isr: vectorsIn(lapic.isr),
        irr: requested,
        irr_level: requested.filter((vector) => levels.includes(vector)),
        tpr: lapic.tpr,
        ppr: yield* ppr(),
      },
    },
  };
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

function number(op: Op, field: string): number {
  const value = op[field];
  if (typeof value !== 'number') throw new Error(`"${field}" of ${op.op}: expected a number`);
  return value;
}

const levelOf = (op: Op): 0 | 1 => (number(op, 'level') ? 1 : 0);
