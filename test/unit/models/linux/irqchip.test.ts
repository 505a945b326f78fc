import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { EINVAL } from '../../../../src/models/linux/errno';
import { irq_routing_table, kvm_send_userspace_msi, kvm_set_irq, kvm_set_irq_routing } from '../../../../src/models/linux/virt/kvm/irqchip';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  KVM_MAX_IRQ_ROUTES,
  type Kvm,
  type KvmIrqRoutingEntry,
} from '../../../../src/models/linux/virt/kvm/kvm_types';
import { testVm } from './vm';

const pin = (gsi: number, irqchip: number, n: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_IRQCHIP',
  irqchip: { irqchip, pin: n },
});
const message = (gsi: number, vector: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_MSI',
  msi: { address_lo: 0xfee00000, address_hi: 0, data: vector },
});

const gsi = fc.oneof({ weight: 20, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: fc.constantFrom(4095, 4096, 0xffffffff) });
const entry = fc.oneof(
  fc
    .tuple(gsi, fc.oneof({ weight: 20, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.constant(3) }), fc.nat(25))
    .map((args) => pin(...args)),
  fc.tuple(gsi, fc.integer({ min: 0x20, max: 0xff })).map((args) => message(...args)),
);
const table = fc.array(entry, { maxLength: 12 });

const PINS: Readonly<Record<number, number>> = { [KVM_IRQCHIP_PIC_MASTER]: 8, [KVM_IRQCHIP_PIC_SLAVE]: 8, [KVM_IRQCHIP_IOAPIC]: 24 };

/** What KVM_SET_GSI_ROUTING accepts, by its documentation. */
function acceptable(entries: readonly KvmIrqRoutingEntry[], split: boolean): boolean {
  const perGsi = new Map<number, KvmIrqRoutingEntry[]>();
  for (const one of entries) {
    if (one.gsi >= KVM_MAX_IRQ_ROUTES) return false;
    if (one.type === 'KVM_IRQ_ROUTING_IRQCHIP' && (split || one.irqchip.pin >= (PINS[one.irqchip.irqchip] ?? 0))) return false;
    perGsi.set(one.gsi, [...(perGsi.get(one.gsi) ?? []), one]);
  }
  return [...perGsi.values()].every((of) => {
    const chips = of.flatMap((one) => (one.type === 'KVM_IRQ_ROUTING_IRQCHIP' ? [one.irqchip.irqchip] : []));
    return of.length === 1 || (chips.length === of.length && new Set(chips).size === chips.length);
  });
}

/** A table as plain data. */
const contents = ({ irq_routing }: Kvm) => [...irq_routing.map.values()].flat().map(({ set: _, ...rest }) => rest);

describe('the routing table', () => {
  it('is replaced by a table that is right and kept when one is wrong', () => {
    fc.assert(
      fc.property(table, table, fc.boolean(), (first, second, split) => {
        const { kvm, bench } = testVm(split ? { irqchip_mode: 'KVM_IRQCHIP_SPLIT' } : {});
        for (const entries of [first, second]) {
          const before = contents(kvm);
          const right = acceptable(entries, split);
          assert.equal(
            bench.perform(() => kvm_set_irq_routing(kvm, entries)),
            right ? 0 : -EINVAL,
          );
          const after = contents(kvm);
          if (right) assert.equal(after.length, entries.length);
          else assert.deepEqual(after, before);
        }
      }),
    );
  });

  it('whatever it is, every GSI can be raised and lowered', () => {
    fc.assert(
      fc.property(table, fc.array(fc.tuple(fc.nat(15), fc.constantFrom(0, 1), fc.nat(2)), { maxLength: 30 }), (entries, changes) => {
        const { kvm, bench } = testVm({ booted: true });
        bench.perform(() => kvm_set_irq_routing(kvm, entries));
        for (const [of, level, source] of changes) {
          const ret = bench.perform(() => kvm_set_irq(kvm, source, of, level, true));
          if (!kvm.irq_routing.map.has(of)) assert.equal(ret, -1);
        }
      }),
    );
  });

  it('reaches a chip’s pin by the entry that claimed it last', () => {
    const { chip } = irq_routing_table([pin(3, KVM_IRQCHIP_IOAPIC, 5), pin(4, KVM_IRQCHIP_IOAPIC, 5), pin(9, KVM_IRQCHIP_PIC_SLAVE, 1)]);
    assert.equal(chip.get(KVM_IRQCHIP_IOAPIC)?.get(5), 4);
    assert.equal(chip.get(KVM_IRQCHIP_PIC_SLAVE)?.get(9), 9);
    assert.throws(() => irq_routing_table([pin(3, KVM_IRQCHIP_IOAPIC, 24)]), /GSI 3 .* pin that its chip does not have/);
  });

  it('adds up what the chips of a GSI answer, and sends a message only on a rise', () => {
    const { kvm, bench, sent } = testVm({
      booted: true,
      routing: [pin(4, KVM_IRQCHIP_IOAPIC, 4), pin(4, KVM_IRQCHIP_PIC_MASTER, 4), message(24, 0x51)],
    });
    const set = (of: number, level: number): number => bench.perform(() => kvm_set_irq(kvm, 0, of, level, true));
    // The I/O APIC's pin is masked and says -1; the PIC's counts.
    assert.deepEqual([set(4, 1), set(4, 0), set(24, 1), set(24, 0)], [1, 2, 1, -1]);
    assert.deepEqual(sent, [{ vector: 0x51, level: false }]);
  });

  it('is not asked for a message that user space sends itself', () => {
    const { kvm, bench, sent } = testVm({ booted: true, routing: [] });
    const ret = bench.perform(() => kvm_send_userspace_msi(kvm, { address_lo: 0xfee00000, address_hi: 0, data: 0x8042 }));
    assert.equal(ret, 1);
    assert.deepEqual(sent, [{ vector: 0x42, level: true }]);
    const off = testVm({ irqchip_mode: 'KVM_IRQCHIP_NONE' });
    assert.equal(
      off.bench.perform(() => kvm_send_userspace_msi(off.kvm, { address_lo: 0xfee00000, address_hi: 0, data: 0x42 })),
      -EINVAL,
    );
  });
});
