import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from '../../../../src/models/linux/errno';
import { kvm_ioapic_update_eoi } from '../../../../src/models/linux/arch/x86/kvm/ioapic';
import { eventfd_ctx, eventfd_release, eventfd_write, type EventfdCtx } from '../../../../src/models/linux/fs/eventfd';
import {
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  kvm_ioeventfd,
  kvm_irqfd,
  type KvmIoeventfd,
} from '../../../../src/models/linux/virt/kvm/eventfd';
import { kvm_set_irq, kvm_set_irq_routing } from '../../../../src/models/linux/virt/kvm/irqchip';
import { kvm_io_bus_write } from '../../../../src/models/linux/virt/kvm/kvm_main';
import { KVM_IRQCHIP_IOAPIC, type KvmIrqRoutingEntry } from '../../../../src/models/linux/virt/kvm/kvm_types';
import { testVm, type TestVm } from './vm';

const MSI_GSI = 24;
const LEVEL_GSI = 10;
const ROUTING: readonly KvmIrqRoutingEntry[] = [
  { gsi: MSI_GSI, type: 'KVM_IRQ_ROUTING_MSI', msi: { address_lo: 0xfee00000, address_hi: 0, data: 0x51 } },
  { gsi: LEVEL_GSI, type: 'KVM_IRQ_ROUTING_IRQCHIP', irqchip: { irqchip: KVM_IRQCHIP_IOAPIC, pin: LEVEL_GSI } },
  { gsi: 4, type: 'KVM_IRQ_ROUTING_IRQCHIP', irqchip: { irqchip: KVM_IRQCHIP_IOAPIC, pin: 4 } },
];

interface Irqfds extends TestVm {
  readonly fds: readonly EventfdCtx[];
}

/** A virtual machine with four eventfds, a level-triggered pin 10 (vector 0x3a), and an edge-triggered pin 4 (0x34). */
function withEventfds(): Irqfds {
  const vm = testVm({ booted: true, routing: ROUTING });
  const { bench, vcpus } = vm;
  for (const [index, val] of [
    [0x24, 0x803a],
    [0x18, 0x34],
  ] as const)
    bench.perform(function* () {
      yield* kvm_io_bus_write(vcpus[0]!, 'KVM_MMIO_BUS', 0xfec00000, 4, index);
      yield* kvm_io_bus_write(vcpus[0]!, 'KVM_MMIO_BUS', 0xfec00010, 4, val);
    });
  // eventfd(2) needs a running machine.
  const fds = bench.perform(function* () {
    return [0, 1, 2, 3].map((n) => eventfd_ctx(`eventfd ${n}`));
  });
  return { ...vm, fds };
}

const assign = ({ bench, kvm, fds }: Irqfds, fd: number, gsi: number, resample?: number): number =>
  bench.perform(() =>
    kvm_irqfd(kvm, {
      fd: fds[fd]!,
      gsi,
      flags: resample === undefined ? 0 : KVM_IRQFD_FLAG_RESAMPLE,
      ...(resample === undefined ? {} : { resamplefd: fds[resample]! }),
    }),
  );
const deassign = ({ bench, kvm, fds }: Irqfds, fd: number, gsi: number): number =>
  bench.perform(() => kvm_irqfd(kvm, { fd: fds[fd]!, gsi, flags: KVM_IRQFD_FLAG_DEASSIGN }));
const signal = ({ bench, fds }: Irqfds, fd: number, val = 1): void => bench.perform(() => eventfd_write(fds[fd]!, val));
const setIrq = ({ bench, kvm }: Irqfds, gsi: number, level: number): number => bench.perform(() => kvm_set_irq(kvm, 0, gsi, level, true));
const eoi = ({ bench, vcpus }: Irqfds, vector: number): void => bench.perform(() => kvm_ioapic_update_eoi(vcpus[0]!, vector, 1));
const counts = ({ fds }: Irqfds): number[] => fds.map(({ count }) => count);
const isUp = ({ kvm }: Irqfds, pin: number): boolean => ((kvm.arch.vioapic!.irr >>> pin) & 1) === 1;

