import { source } from '../../src/engine/fn';
import type { Run } from '../../src/engine/machine';
import { Mutex } from '../../src/engine/mutex';
import { running } from '../../src/engine/running';
import { withOpaque } from '../../src/models/qemu/opaque';
import type { Board } from '../../src/models/qemu/board';
import { cpu_reset_interrupt } from '../../src/models/qemu/hw/core/cpu-common';
import { qemu_set_irq, type IRQState } from '../../src/models/qemu/hw/core/irq';
import { cpu_get_pic_interrupt } from '../../src/models/qemu/hw/i386/x86';
import { apic_get_ppr, apic_io_ops } from '../../src/models/qemu/hw/intc/apic';
import { i8259_init, pic_base_ioport_ops, pic_elcr_ioport_ops, pic_read_irq } from '../../src/models/qemu/hw/intc/i8259';
import { ioapic_class_init, ioapic_io_ops } from '../../src/models/qemu/hw/intc/ioapic';
import { io_region, memory_region_add_subregion, type AddressSpace } from '../../src/models/qemu/include/exec/memory';
import { CPU_INTERRUPT_HARD, x86_cpu } from '../../src/models/qemu/include/hw/core/cpu';
import {
  APIC_DEFAULT_ADDRESS,
  APIC_SPACE_SIZE,
  apic_common_state,
  apic_get_bit,
  type APICCommonState,
} from '../../src/models/qemu/include/hw/i386/apic_internal';
import { ioapic_common_state, type IOAPICCommonState } from '../../src/models/qemu/include/hw/i386/ioapic_internal';
import type { PICCommonState } from '../../src/models/qemu/include/hw/isa/i8259_internal';
import type { Element } from '../../src/models/qemu/element';

/** QEMU's interrupt chips by themselves, wired to nothing but each other, and driven as the recordings drove the real ones. */

/** A pair of 8259s whose output is watched. */
export interface PicPair {
  readonly master: PICCommonState;
  readonly slave: PICCommonState;
  /** The level of the master's output. */
  int: 0 | 1;
  /** Every change of it, oldest first. */
  readonly edges: (0 | 1)[];
  set_irq(pin: number, level: 0 | 1): Run;
  outb(port: number, val: number): Run;
  inb(port: number): Run<number>;
  /** An acknowledge cycle, whether or not the output is high. */
  acknowledge(): Run<number>;
}

const { fn, ops } = source('hardware', 'probe');

const probe = fn('Watches a line.', function* probe(pair: PicPair, _n: number, level: 0 | 1) {
  if (level === pair.int) return;
  pair.int = level;
  pair.edges.push(level);
});
const { handler: watch } = ops('probe', { handler: probe });

const emptyAddressSpace = (): AddressSpace => ({ root: [], listeners: [], current_map: [] });

export const emptyBoard = (): Board => ({
  qemu_global_mutex: Mutex('BQL'),
  isa_pic: undefined,
  slave_pic: undefined,
  ioapics: [],
  local_apics: [],
  cpus: [],
  ioapic_as: emptyAddressSpace(),
  kvm_state: undefined,
  cpus_accel: {},
});

/** Makes the pair, as after power-on. */
export function* pic_pair(): Run<PicPair> {
  const board = emptyBoard();
  const output: IRQState = { handler: withOpaque(watch, () => pair), n: 0 };
  const inputs = yield* i8259_init(board, { address_space_io: emptyAddressSpace(), irqs: [] }, output);
  const [master, slave] = [board.isa_pic!, board.slave_pic!];
  const pair: PicPair = {
    master,
    slave,
    int: 0,
    edges: [],
    set_irq: (pin, level) => qemu_set_irq(inputs[pin], level),
    *outb(port, val) {
      const { chip, addr, table } = decode(port);
      yield* table.write.target(chip, addr, val, 1);
    },
    *inb(port) {
      const { chip, addr, table } = decode(port);
      return yield* table.read.target(chip, addr, 1);
    },
    acknowledge: () => pic_read_irq(board),
  };
  function decode(port: number) {
    const elcr = port >= 0x4d0;
    const chip = (elcr ? port === 0x4d0 : port < 0xa0) ? master : slave;
    return { chip, addr: elcr ? 0 : port & 1, table: elcr ? pic_elcr_ioport_ops : pic_base_ioport_ops };
  }
  return pair;
}

/** An I/O APIC and the local APIC of one CPU, which the running thread is. */
export interface ApicPair {
  readonly ioapic: IOAPICCommonState;
  readonly lapic: APICCommonState;
  set_irq(pin: number, level: 0 | 1): Run;
  mmio_write(addr: number, val: number): Run;
  mmio_read(addr: number): Run<number>;
  /** The vector that the CPU takes if it can take one. */
  take(): Run<number | undefined>;
  ppr(): Run<number>;
}

/** Makes both; the running thread is the CPU. */
export function* apic_pair(version: 0x11 | 0x20 = 0x20): Run<ApicPair> {
  const board = emptyBoard();
  const cpu = x86_cpu(board, 0);
  const lapic = apic_common_state(cpu);
  const ioapic = ioapic_common_state(board, { active_timers: [] }, version);
  cpu.apic_state = lapic;
  cpu.thread = running().currentThread;
  board.local_apics.push(lapic);
  yield* ioapic_class_init.realize.target(ioapic);
  memory_region_add_subregion(
    board.ioapic_as,
    io_region({ name: 'apic-msi', addr: APIC_DEFAULT_ADDRESS, size: APIC_SPACE_SIZE }, apic_io_ops, () => board),
  );
  const isLocal = (addr: number): boolean => addr >= APIC_DEFAULT_ADDRESS;
  return {
    ioapic,
    lapic,
    set_irq: (pin, level) => qemu_set_irq(ioapic.gpio_in[pin], level),
    *mmio_write(addr, val) {
      if (isLocal(addr)) yield* apic_io_ops.write.target(board, addr - APIC_DEFAULT_ADDRESS, val, 4);
      else yield* ioapic_io_ops.write.target(ioapic, addr & 0xfff, val, 4);
    },
    *mmio_read(addr) {
      if (isLocal(addr)) return yield* apic_io_ops.read.target(board, addr - APIC_DEFAULT_ADDRESS, 4);
      return yield* ioapic_io_ops.read.target(ioapic, addr & 0xfff, 4);
    },
    *take() {
      if (!(cpu.interrupt_request & CPU_INTERRUPT_HARD)) return undefined;
      yield* cpu_reset_interrupt(cpu, CPU_INTERRUPT_HARD);
      const vector = yield* cpu_get_pic_interrupt(cpu);
      return vector < 0 ? undefined : vector;
    },
    ppr: () => apic_get_ppr(lapic),
  };
}

/** The vectors of a set, ascending. */
export const vectorsIn = (set: readonly Element[]): readonly number[] =>
  Array.from({ length: 256 }, (_, vector) => vector).filter((vector) => apic_get_bit(set, vector));
