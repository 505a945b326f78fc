import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import type { PICCommonState } from '../../../../src/models/qemu/include/hw/isa/i8259_internal';
import { pic_pair, type PicPair } from '../../../conform/qemu_chips';
import { goldenPic, type GoldenChip, type GoldenPicStep } from '../golden';
import { onMachine } from '../support';

const hex = (value: number): string => value.toString(16).padStart(2, '0');

const chip = ({ irr, last_irr, imr, isr, priority_add }: PICCommonState): GoldenChip => ({
  irr: hex(irr),
  last_irr: hex(last_irr),
  imr: hex(imr),
  isr: hex(isr),
  priority_add,
});

/** ICW1 to ICW4 of both chips, nothing masked: vectors 0x30 and 0x38. */
function* initialize(pair: PicPair): Run {
  for (const [port, val] of [
    [0x20, 0x11],
    [0x21, 0x30],
    [0x21, 0x04],
    [0x21, 0x01],
    [0x21, 0x00],
    [0xa0, 0x11],
    [0xa1, 0x38],
    [0xa1, 0x02],
    [0xa1, 0x01],
    [0xa1, 0x00],
  ] as const)
    yield* pair.outb(port, val);
}

/** An operation as the golden scenarios write it. */
function* perform(pair: PicPair, op: string): Run<Partial<GoldenPicStep>> {
  const [what = '', first = '', second = ''] = op.split(' ');
  switch (what) {
    case 'i':
      yield* pair.set_irq(Number(first), Number(second) as 0 | 1);
      return {};
    case 'w':
      yield* pair.outb(parseInt(first, 16), parseInt(second, 16));
      return {};
    case 'r':
      return { read: hex(yield* pair.inb(parseInt(first, 16))) };
    case 'a':
      return { vec: hex(yield* pair.acknowledge()) };
    default:
      throw new Error(`unknown operation ${op}`);
  }
}

describe('the 8259 pair of QEMU agrees with the real code', () => {
  for (const [name, { ops, q72 }] of Object.entries(goldenPic())) {
    it(name, () => {
      const steps = onMachine(function* () {
        const pair = yield* pic_pair();
        yield* initialize(pair);
        const before = pair.edges.length;
        const seen: GoldenPicStep[] = [];
        for (const op of ops) {
          const result = yield* perform(pair, op);
          const rises = pair.edges.slice(before).filter((level) => level === 1).length;
          seen.push({ m: chip(pair.master), s: chip(pair.slave), int: pair.int, rises, ...result });
        }
        return seen;
      });
      assert.deepEqual(steps, q72);
    });
  }
});

/** The data sheet's rule, written down a second time: the input that asks for service. */
function winner({ irr, imr, isr, priority_add, special_mask, special_fully_nested_mode, master }: PICCommonState): number | undefined {
  const order = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => (n + priority_add) & 7);
  const holdsBack = (pin: number): boolean =>
    (isr & (1 << pin)) !== 0 && !(special_mask && imr & (1 << pin)) && !(special_fully_nested_mode && master && pin === 2);
  const first = order.find((pin) => irr & ~imr & (1 << pin));
  if (first === undefined) return undefined;
  const above = order.slice(0, order.indexOf(first) + 1);
  return above.some(holdsBack) ? undefined : first;
}