describe('irqfds', () => {
  it('one write of any value is one interrupt, and takes the count', () => {
    const vm = withEventfds();
    assert.equal(assign(vm, 0, MSI_GSI), 0);
    signal(vm, 0, 7);
    assert.deepEqual(vm.sent, [{ vector: 0x51, level: false }]);
    assert.equal(vm.fds[0]!.count, 0);
  });

  it('an event from before is injected when the irqfd is made, and its count stays until the next one', () => {
    const vm = withEventfds();
    signal(vm, 0, 3);
    assign(vm, 0, MSI_GSI);
    assert.equal(vm.sent.length, 1);
    assert.equal(vm.fds[0]!.count, 3);
    signal(vm, 0);
    assert.equal(vm.sent.length, 2);
    assert.equal(vm.fds[0]!.count, 0);
  });

  it('a pin is pulsed by a worker, which lowers a line that user space holds up', () => {
    const vm = withEventfds();
    assign(vm, 0, 4);
    signal(vm, 0);
    assert.deepEqual(vm.sent, [{ vector: 0x34, level: false }]);
    setIrq(vm, 4, 1);
    assert.ok(isUp(vm, 4));
    signal(vm, 0);
    assert.ok(!isUp(vm, 4));
  });

  it('with a resamplefd the line stays up until the end of interrupt, which tells every owner once it is down', () => {
    const vm = withEventfds();
    assign(vm, 0, LEVEL_GSI, 2);
    assign(vm, 1, LEVEL_GSI, 3);
    signal(vm, 0);
    assert.ok(isUp(vm, LEVEL_GSI));
    eoi(vm, 0x3a);
    assert.ok(!isUp(vm, LEVEL_GSI));
    assert.deepEqual(counts(vm), [0, 0, 1, 1]);
    // Somebody else's line is not lowered by it: the interrupt comes again.
    setIrq(vm, LEVEL_GSI, 1);
    const before = vm.sent.length;
    eoi(vm, 0x3a);
    assert.ok(isUp(vm, LEVEL_GSI));
    assert.equal(vm.sent.length, before + 1);
  });

  it('the last of a resampler’s irqfds lowers the line and asks for no more ends', () => {
    const vm = withEventfds();
    const listening = vm.kvm.irq_ack_notifier_list.length;
    assign(vm, 0, LEVEL_GSI, 2);
    assign(vm, 1, LEVEL_GSI, 3);
    signal(vm, 0);
    deassign(vm, 0, LEVEL_GSI);
    assert.ok(isUp(vm, LEVEL_GSI));
    deassign(vm, 1, LEVEL_GSI);
    assert.ok(!isUp(vm, LEVEL_GSI));
    assert.equal(vm.kvm.irq_ack_notifier_list.length, listening);
    assert.equal(vm.kvm.irqfds.resampler_list.length, 0);
  });

  it('an eventfd serves one irqfd only, and what was begun for a second is undone', () => {
    const vm = withEventfds();
    assign(vm, 0, MSI_GSI);
    assert.equal(assign(vm, 0, LEVEL_GSI, 2), -EBUSY);
    assert.equal(vm.kvm.irqfds.resampler_list.length, 0);
    assert.equal(assign(vm, 1, LEVEL_GSI, 2), 0);
  });

  it('an irqfd follows its GSI to another route; a GSI without one takes the event and nothing else', () => {
    const vm = withEventfds();
    assign(vm, 0, MSI_GSI);
    const moved = ROUTING.map((one) => (one.type === 'KVM_IRQ_ROUTING_MSI' ? { ...one, msi: { ...one.msi, data: 0x61 } } : one));
    vm.bench.perform(() => kvm_set_irq_routing(vm.kvm, moved));
    signal(vm, 0);
    assert.deepEqual(vm.sent.at(-1), { vector: 0x61, level: false });
    vm.bench.perform(() => kvm_set_irq_routing(vm.kvm, []));
    signal(vm, 0);
    assert.equal(vm.sent.length, 1);
    assert.equal(vm.fds[0]!.count, 0);
  });

  it('closing the eventfd takes the irqfd away; other errors are told by number', () => {
    const vm = withEventfds();
    assign(vm, 0, LEVEL_GSI, 2);
    vm.bench.perform(() => eventfd_release(vm.fds[0]!));
    assert.equal(vm.kvm.irqfds.items.length, 0);
    assert.equal(vm.kvm.irqfds.resampler_list.length, 0);
    const irqfd = (flags: number): number => vm.bench.perform(() => kvm_irqfd(vm.kvm, { fd: vm.fds[1]!, gsi: 5, flags }));
    assert.equal(irqfd(8), -EINVAL);
    assert.equal(irqfd(KVM_IRQFD_FLAG_RESAMPLE), -EBADF);
    const split = testVm({ irqchip_mode: 'KVM_IRQCHIP_SPLIT' });
    const [fd] = vm.fds;
    assert.equal(
      split.bench.perform(() => kvm_irqfd(split.kvm, { fd: fd!, gsi: 5, flags: KVM_IRQFD_FLAG_RESAMPLE, resamplefd: fd! })),
      -EINVAL,
    );
  });

  const operation = fc.oneof(
    fc.record({
      op: fc.constant('assign' as const),
      fd: fc.nat(3),
      gsi: fc.constantFrom(4, 5, LEVEL_GSI, MSI_GSI),
      resample: fc.option(fc.nat(3), { nil: undefined }),
    }),
    fc.record({ op: fc.constant('deassign' as const), fd: fc.nat(3), gsi: fc.constantFrom(4, 5, LEVEL_GSI, MSI_GSI) }),
    fc.record({ op: fc.constant('signal' as const), fd: fc.nat(3), val: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ op: fc.constant('line' as const), gsi: fc.constantFrom(4, LEVEL_GSI), level: fc.constantFrom(0, 1) }),
    fc.record({ op: fc.constant('eoi' as const), vector: fc.constantFrom(0x34, 0x3a, 0x51) }),
    fc.record({ op: fc.constant('close' as const), fd: fc.nat(3) }),
    fc.record({ op: fc.constant('route' as const), kept: fc.subarray([...ROUTING]) }),
  );

  it('no sequence of operations throws or hangs, and what is in the lists always belongs together', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (history) => {
        const vm = withEventfds();
        for (const op of history) {
          if (op.op === 'assign') assign(vm, op.fd, op.gsi, op.resample);
          if (op.op === 'deassign') deassign(vm, op.fd, op.gsi);
          if (op.op === 'signal') signal(vm, op.fd, op.val);
          if (op.op === 'line') setIrq(vm, op.gsi, op.level);
          if (op.op === 'eoi') eoi(vm, op.vector);
          if (op.op === 'close') vm.bench.perform(() => eventfd_release(vm.fds[op.fd]!));
          if (op.op === 'route') vm.bench.perform(() => kvm_set_irq_routing(vm.kvm, op.kept));
          const { items, resampler_list } = vm.kvm.irqfds;
          assert.equal(new Set(items.map(({ eventfd }) => eventfd)).size, items.length);
          assert.equal(new Set(resampler_list.map(({ notifier }) => notifier.gsi)).size, resampler_list.length);
          const owners = resampler_list.flatMap(({ list }) => list);
          assert.deepEqual(new Set(owners), new Set(items.filter(({ resampler }) => resampler !== undefined)));
          assert.ok(resampler_list.every(({ notifier }) => vm.kvm.irq_ack_notifier_list.includes(notifier)));
        }
      }),
    );
  });
});

