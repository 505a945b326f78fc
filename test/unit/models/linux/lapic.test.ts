import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import { architecturally } from '../../../../src/engine/fn';
import type { LapicMode } from '../../../../src/models/hardware/virt_cpu';
import {
  APIC_BASE_MSR,
  APIC_DEST_ALLBUT,
  APIC_DEST_ALLINC,
  APIC_DEST_LOGICAL,
  APIC_DEST_PHYSICAL,
  APIC_DFR,
  APIC_DM_FIXED,
  APIC_DM_LOWEST,
  APIC_EOI,
  APIC_LDR,
  APIC_SPIV,
  APIC_TASKPRI,
} from '../../../../src/models/linux/arch/x86/include/asm/apicdef';
import { kvm_irq_delivery_to_apic, kvm_set_msi_irq } from '../../../../src/models/linux/arch/x86/kvm/irq_comm';
import {
  kvm_apic_ack_interrupt,
  kvm_apic_get_state,
  kvm_apic_has_interrupt,
  kvm_apic_match_dest,
  kvm_apic_set_base,
  kvm_apic_set_irq,
  kvm_apic_set_state,
  kvm_x2apic_msr_read,
  kvm_x2apic_msr_write,
  type KvmLapicIrq,
} from '../../../../src/models/linux/arch/x86/kvm/lapic';
import type { KvmLapic } from '../../../../src/models/linux/arch/x86/kvm/lapic_state';
import { countVectors, highestVector, testVector } from '../../../../src/models/linux/arch/x86/kvm/vectors';
import { vt_x86_ops } from '../../../../src/models/linux/arch/x86/kvm/vmx/main';
import { alloc_workqueue } from '../../../../src/models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../../../../src/models/linux/virt/kvm/kvm_main';
import type { Kvm, KvmVcpu } from '../../../../src/models/linux/virt/kvm/kvm_types';
import { goldenLapic } from '../golden';
import { onMachine } from '../support';

/** KVM's local APIC: priorities as KVM's own functions compute them, and the laws of accepting, taking, ending and addressing. */

interface Options {
  readonly mode?: LapicMode;
  readonly cpus?: number;
  readonly linux?: string;
  readonly vector_hashing?: boolean;
}

/** Runs `body` with the vCPUs of a new machine. */
function withKvm<T>(body: (kvm: Kvm, vcpus: readonly [KvmVcpu, ...KvmVcpu[]]) => Run<T>, options: Options = {}): T {
  const { mode = 'vmx-xapic', cpus = 1, linux = '6.12', vector_hashing = true } = options;
  return onMachine(
    function* () {
      const kvm = kvm_vm({
        system_wq: alloc_workqueue('events', 'kworker', 1),
        irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', 1),
        x86_ops: vt_x86_ops(mode === 'vmx-apicv'),
        vector_hashing,
      });
      const first = kvm_vcpu(kvm, mode);
      const others = Array.from({ length: cpus - 1 }, () => kvm_vcpu(kvm, mode));
      return yield* body(kvm, [first, ...others]);
    },
    { linux },
  );
}

const vectorsOf = (apic: KvmLapic, register: 'APIC_IRR' | 'APIC_ISR' | 'APIC_TMR'): number[] =>
  Array.from({ length: 256 }, (_, vector) => vector).filter((vector) => testVector(apic, register, vector));

function* store({ apic }: KvmVcpu, offset: number, value: number): Run<number> {
  return yield* architecturally('mmio', apic.dev.write!.target)(apic.vcpu, apic.base_address + offset, 4, value);
}

function* load({ apic }: KvmVcpu, offset: number): Run<number> {
  const val = { value: 0 };
  yield* architecturally('mmio', apic.dev.read!.target)(apic.vcpu, apic.base_address + offset, 4, val);
  return val.value;
}

const message = (vector: number, rest: Partial<KvmLapicIrq> = {}): KvmLapicIrq => ({
  vector,
  delivery_mode: APIC_DM_FIXED,
  dest_mode: APIC_DEST_PHYSICAL,
  level: true,
  trig_mode: false,
  shorthand: 0,
  dest_id: 0,
  msi_redir_hint: false,
  ...rest,
});

