import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  kvm_get_ioapic,
  kvm_ioapic_set_irq,
  kvm_ioapic_update_eoi,
  kvm_set_ioapic,
} from '../../../../src/models/linux/arch/x86/kvm/ioapic';
import { kvm_io_bus_read, kvm_io_bus_write } from '../../../../src/models/linux/virt/kvm/kvm_main';
import { goldenIoapic, type GoldenIoapicStep } from '../golden';
import { testVm, type TestVm } from './vm';

const BASE = 0xfec00000;
const [SELECT, WINDOW] = [BASE, BASE + 0x10];
const LEVEL = 0x8000;
const MASKED = 0x10000;
const REMOTE_IRR = 0x4000;

const write = ({ bench, vcpus }: TestVm, addr: number, val: number, len = 4): number =>
  bench.perform(() => kvm_io_bus_write(vcpus[0]!, 'KVM_MMIO_BUS', addr, len, val));

function read({ bench, vcpus }: TestVm, addr: number, len = 4): number {
  const val = { value: NaN };
  bench.perform(() => kvm_io_bus_read(vcpus[0]!, 'KVM_MMIO_BUS', addr, len, val));
  return val.value;
}

function writeRegister(vm: TestVm, index: number, val: number): void {
  write(vm, SELECT, index);
  write(vm, WINDOW, val);
}

function readRegister(vm: TestVm, index: number): number {
  write(vm, SELECT, index);
  return read(vm, WINDOW);
}

const writeLow = (vm: TestVm, pin: number, val: number): void => writeRegister(vm, 0x10 + 2 * pin, val);
const readLow = (vm: TestVm, pin: number): number => readRegister(vm, 0x10 + 2 * pin);

const setIrq = ({ bench, kvm }: TestVm, pin: number, level: number, line_status = false): number =>
  bench.perform(() => kvm_ioapic_set_irq(kvm.arch.vioapic!, pin, 0, level, line_status));

const eoi = ({ bench, vcpus }: TestVm, vector: number, level: boolean): void =>
  bench.perform(() => kvm_ioapic_update_eoi(vcpus[0]!, vector, Number(level)));

const saved = ({ bench, kvm }: TestVm) => bench.perform(() => kvm_get_ioapic(kvm));

/** The pins whose interrupt has not ended. */
const inService = ({ kvm }: TestVm): number[] =>
  [...kvm.arch.vioapic!.redirtbl].flatMap(([pin, entry]) => (entry['fields.remote_irr'] ? [pin] : [])).sort((a, b) => a - b);

/** An operation as the golden scenarios write it. */
function perform(vm: TestVm, op: string): { readonly ret?: number } {
  const [what = '', first = '', second = ''] = op.split(' ');
  switch (what) {
    case 'w':
      writeLow(vm, Number(first), parseInt(second, 16));
      return {};
    case 'i':
      return { ret: setIrq(vm, Number(first), Number(second)) };
    case 'e':
      eoi(vm, parseInt(first, 16), second === '1');
      return {};
    default:
      throw new Error(`unknown operation ${op}`);
  }
}

function goldenStep(vm: TestVm, op: string): GoldenIoapicStep {
  const [before, acked] = [vm.sent.length, vm.acked()];
  const result = perform(vm, op);
  const sent = vm.sent.slice(before).map(({ vector, level }) => `${vector.toString(16).padStart(2, '0')}${level ? 'L' : 'E'}`);
  const acks = vm.acked() - acked;
  const storm = [...vm.kvm.arch.vioapic!.pins].find(([, { irq_eoi }]) => irq_eoi > 0);
  return {
    irr: vm.kvm.arch.vioapic!.irr.toString(16).padStart(6, '0'),
    remote_irr: inService(vm),
    ...(sent.length > 0 ? { sent } : {}),
    ...(acks > 0 ? { acks } : {}),
    ...(storm ? { irq_eoi: `${storm[0]}:${storm[1].irq_eoi}` } : {}),
    ...result,
  };
}

/** What the golden run shows there is only the request: its delivery was a stub that accepts even ExtINT. */
const STUBBED = 'extint-pin';

for (const [linux, recorded] of [
  ['6.1', 'kvm61'],
  ['6.12', 'kvm612'],
] as const)
  describe(`the I/O APIC of KVM agrees with the real code of Linux ${linux}`, () => {
    for (const [name, scenario] of Object.entries(goldenIoapic())) {
      if (name === STUBBED) continue;
      it(name, () => {
        const vm = testVm({ linux, booted: true });
        assert.deepEqual(
          scenario.ops.map((op) => goldenStep(vm, op)),
          scenario[recorded],
        );
      });
    }
  });

it('a local APIC does not take an ExtINT from a pin', () => {
  const vm = testVm({ booted: true });
  writeLow(vm, 5, 0x0700);
  assert.equal(setIrq(vm, 5, 1), 0);
  assert.deepEqual(vm.sent, []);
});

