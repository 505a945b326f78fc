import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { source } from '../../../../src/engine/fn';
import type { Run } from '../../../../src/engine/machine';
import { qemu_set_irq } from '../../../../src/models/qemu/hw/core/irq';
import { ioapic_class_init, ioapic_eoi_broadcast, ioapic_io_ops } from '../../../../src/models/qemu/hw/intc/ioapic';
import { io_region, memory_region_add_subregion } from '../../../../src/models/qemu/include/exec/memory';
import { ioapic_common_state, type IOAPICCommonState } from '../../../../src/models/qemu/include/hw/i386/ioapic_internal';
import { pic_common_state } from '../../../../src/models/qemu/include/hw/isa/i8259_internal';
import { apic_pair, emptyBoard, vectorsIn } from '../../../conform/qemu_chips';
import { goldenIoapic, type GoldenIoapicStep } from '../golden';
import { onMachine } from '../support';

const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const REMOTE_IRR = 1 << 14;

interface Sink {
  readonly sent: string[];
}

const { fn, ops } = source('hardware', 'message_sink');
const accept = fn('Takes a message down.', function* accept(sink: Sink, _addr: number, data: number, _size: number) {
  sink.sent.push(`${(data & 0xff).toString(16)}${data & LEVEL ? 'L' : 'E'}`);
});
const nothing = fn('Nothing to read.', function* nothing(_sink: Sink, _addr: number, _size: number) {
  return 0;
});
const sink_ops = ops('sink_ops', { read: nothing, write: accept });

/** An I/O APIC whose messages are taken down, beside a PIC. */
function* alone() {
  const board = emptyBoard();
  const sink: Sink = { sent: [] };
  memory_region_add_subregion(
    board.ioapic_as,
    io_region({ name: 'messages', addr: 0xfee00000, size: 0x100000 }, sink_ops, () => sink),
  );
  const [isa_pic, slave_pic] = [pic_common_state(true), pic_common_state(false)];
  Object.assign(board, { isa_pic, slave_pic });
  const s = ioapic_common_state(board, { active_timers: [] });
  yield* ioapic_class_init.realize.target(s);
  return { board, s, isa_pic, sent: sink.sent };
}

function* writeLow(s: IOAPICCommonState, pin: number, low: number): Run {
  yield* ioapic_io_ops.write.target(s, 0x00, 0x10 + 2 * pin, 4);
  yield* ioapic_io_ops.write.target(s, 0x10, low, 4);
}

const set_irq = (s: IOAPICCommonState, n: number, level: 0 | 1): Run => qemu_set_irq(s.gpio_in[n], level);

describe('the I/O APIC of QEMU agrees with the real code', () => {
  for (const [name, { ops: operations, q72 }] of Object.entries(goldenIoapic())) {
    it(name, () => {
      const steps = onMachine(function* () {
        const { board, s, isa_pic, sent } = yield* alone();
        isa_pic.irq_base = 0x30;
        isa_pic.irr = 1;
        const seen: GoldenIoapicStep[] = [];
        for (const op of operations) {
          const [what, first = '', second = ''] = op.split(' ');
          if (what === 'w') yield* writeLow(s, Number(first), parseInt(second, 16));
          else if (what === 'i') yield* set_irq(s, Number(first), Number(second) as 0 | 1);
          else if (second === '1') yield* ioapic_eoi_broadcast(board, parseInt(first, 16));
          const irq_eoi = s.irq_eoi.flatMap(({ value }, pin) => (value > 0 ? [`${pin}:${value}`] : []));
          seen.push({
            irr: s.irr.toString(16).padStart(6, '0'),
            remote_irr: s.ioredtbl.flatMap(({ low }, pin) => (low.value & REMOTE_IRR ? [pin] : [])),
            ...(sent.length > 0 ? { sent: sent.splice(0) } : {}),
            ...(irq_eoi.length > 0 ? { irq_eoi: irq_eoi.join() } : {}),
            ...(isa_pic.isr !== 0 ? { inta: true } : {}),
          });
        }
        return seen;
      });
      assert.deepEqual(steps, q72);
    });
  }
});

const pin = fc.integer({ min: 0, max: 23 });
const level = fc.constantFrom(0 as const, 1 as const);
const entry = fc.record({ vector: fc.integer({ min: 0x20, max: 0x2f }), level: fc.boolean(), masked: fc.boolean() });
const low = fc.oneof(
  entry.map(({ vector, level: l, masked }) => vector | (l ? LEVEL : 0) | (masked ? MASKED : 0)),
  fc.integer({ min: 0, max: 0xffffffff }),
);

