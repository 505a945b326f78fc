import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { kvm } from '../../conform/kvm';
import type { Op, Scenario } from '../../conform/recording';

/** Whatever is done to KVM's interrupt controllers together, in whatever order: nothing throws, nothing hangs. */

const word = fc.oneof(fc.nat(0xff), fc.nat(0xffffffff));
/** A delivery mode in bits 10:8 that leaves the CPU running: neither INIT nor a start-up message. */
const message = fc.tuple(word, fc.constantFrom(0, 1, 2, 3, 4, 7)).map(([bits, mode]) => ((bits & ~0x700) | (mode << 8)) >>> 0);
const cpu = fc.nat(1);
const gsi = fc.oneof(fc.nat(26), fc.constantFrom(4095, 4096));
const fd = fc.nat(3);
const port = fc.oneof(fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x700, 0x701), fc.nat(0xffff));
const apic = fc.nat(0x3f).map((register) => 0xfee00000 + 16 * register);
const ioapic = fc.constantFrom(0xfec00000, 0xfec00010, 0xfec00040);
const vector = fc.nat(255);

const route = fc.oneof(
  fc.record({ index: fc.nat(23), gsi, type: fc.constant('irqchip'), chip: fc.constantFrom('pic0', 'pic1', 'ioapic'), pin: fc.nat(24) }),
  fc.record({ index: fc.nat(23), gsi, type: fc.constant('msi'), addr_lo: word, addr_hi: word, data: message }),
);

const args: Readonly<Record<string, fc.Arbitrary<object>>> = {
  irq_line: fc.record({ gsi, level: fc.constantFrom(0, 1) }),
  irq_line_status: fc.record({ gsi, level: fc.constantFrom(0, 1) }),
  outb: fc.record({ cpu, port, val: fc.nat(255) }),
  inb: fc.record({ cpu, port }),
  mmio_write: fc.record({ cpu, addr: fc.oneof(apic, ioapic, word), val: message }),
  mmio_read: fc.record({ cpu, addr: fc.oneof(apic, ioapic, word) }),
  wrmsr: fc.oneof(
    fc.record({ cpu, msr: fc.integer({ min: 0x800, max: 0x83f }), val: message.map((val) => `0x${val.toString(16)}`) }),
    fc.record({ cpu, msr: fc.constant(0x1b), val: fc.constantFrom('0xfee00900', '0xfee00d00', '0xfee00100') }),
  ),
  rdmsr: fc.record({ cpu, msr: fc.integer({ min: 0x800, max: 0x83f }) }),
  intack: fc.record({ cpu }),
  sw_intack: fc.record({ cpu }),
  set_lapic: fc.record({
    cpu,
    fields: fc.oneof(fc.record({ toggle_irr: vector }), fc.record({ toggle_isr: vector }), fc.record({ tpr: vector })),
  }),
  set_pic: fc.record({ chip: fc.nat(1), fields: fc.record({ irr: vector, isr: vector, init_state: fc.nat(3), priority_add: fc.nat(7) }) }),
  set_ioapic: fc.record({ fields: fc.record({ irr: fc.nat(0xffffff) }) }),
  set_routing: fc.record({ changed: fc.array(route, { maxLength: 3 }) }),
  signal_msi: fc.record({ addr_lo: word, addr_hi: word, data: message }),
  irqfd_assign: fc.oneof(fc.record({ fd, gsi }), fc.record({ fd, gsi, resamplefd: fd })),
  irqfd_deassign: fc.record({ fd, gsi }),
  ioeventfd_assign: fc.oneof(
    fc.record({ fd, port, len: fc.constantFrom(0, 1, 2, 3) }),
    fc.record({ fd, port, len: fc.constantFrom(0, 1, 2, 3), datamatch: fc.nat(3) }),
  ),
  efd_write: fc.record({ fd, val: fc.integer({ min: 1, max: 0xffff }) }),
  efd_read: fc.record({ fd }),
  kvm_interrupt: fc.record({ cpu, irq: vector }),
  clear_nmi: fc.record({ cpu }),
};
/** What a machine without the two chips in the kernel does not have. */
const CHIPS_ONLY = ['set_pic', 'set_ioapic'];

const operations = (names: readonly string[]): fc.Arbitrary<Op[]> =>
  fc.array(fc.oneof(...names.map((op) => args[op]!.map((of): Op => ({ op, state: {}, ...of })))), { maxLength: 80 });

const scenario = (irqchip: string, ops: readonly Op[]): Scenario => ({
  family: 'fuzz',
  profile: irqchip,
  seed: 0,
  ncpu: 2,
  irqchip,
  routing: irqchip === 'split' ? 'custom' : 'default',
  routing_table: {
    routing: Array.from({ length: 24 }, (_, n) => ({ gsi: n, type: 'msi', addr_lo: 0xfee00000, addr_hi: 0, data: 0x8030 + n })),
  },
  initial: { efd: { 0: 0, 1: 0, 2: 0, 3: 0 } },
  ops,
});

for (const irqchip of ['full', 'split']) {
  it(`no sequence of operations makes the models of a machine with its interrupt controller ${irqchip} throw or hang`, () => {
    const names = Object.keys(args).filter((name) => irqchip === 'full' || !CHIPS_ONLY.includes(name));
    fc.assert(
      fc.property(operations(names), (ops) => {
        const subject = kvm.build(scenario(irqchip, ops));
        for (const op of ops) assert.notEqual(subject.perform(op), undefined);
        assert.ok(Object.keys(subject.state()).length > 0);
      }),
    );
  });
}