const PORTS = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1];
const operation = fc.oneof(
  fc.record({
    op: fc.constant('i' as const),
    pin: fc.constantFrom(0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    level: fc.constantFrom(0 as const, 1 as const),
  }),
  fc.record({ op: fc.constant('w' as const), port: fc.constantFrom(...PORTS), val: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ op: fc.constant('r' as const), port: fc.constantFrom(...PORTS) }),
  fc.record({ op: fc.constant('a' as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function* carryOut(pair: PicPair, op: Operation): Run<number | undefined> {
  switch (op.op) {
    case 'i':
      yield* pair.set_irq(op.pin, op.level);
      return undefined;
    case 'w':
      yield* pair.outb(op.port, op.val);
      return undefined;
    case 'r':
      return yield* pair.inb(op.port);
    case 'a':
      return yield* pair.acknowledge();
  }
}

describe('laws of the 8259 pair', () => {
  it('a change of an input or of a mask leaves the output at what the registers say', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) =>
        onMachine(function* () {
          const pair = yield* pic_pair();
          yield* initialize(pair);
          for (const op of operations) {
            const masks =
              op.op === 'w' && ((op.port === 0x21 && pair.master.init_state === 0) || (op.port === 0xa1 && pair.slave.init_state === 0));
            yield* carryOut(pair, op);
            if (op.op === 'i' || masks) assert.equal(pair.int, Number(winner(pair.master) !== undefined));
          }
        }),
      ),
      { numRuns: 150 },
    );
  });

  it('in fully nested mode an acknowledge gives the vector of the input that asks, and puts it in service; if none asks, vector 7 and nothing in service', () => {
    const requests = fc.array(fc.record({ pin: fc.integer({ min: 3, max: 7 }), eoi: fc.boolean() }), { maxLength: 40 });
    fc.assert(
      fc.property(requests, (steps) =>
        onMachine(function* () {
          const pair = yield* pic_pair();
          yield* initialize(pair);
          for (const { pin, eoi } of steps) {
            yield* pair.set_irq(pin, 1);
            yield* pair.set_irq(pin, 0);
            const asks = winner(pair.master);
            const before = pair.master.isr;
            assert.equal(yield* pair.acknowledge(), 0x30 + (asks ?? 7));
            assert.equal(pair.master.isr, asks === undefined ? before : before | (1 << asks));
            if (eoi) yield* pair.outb(0x20, 0x20);
          }
        }),
      ),
    );
  });

  it('an edge makes one request however long its line stays high, and only its acknowledge ends it', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0 as const, 1 as const), { maxLength: 20 }), (levels) =>
        onMachine(function* () {
          const pair = yield* pic_pair();
          yield* initialize(pair);
          let line = 0;
          let rises = 0;
          for (const level of levels) {
            if (level > line) rises++;
            line = level;
            yield* pair.set_irq(4, level);
            assert.equal(pair.master.irr, rises > 0 ? 0x10 : 0);
          }
          assert.equal(yield* pair.acknowledge(), rises > 0 ? 0x34 : 0x37);
          yield* pair.outb(0x20, 0x20);
          assert.equal(yield* pair.acknowledge(), 0x37, 'no second one');
        }),
      ),
    );
  });

  it('a level request is its line', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) =>
        onMachine(function* () {
          const pair = yield* pic_pair();
          yield* initialize(pair);
          yield* pair.outb(0x4d1, 0xde);
          let line = 0;
          for (const op of operations) {
            if (op.op === 'w' && op.port === 0x4d1) continue;
            yield* carryOut(pair, op);
            if (op.op === 'i' && op.pin === 10) line = op.level;
            assert.equal((pair.slave.irr >> 2) & 1, line);
          }
        }),
      ),
      { numRuns: 150 },
    );
  });

  it('rotation makes the ended input the least urgent', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }).filter((pin) => pin !== 2),
        (pin) =>
          onMachine(function* () {
            const pair = yield* pic_pair();
            yield* initialize(pair);
            yield* pair.set_irq(pin, 1);
            yield* pair.acknowledge();
            yield* pair.outb(0x20, 0xa0);
            assert.equal((pair.master.priority_add + 7) & 7, pin);
            assert.equal(pair.master.isr, 0);
          }),
      ),
    );
  });

  it('no sequence of operations, however odd, throws or hangs, and registers stay eight bits wide', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) =>
        onMachine(function* () {
          const pair = yield* pic_pair();
          for (const op of operations) {
            const value = yield* carryOut(pair, op);
            assert.ok(value === undefined || (value >= 0 && value <= 255));
            for (const { irr, imr, isr, last_irr, elcr, elcr_mask, priority_add } of [pair.master, pair.slave]) {
              for (const register of [irr, imr, isr, last_irr, elcr]) assert.ok(register >= 0 && register <= 255);
              assert.equal(elcr & ~elcr_mask, 0);
              assert.ok(priority_add >= 0 && priority_add <= 7);
            }
          }
        }),
      ),
      { numRuns: 300 },
    );
  });
});