/** A page with one vector in service and one requested, at a task priority; -1 is none. */
function* load_page(vcpu: KvmVcpu, tpr: number, isr: number, irr: number): Run {
  const page: Record<string, number> = { ...kvm_apic_get_state(vcpu), APIC_TASKPRI: tpr };
  for (const [register, vector] of [
    ['APIC_ISR', isr],
    ['APIC_IRR', irr],
  ] as const)
    for (let word = 0; word < 8; word++)
      page[`${register}[${word}]`] = vector >>> 5 === word && vector >= 0 ? (1 << (vector & 31)) >>> 0 : 0;
  yield* kvm_apic_set_state(vcpu, page as unknown as ReturnType<typeof kvm_apic_get_state>);
}

const anyVector = fc.integer({ min: 16, max: 255 });

test('priorities: every row of the golden grid', () => {
  withKvm(function* (_kvm, [vcpu]) {
    for (const { tpr, isr, irr, ppr, kvm } of goldenLapic()) {
      yield* load_page(vcpu, tpr, isr, irr);
      assert.equal(yield* kvm_apic_has_interrupt(vcpu), kvm, JSON.stringify({ tpr, isr, irr }));
      assert.equal(vcpu.apic.APIC_PROCPRI, ppr);
    }
  });
});

/** What may happen to one local APIC. */
const anyEvent = fc.oneof(
  fc.record({ kind: fc.constant('accept' as const), vector: anyVector, trig_mode: fc.boolean() }),
  fc.record({ kind: fc.constant('take' as const) }),
  fc.record({ kind: fc.constant('end' as const) }),
  fc.record({ kind: fc.constant('tpr' as const), cr8: fc.integer({ min: 0, max: 15 }) }),
);

test('laws of taking and ending: priority decides what is taken, the highest in service is what ends, and what is cached is true', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) =>
      withKvm(function* (_kvm, [vcpu]) {
        const { apic } = vcpu;
        const requested = new Set<number>();
        const served = new Set<number>();
        let tpr = 0;
        const highest = (of: ReadonlySet<number>): number => Math.max(...of, -1);
        for (const event of events) {
          switch (event.kind) {
            case 'accept':
              assert.equal(yield* kvm_apic_set_irq(vcpu, message(event.vector, { trig_mode: event.trig_mode }), undefined), 1);
              requested.add(event.vector);
              assert.equal(testVector(apic, 'APIC_TMR', event.vector), event.trig_mode);
              break;
            case 'take': {
              const priority = Math.max(tpr, highest(served), 0) & 0xf0;
              const expected = (highest(requested) & 0xf0) > priority ? highest(requested) : -1;
              const vector = yield* kvm_apic_has_interrupt(vcpu);
              assert.equal(vector, expected);
              if (vector < 0) break;
              yield* kvm_apic_ack_interrupt(vcpu, vector);
              requested.delete(vector);
              served.add(vector);
              break;
            }
            case 'end':
              yield* store(vcpu, APIC_EOI, 0);
              served.delete(highest(served));
              break;
            case 'tpr':
              tpr = event.cr8 << 4;
              yield* store(vcpu, APIC_TASKPRI, tpr);
              break;
          }
          assert.deepEqual(
            vectorsOf(apic, 'APIC_IRR'),
            [...requested].sort((a, b) => a - b),
          );
          assert.deepEqual(
            vectorsOf(apic, 'APIC_ISR'),
            [...served].sort((a, b) => a - b),
          );
          if (requested.size > 0) assert.equal(apic.irr_pending, true);
          assert.equal(apic.isr_count, countVectors(apic, 'APIC_ISR'));
          if (apic.highest_isr_cache !== -1) assert.equal(apic.highest_isr_cache, highestVector(apic, 'APIC_ISR'));
        }
      }),
    ),
    { numRuns: 150 },
  );
});

const anyMode = fc.constantFrom<LapicMode>('vmx-xapic', 'vmx-x2apic');
const anyMessage = fc.record({
  vector: anyVector,
  dest_mode: fc.constantFrom(APIC_DEST_PHYSICAL, APIC_DEST_LOGICAL),
  dest_id: fc.integer({ min: 0, max: 0x1f }),
  shorthand: fc.constantFrom(0, 0, 0, APIC_DEST_ALLINC, APIC_DEST_ALLBUT),
  trig_mode: fc.boolean(),
});