describe('laws of QEMU’s I/O APIC', () => {
  it('remote IRR holds a level pin back until its end of interrupt, and an edge-triggered entry never has it', () => {
    const steps = fc.array(
      fc.oneof(fc.record({ pin, level }), fc.record({ pin, low }), fc.record({ eoi: fc.integer({ min: 0, max: 255 }) })),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(steps, (operations) =>
        onMachine(function* () {
          const { board, s, sent } = yield* alone();
          for (const op of operations) {
            const waiting = s.ioredtbl.map(({ low: half }) => (half.value & (REMOTE_IRR | LEVEL)) === (REMOTE_IRR | LEVEL));
            sent.length = 0;
            if ('low' in op) yield* writeLow(s, op.pin, op.low);
            else if ('level' in op) yield* set_irq(s, op.pin, op.level);
            else yield* ioapic_eoi_broadcast(board, op.eoi);
            for (const { low: half } of s.ioredtbl) if (!(half.value & LEVEL)) assert.equal(half.value & REMOTE_IRR, 0);
            if ('level' in op && waiting[op.pin || 2])
              assert.deepEqual(sent, [], 'a waiting pin sends nothing, and no other pin has changed');
          }
        }),
      ),
      { numRuns: 150 },
    );
  });

  it('a level interrupt that is ended while its line is high comes again, and only then', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 23 }), fc.array(level, { minLength: 1, maxLength: 8 }), (n, levels) =>
        onMachine(function* () {
          const { board, s, sent } = yield* alone();
          yield* writeLow(s, n, 0x31 | LEVEL);
          yield* set_irq(s, n, 1);
          for (const now of levels) yield* set_irq(s, n, now);
          assert.equal(sent.length, 1);
          yield* ioapic_eoi_broadcast(board, 0x31);
          assert.equal(sent.length, 1 + levels.at(-1)!);
        }),
      ),
    );
  });

  it('a guest that ends an interrupt without serving it is slowed down after 10000 times', () => {
    onMachine(function* () {
      const { board, s, sent } = yield* alone();
      yield* writeLow(s, 5, 0x31 | LEVEL);
      yield* set_irq(s, 5, 1);
      for (let i = 0; i < 9999; i++) yield* ioapic_eoi_broadcast(board, 0x31);
      assert.equal(sent.length, 10000);
      yield* ioapic_eoi_broadcast(board, 0x31);
      assert.equal(sent.length, 10000, 'the ten thousandth waits');
      assert.ok(s.delayed_ioapic_service_timer.expire_time > 0);
    });
  });

  it('without version 0x20 there is no EOI register', () => {
    for (const [version, ended] of [
      [0x20, true],
      [0x11, false],
    ] as const) {
      onMachine(function* () {
        const pair = yield* apic_pair(version);
        yield* pair.mmio_write(0xfec00000, 0x10 + 2 * 5);
        yield* pair.mmio_write(0xfec00010, 0x31 | LEVEL);
        yield* pair.set_irq(5, 1);
        yield* pair.set_irq(5, 0);
        yield* pair.mmio_write(0xfec00040, 0x31);
        assert.equal((pair.ioapic.ioredtbl[5]!.low.value & REMOTE_IRR) === 0, ended);
      });
    }
  });

  it('no sequence of operations, however odd, throws or hangs', () => {
    const address = fc.oneof(
      fc.constantFrom(0xfec00000, 0xfec00010, 0xfec00040),
      fc.integer({ min: 0xfec00000, max: 0xfec000ff }),
      fc.integer({ min: 0xfee00000, max: 0xfeefffff }),
      fc.integer({ min: 0, max: 0x3f }).map((n) => 0xfee00000 + n * 16),
    );
    const steps = fc.array(
      fc.oneof(
        fc.record({ addr: address, val: fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0x40 })) }),
        fc.record({ addr: address }),
        fc.record({ pin, level }),
        fc.constant({ take: true }),
      ),
      { maxLength: 150 },
    );
    fc.assert(
      fc.property(steps, (operations) =>
        onMachine(function* () {
          const pair = yield* apic_pair();
          for (const op of operations) {
            if ('val' in op) yield* pair.mmio_write(op.addr, op.val);
            else if ('addr' in op) assert.ok((yield* pair.mmio_read(op.addr)) >= 0);
            else if ('pin' in op) yield* pair.set_irq(op.pin, op.level);
            else {
              const vector = yield* pair.take();
              if (vector !== undefined && pair.lapic.spurious_vec !== vector) assert.ok(vector >= 0 && vector <= 255);
            }
            assert.ok(vectorsIn(pair.lapic.isr).length <= 256);
          }
        }),
      ),
      { numRuns: 300 },
    );
  });
});