const word = fc.nat(0xffffffff);
const pin = fc.nat(23);
const operation = fc.oneof(
  fc.record({ op: fc.constant('line' as const), pin, level: fc.constantFrom(0, 1), line_status: fc.boolean() }),
  fc.record({ op: fc.constant('write' as const), index: fc.nat(255), val: word }),
  // Entries that a local APIC takes: fixed, lowest priority or NMI, physical or logical, to either vCPU or nobody.
  fc.record({
    op: fc.constant('entry' as const),
    pin,
    vector: fc.constantFrom(0x21, 0x31, 0x42),
    bits: fc.constantFrom(0, LEVEL, MASKED, LEVEL | MASKED, 0x100, 0x900 | LEVEL, 0x800, 0x400),
    dest: fc.nat(3),
  }),
  fc.record({ op: fc.constant('eoi' as const), vector: fc.constantFrom(0, 0x21, 0x31, 0x42), level: fc.boolean(), cpu: fc.nat(1) }),
  fc.record({ op: fc.constant('access' as const), offset: fc.nat(0xff), len: fc.constantFrom(1, 2, 4, 8), val: word }),
  fc.record({ op: fc.constant('load' as const), irr: fc.nat(0xffffff) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
const operations = fc.array(operation, { maxLength: 60 });

function carryOut(vm: TestVm, op: Operation): void {
  const { bench, kvm, vcpus } = vm;
  switch (op.op) {
    case 'line':
      setIrq(vm, op.pin, op.level, op.line_status);
      break;
    case 'write':
      writeRegister(vm, op.index, op.val);
      break;
    case 'entry':
      writeRegister(vm, 0x11 + 2 * op.pin, op.dest << 24);
      writeLow(vm, op.pin, op.vector | op.bits);
      break;
    case 'eoi':
      bench.perform(() => kvm_ioapic_update_eoi(vcpus[op.cpu]!, op.vector, Number(op.level)));
      break;
    case 'access':
      write(vm, BASE + op.offset, op.val, op.len);
      read(vm, BASE + op.offset, op.len);
      break;
    case 'load': {
      const state = saved(vm);
      bench.perform(() => kvm_set_ioapic(kvm, { ...state, irr: op.irr }));
    }
  }
}

function after(history: readonly Operation[], linux: '6.1' | '6.12' = '6.12'): TestVm {
  const vm = testVm({ linux, vcpus: 2, booted: true });
  for (const op of history) carryOut(vm, op);
  return vm;
}

describe('laws of the I/O APIC of KVM', () => {
  it('whatever was done, every register stays within its width, and an entry that a guest made edge-triggered has no remote IRR', () => {
    fc.assert(
      fc.property(operations, fc.constantFrom('6.1' as const, '6.12' as const), pin, (history, linux, n) => {
        const vm = after(history, linux);
        writeLow(vm, n, readLow(vm, n) & ~LEVEL);
        assert.equal(readLow(vm, n) & REMOTE_IRR, 0);
        const { irr, redirtbl, id, ioregsel } = saved(vm);
        assert.ok(irr >= 0 && irr <= 0xffffff && id <= 0xf && ioregsel <= 0xff);
        assert.ok(redirtbl.every(({ low, high }) => low >= 0 && low <= 0xffffffff && high >= 0 && high <= 0xffffffff));
        assert.ok(vm.kvm.arch.vioapic!['rtc_status.pending_eoi'] >= 0);
      }),
    );
  });

  it('a guest reads back what it wrote to an entry, but for the two bits that are the chip’s own', () => {
    fc.assert(
      fc.property(operations, pin, word, word, (history, n, low, high) => {
        const vm = after(history);
        // A new destination may take what waited: only then is the entry what the next write finds.
        writeRegister(vm, 0x11 + 2 * n, high);
        const own = readLow(vm, n) & 0x5000;
        writeLow(vm, n, low | MASKED);
        assert.equal(readRegister(vm, 0x11 + 2 * n), high);
        const kept = low & LEVEL ? own : own & ~REMOTE_IRR;
        assert.equal(readLow(vm, n), (((low | MASKED) & ~0x5000) | kept) >>> 0);
      }),
    );
  });

  it('a masked pin sends nothing and answers -1 to a rise; a level pin in service neither', () => {
    fc.assert(
      fc.property(operations, pin, fc.boolean(), (history, n, masked) => {
        const vm = after(history);
        writeLow(vm, n, 0x10021);
        writeLow(vm, n, LEVEL | 0x21 | (masked ? MASKED : 0));
        setIrq(vm, n, 1);
        if (!masked && !inService(vm).includes(n)) return;
        const before = vm.sent.length;
        assert.equal(setIrq(vm, n, 1), -1);
        assert.equal(vm.sent.length, before);
      }),
    );
  });

  it('the end of a level vector ends it at every pin that sends it, and sends it again where the line is up', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pin, { minLength: 1, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        (pins, stays) => {
          const vm = testVm({ booted: true });
          for (const n of pins) {
            writeLow(vm, n, LEVEL | 0x31);
            setIrq(vm, n, 1);
          }
          assert.deepEqual(
            inService(vm),
            pins.toSorted((a, b) => a - b),
          );
          const up = pins.filter((_, index) => stays[index]);
          for (const n of pins) if (!up.includes(n)) setIrq(vm, n, 0);
          const before = vm.sent.length;
          eoi(vm, 0x31, true);
          assert.deepEqual(
            inService(vm),
            up.toSorted((a, b) => a - b),
          );
          assert.equal(vm.sent.length - before, up.length);
        },
      ),
    );
  });

  it('a level is sent to nobody: remote IRR stays, and only an edge in between opens the pin again', () => {
    const vm = testVm({ booted: true });
    writeRegister(vm, 0x11 + 2 * 9, 0x7f << 24);
    writeLow(vm, 9, LEVEL | 0x31);
    // The table says that there is no such ID: nobody accepted, and the pin stays open.
    assert.equal(setIrq(vm, 9, 1), 0);
    assert.deepEqual(inService(vm), []);
    // Without a table everybody is asked, and nobody is meant: that counts as sent.
    vm.kvm.arch.apic_map = undefined;
    assert.equal(setIrq(vm, 9, 1), -1);
    assert.deepEqual(inService(vm), [9]);
    writeLow(vm, 9, 0x31 | MASKED);
    assert.deepEqual(inService(vm), []);
  });
});

describe('what else the I/O APIC of KVM does', () => {
  it('after 10000 ends of interrupt in a row that found the line up the pin gets a pause, and then goes on', () => {
    const vm = testVm({ booted: true });
    const { kvm, bench, vcpus, sent } = vm;
    writeLow(vm, 10, LEVEL | 0x3a);
    setIrq(vm, 10, 1);
    const before = sent.length;
    bench.perform(function* () {
      for (let n = 0; n < 9999; n++) yield* kvm_ioapic_update_eoi(vcpus[0]!, 0x3a, 1);
      assert.equal(sent.length - before, 9999);
      yield* kvm_ioapic_update_eoi(vcpus[0]!, 0x3a, 1);
      assert.equal(sent.length - before, 9999);
      assert.equal(kvm.arch.vioapic!.eoi_inject.work.WORK_STRUCT_PENDING, true);
      assert.equal(kvm.arch.vioapic!.pins.get(10)!.irq_eoi, 0);
    });
    // The bench comes to rest only when the timer and its work have run.
    assert.equal(sent.length - before, 10_000);
    assert.equal(bench.machine.now, 10);
    assert.deepEqual(inService(vm), [10]);
  });

  it('identifies itself: 24 pins, version 0x11, an ID of four bits that the arbitration register repeats', () => {
    const vm = testVm();
    writeRegister(vm, 0x00, 0xffffffff);
    writeRegister(vm, 0x01, 0);
    writeRegister(vm, 0x02, 0);
    assert.deepEqual(
      [0, 1, 2].map((index) => readRegister(vm, index)),
      [0x0f000000, 0x00170011, 0x0f000000],
    );
    assert.equal(readRegister(vm, 0x40), 0xffffffff);
    assert.equal(readRegister(vm, 0x05), 0xffffffff);
  });

  it('has no EOI register, and answers narrow accesses with the low bytes', () => {
    const vm = testVm({ booted: true });
    writeLow(vm, 10, LEVEL | 0x3a);
    setIrq(vm, 10, 1);
    write(vm, BASE + 0x40, 0x3a);
    assert.deepEqual(inService(vm), [10]);
    write(vm, SELECT, 0xffff24, 1);
    assert.equal(read(vm, SELECT), 0x24);
    assert.equal(read(vm, WINDOW, 1), 0x3a);
    assert.equal(read(vm, WINDOW, 2), 0xc03a);
    assert.ok(write(vm, BASE + 0x100, 0) < 0);
  });

  it('user space learns of the RTC’s interrupt whether the last one was ended', () => {
    const vm = testVm({ booted: true });
    writeLow(vm, 8, 0x31);
    assert.equal(setIrq(vm, 8, 1, true), 1);
    setIrq(vm, 8, 0, true);
    assert.equal(setIrq(vm, 8, 1, true), 0, 'not ended: merged');
    assert.equal(vm.sent.length, 1);
    eoi(vm, 0x31, false);
    assert.equal(setIrq(vm, 8, 1, true), 1);
    assert.equal(vm.sent.length, 2);
  });

  it('a delivered edge is left out when the state is saved, and a saved level is raised when it is loaded', () => {
    const vm = testVm({ booted: true });
    writeLow(vm, 4, 0x34);
    writeLow(vm, 10, LEVEL | MASKED | 0x3a);
    setIrq(vm, 4, 1);
    setIrq(vm, 10, 1);
    const state = saved(vm);
    assert.equal(state.irr, 1 << 10);
    const other = testVm({ booted: true });
    const redirtbl = state.redirtbl.map((entry, n) => (n === 10 ? { ...entry, low: LEVEL | 0x3a } : entry));
    other.bench.perform(() => kvm_set_ioapic(other.kvm, { ...state, redirtbl }));
    assert.deepEqual(other.sent, [{ vector: 0x3a, level: true }]);
    assert.deepEqual(inService(other), [10]);
  });
});