test('the table of destinations answers as asking every local APIC would', () => {
  fc.assert(
    fc.property(
      anyMode,
      fc.integer({ min: 1, max: 4 }),
      anyMessage,
      fc.constantFrom('6.1', '6.12'),
      fc.boolean(),
      (mode, cpus, given, linux, cluster) =>
        withKvm(
          function* (kvm, vcpus) {
            if (cluster && mode === 'vmx-xapic') for (const [n, vcpu] of vcpus.entries()) yield* useCluster(vcpu, n);
            const irq = message(given.vector, given);
            const meant: number[] = [];
            for (const vcpu of vcpus)
              if (yield* kvm_apic_match_dest(vcpu, vcpus[0].apic, irq.shorthand, irq.dest_id, irq.dest_mode)) meant.push(vcpu.vcpu_id);
            const accepted = yield* kvm_irq_delivery_to_apic(kvm, vcpus[0].apic, irq, undefined);
            const got = vcpus.filter(({ apic }) => testVector(apic, 'APIC_IRR', irq.vector)).map(({ vcpu_id }) => vcpu_id);
            assert.deepEqual(got, meant);
            assert.equal(Math.max(accepted, 0), meant.length);
          },
          { mode, cpus, linux },
        ),
    ),
    { numRuns: 200 },
  );
});

/** Cluster addressing: the CPU's own bit in cluster 1. */
function* useCluster(vcpu: KvmVcpu, n: number): Run {
  yield* store(vcpu, APIC_DFR, 0);
  yield* store(vcpu, APIC_LDR, (0x10 | (1 << n)) << 24);
}

test('lowest priority reaches at most one of the addressed, and without hashing the one that had the fewest', () => {
  fc.assert(
    fc.property(
      fc.array(anyVector, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 15 }),
      fc.boolean(),
      (vectors, dest_id, vector_hashing) =>
        withKvm(
          function* (kvm, vcpus) {
            const had = vcpus.map(() => 0);
            for (const vector of vectors) {
              const irq = message(vector, { delivery_mode: APIC_DM_LOWEST, dest_mode: APIC_DEST_LOGICAL, dest_id });
              const before = vcpus.map(({ apic }) => apic.vcpu['arch.apic_arb_prio']);
              const accepted = yield* kvm_irq_delivery_to_apic(kvm, undefined, irq, undefined);
              const after = vcpus.map(({ apic }) => apic.vcpu['arch.apic_arb_prio']);
              const winners = after.flatMap((count, n) => (count > before[n]! ? [n] : []));
              assert.deepEqual([accepted, winners.length], [1, 1]);
              const [winner] = winners;
              assert.ok(winner !== undefined && (dest_id >>> winner) & 1);
              if (!vector_hashing) assert.equal(had[winner], Math.min(...had.filter((_, n) => (dest_id >>> n) & 1)));
              had[winner]! += 1;
            }
          },
          { cpus: 4, vector_hashing },
        ),
    ),
    { numRuns: 100 },
  );
});

test('the same vector always goes to the same CPU by hashing', () => {
  withKvm(
    function* (kvm, vcpus) {
      for (let vector = 16; vector < 256; vector++) {
        const irq = message(vector, { delivery_mode: APIC_DM_LOWEST, dest_mode: APIC_DEST_LOGICAL, dest_id: 0xf });
        yield* kvm_irq_delivery_to_apic(kvm, undefined, irq, undefined);
        assert.ok(testVector(vcpus[vector % 4]!.apic, 'APIC_IRR', vector));
      }
    },
    { cpus: 4 },
  );
});

test('mixed or shared logical IDs: 6.12 gives the table up and asks each, 6.1 lets the last one win', () => {
  const both = (linux: string): number =>
    withKvm(
      function* (kvm, vcpus) {
        for (const vcpu of vcpus) yield* store(vcpu, APIC_LDR, 0x01000000);
        return yield* kvm_irq_delivery_to_apic(kvm, undefined, message(0x40, { dest_mode: APIC_DEST_LOGICAL, dest_id: 1 }), undefined);
      },
      { cpus: 2, linux },
    );
  assert.deepEqual([both('6.1'), both('6.12')], [1, 2]);
});