const place = fc.record({
  addr: fc.constantFrom(0x700, 0x701, 0x702),
  len: fc.constantFrom(0, 1, 2, 4, 8, 3),
  datamatch: fc.option(fc.nat(3), { nil: undefined }),
  pio: fc.boolean(),
});
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

const ioeventfd = (fd: EventfdCtx, { addr, len, datamatch, pio }: Place, flags = 0): KvmIoeventfd => ({
  fd,
  addr,
  len,
  flags: flags | (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) | (datamatch === undefined ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH),
  ...(datamatch === undefined ? {} : { datamatch }),
});

/** Whether a write hits, by the documentation of KVM_IOEVENTFD. */
const hits = ({ addr, len, datamatch }: Place, to: { readonly addr: number; readonly len: number; readonly val: number }): boolean =>
  addr === to.addr && (len === 0 || (len === to.len && (datamatch === undefined || datamatch === to.val)));

describe('ioeventfds', () => {
  it('a write signals the one that asked for it and no other, or goes to user space', () => {
    const store = fc.record({
      addr: fc.constantFrom(0x6ff, 0x700, 0x701, 0x702),
      len: fc.constantFrom(1, 2, 4),
      val: fc.nat(3),
      pio: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), fc.array(store, { maxLength: 20 }), (places, stores) => {
        const vm = withEventfds();
        const made = places.flatMap((of, n) => {
          const ret = vm.bench.perform(() => kvm_ioeventfd(vm.kvm, ioeventfd(vm.fds[n]!, of)));
          const wrong = of.len === 3 || (of.len === 0 && of.datamatch !== undefined);
          assert.ok(wrong ? ret === -EINVAL : ret === 0 || ret === -EEXIST);
          return ret === 0 ? [{ of, fd: vm.fds[n]! }] : [];
        });
        for (const to of stores) {
          const asked = made.filter(({ of }) => of.pio === to.pio && hits(of, to));
          assert.ok(asked.length <= 1, 'two that a write could hit were accepted');
          const before = made.map(({ fd }) => fd.count);
          const ret = vm.bench.perform(() =>
            kvm_io_bus_write(vm.vcpus[0]!, to.pio ? 'KVM_PIO_BUS' : 'KVM_MMIO_BUS', to.addr, to.len, to.val),
          );
          assert.equal(ret, asked.length === 1 ? 0 : -EOPNOTSUPP);
          assert.deepEqual(
            made.map(({ fd }, n) => fd.count - before[n]!),
            made.map((one) => Number(one === asked[0])),
          );
        }
      }),
    );
  });

  it('is taken back only by all that it was made with, and then leaves no trace', () => {
    fc.assert(
      fc.property(place, place, (of, other) => {
        const vm = withEventfds();
        const [fd] = vm.fds;
        const make = (): number => vm.bench.perform(() => kvm_ioeventfd(vm.kvm, ioeventfd(fd!, of)));
        const take = (what: Place): number =>
          vm.bench.perform(() => kvm_ioeventfd(vm.kvm, ioeventfd(fd!, what, KVM_IOEVENTFD_FLAG_DEASSIGN)));
        const before = structuredClone(Object.values(vm.kvm.buses).map((bus) => bus.map(({ addr, len }) => ({ addr, len }))));
        fc.pre(make() === 0);
        assert.equal(make(), -EEXIST);
        const same = of.addr === other.addr && of.len === other.len && of.datamatch === other.datamatch && of.pio === other.pio;
        assert.equal(take(other), same ? 0 : -ENOENT);
        if (!same) assert.equal(take(of), 0);
        assert.equal(take(of), -ENOENT);
        assert.deepEqual(
          Object.values(vm.kvm.buses).map((bus) => bus.map(({ addr, len }) => ({ addr, len }))),
          before,
        );
      }),
    );
  });
});