test('a local APIC that is off accepts nothing, keeps its sources masked, and is in no table of logical IDs', () => {
  withKvm(function* (kvm, [vcpu]) {
    yield* store(vcpu, APIC_SPIV, 0xff);
    assert.equal(yield* kvm_irq_delivery_to_apic(kvm, undefined, message(0x40), undefined), 0);
    assert.equal(kvm.arch.apic_map?.logical_mode, 0);
    yield* store(vcpu, 0x350, 0x700);
    assert.equal((yield* load(vcpu, 0x350)) & 0x10000, 0x10000);
  });
});

test('MSI: each field is where the architecture has it, and the level bit says nothing', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xff }),
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 0, max: 0xff }),
      fc.integer({ min: 0, max: 7 }),
      fc.boolean(),
      fc.boolean(),
      word,
      (dest_id, logical, hint, vector, mode, level, trigger, address_hi) =>
        withKvm(function* (kvm) {
          const address_lo = (0xfee00000 | (dest_id << 12) | (Number(hint) << 3) | (Number(logical) << 2)) >>> 0;
          const data = vector | (mode << 8) | (Number(level) << 14) | (Number(trigger) << 15);
          const irq = yield* kvm_set_msi_irq(kvm, { msi: { address_lo, address_hi, data } });
          assert.deepEqual(irq, {
            vector,
            delivery_mode: mode << 8,
            dest_mode: logical ? APIC_DEST_LOGICAL : APIC_DEST_PHYSICAL,
            level: true,
            trig_mode: trigger,
            shorthand: 0,
            dest_id,
            msi_redir_hint: hint,
          });
        }),
    ),
    { numRuns: 200 },
  );
});

test('posting loses nothing: whatever is posted and whenever KVM looks, each vector is in PIR or in IRR, and ON whenever PIR is not empty', () => {
  const anyAct = fc.oneof(anyVector, fc.constant('sync' as const));
  fc.assert(
    fc.property(fc.array(anyAct, { maxLength: 60 }), (acts) =>
      withKvm(
        function* (kvm, [vcpu]) {
          const { apic, cpu } = vcpu;
          const pi = cpu.pi!;
          const posted = new Set<number>();
          for (const act of acts) {
            if (act === 'sync') yield* architecturally('call', kvm.x86_ops.apicv!.sync_pir_to_irr.target)(vcpu);
            else {
              yield* kvm_apic_set_irq(vcpu, message(act), undefined);
              posted.add(act);
            }
            const waiting = Array.from({ length: 256 }, (_, vector) => vector).filter(
              (vector) => ((pi[`pir[${(vector >>> 5) as 0}]`] >>> (vector & 31)) & 1) === 1,
            );
            assert.deepEqual(
              [...new Set([...waiting, ...vectorsOf(apic, 'APIC_IRR')])].sort((a, b) => a - b),
              [...posted].sort((a, b) => a - b),
            );
            assert.equal(pi.on, waiting.length > 0);
            if (act === 'sync') assert.equal(cpu.vmcs!['GUEST_INTR_STATUS.RVI'], Math.max(...posted, 0));
          }
        },
        { mode: 'vmx-apicv' },
      ),
    ),
    { numRuns: 100 },
  );
});

test('APICv off for a while: 6.12 finds what was posted, 6.1 keeps it hidden behind irr_pending', () => {
  const found = (linux: string): number =>
    withKvm(
      function* (kvm, [vcpu]) {
        yield* kvm_apic_set_irq(vcpu, message(0x40), undefined);
        vcpu.apic.apicv_active = false;
        vcpu.apic.irr_pending = false;
        yield* architecturally('call', kvm.x86_ops.apicv!.sync_pir_to_irr.target)(vcpu);
        return yield* kvm_apic_has_interrupt(vcpu);
      },
      { mode: 'vmx-apicv', linux },
    );
  assert.deepEqual([found('6.1'), found('6.12')], [-1, 0x40]);
});

test('IA32_APIC_BASE: only the ways between modes that the architecture has', () => {
  const [OFF, XAPIC, X2APIC] = [0xfee00000, 0xfee00800, 0xfee00c00];
  const allowed = (from: readonly number[], to: number): boolean =>
    withKvm(function* (_kvm, [vcpu]) {
      for (const base of from) assert.equal(yield* kvm_apic_set_base(vcpu, base), 0);
      return (yield* kvm_apic_set_base(vcpu, to)) === 0;
    });
  assert.deepEqual(
    [
      allowed([], X2APIC),
      allowed([X2APIC], XAPIC),
      allowed([X2APIC], OFF),
      allowed([OFF], X2APIC),
      allowed([OFF, XAPIC], X2APIC),
      allowed([], 0xfee00400),
    ],
    [true, false, true, false, true, false],
  );
});

test('no sequence of accesses, however odd, throws, hangs, or gets past a register’s mask', () => {
  const value = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 0x1ff, 0xff, 0xffffffff, 0x10000));
  const access = fc.oneof(
    fc.record({ kind: fc.constant('store' as const), offset: fc.integer({ min: 0, max: 0xfff }), value, cpu: fc.nat(2) }),
    fc.record({ kind: fc.constant('aligned' as const), offset: fc.integer({ min: 0, max: 0x3f }), value, cpu: fc.nat(2) }),
    fc.record({ kind: fc.constant('load' as const), offset: fc.integer({ min: 0, max: 0xfff }), value, cpu: fc.nat(2) }),
    fc.record({ kind: fc.constant('wrmsr' as const), offset: fc.integer({ min: 0, max: 0xff }), value, cpu: fc.nat(2) }),
    fc.record({ kind: fc.constant('rdmsr' as const), offset: fc.integer({ min: 0, max: 0xff }), value, cpu: fc.nat(2) }),
    fc.record({
      kind: fc.constant('base' as const),
      offset: fc.constant(0),
      value: fc.constantFrom(0xfee00000, 0xfee00800, 0xfee00c00, 0xfec00800),
      cpu: fc.nat(2),
    }),
    fc.record({ kind: fc.constant('message' as const), offset: fc.integer({ min: 0, max: 0xffff }), value, cpu: fc.nat(2) }),
  );
  fc.assert(
    fc.property(
      fc.array(access, { maxLength: 50 }),
      fc.constantFrom<LapicMode>('vmx-xapic', 'vmx-apicv'),
      fc.constantFrom('6.1', '6.12'),
      (accesses, mode, linux) =>
        withKvm(
          function* (kvm, vcpus) {
            for (const { kind, offset, value: data, cpu } of accesses) {
              const vcpu = vcpus[cpu]!;
              if (kind === 'store') yield* store(vcpu, offset, data);
              else if (kind === 'aligned') yield* store(vcpu, offset << 4, data);
              else if (kind === 'load') yield* load(vcpu, offset);
              else if (kind === 'wrmsr') yield* kvm_x2apic_msr_write(vcpu, APIC_BASE_MSR + offset, (BigInt(data) << 32n) | BigInt(offset));
              else if (kind === 'rdmsr') yield* kvm_x2apic_msr_read(vcpu, APIC_BASE_MSR + offset);
              else if (kind === 'base') yield* kvm_apic_set_base(vcpu, data);
              else {
                const irq = yield* kvm_set_msi_irq(kvm, { msi: { address_lo: data, address_hi: 0, data: offset } });
                yield* kvm_irq_delivery_to_apic(kvm, undefined, irq, undefined);
              }
            }
            for (const { apic } of vcpus) {
              assert.equal(apic.APIC_SPIV & ~0x3ff, 0);
              assert.equal(apic.APIC_ESR, 0);
              assert.equal(apic.APIC_TASKPRI & ~0xff, 0);
              if (!apic.sw_enabled) assert.ok(apic.APIC_LVT0 & 0x10000);
            }
          },
          { mode, cpus: 3, linux },
        ),
    ),
    { numRuns: 150 },
  );
});

test('the task priority holds back its own class and those below', () => {
  withKvm(function* (kvm, [vcpu]) {
    yield* kvm_irq_delivery_to_apic(kvm, undefined, message(0x4f), undefined);
    yield* store(vcpu, APIC_TASKPRI, 0x40);
    assert.equal(yield* kvm_apic_has_interrupt(vcpu), -1);
    yield* store(vcpu, APIC_TASKPRI, 0x3f);
    assert.equal(yield* kvm_apic_has_interrupt(vcpu), 0x4f);
  });
});
