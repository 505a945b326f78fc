import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import { ACRN_IOREQ_DIR_WRITE } from '../../../../src/models/acrn/hypervisor/include/public/acrn_common';
import {
  APIC_LVT_LINT0,
  apic_write_vmexit_handler,
  BROADCAST_CPU_ID,
  veoi_vmexit_handler,
  vlapic_inject_intr,
  vlapic_inject_msi,
  vlapic_receive_intr,
  vlapic_set_apicbase,
  vlapic_set_intr,
  vlapic_set_local_intr,
  vlapic_timer_expired,
  vlapic_x2apic_read,
  vlapic_x2apic_write,
} from '../../../../src/models/acrn/hypervisor/arch/x86/guest/vlapic';
import { acrn_handle_pending_request, interrupt_window_vmexit_handler } from '../../../../src/models/acrn/hypervisor/arch/x86/guest/virq';
import { vioapic_mmio_access_handler, vioapic_set_irqline_lock } from '../../../../src/models/acrn/hypervisor/dm/vioapic';
import { bitmap_assign, bitmap_test } from '../../../../src/models/acrn/hypervisor/bitmaps';
import { ACRN_REQUESTS, type AcrnVcpu } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import { withVm } from './vm';

/** The hypervisor's local APIC: priorities as its own functions compute them, and its laws. */

interface Row {
  readonly tpr: number;
  readonly isr: number;
  readonly irr: number;
  readonly ppr: number;
  readonly acrn: number;
}
const { rows } = JSON.parse(readFileSync('test/fixtures/golden/lapic.json', 'utf8')) as { readonly rows: readonly Row[] };

const EOI_MSR = 0x80b;
const SVR_MSR = 0x80f;
const X2APIC = 0xfee00c00;
const INJECTED = 0x80000000;

function injected(vcpu: AcrnVcpu): number {
  const info = vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD;
  vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD = 0;
  return info & INJECTED ? info & 0xff : -1;
}

/** In x2APIC mode, switched on, and back from the entry that this asked for. */
function* enable(vcpu: AcrnVcpu): Run {
  yield* vlapic_set_apicbase(vcpu, X2APIC);
  yield* vlapic_x2apic_write(vcpu, SVR_MSR, 0x1ff, 0);
}

test('priorities: every row of the golden grid', () => {
  for (const { tpr, isr, irr, ppr, acrn } of rows) {
    const [gotPpr, vector] = withVm(function* (vm) {
      const vcpu = vm.vcpu_array[0]!;
      vcpu.vlapic['apic_page.tpr'] = tpr;
      vcpu.vlapic.isrv = Math.max(isr, 0);
      if (irr >= 0) bitmap_assign(vcpu.vlapic, 'apic_page.irr', irr, true);
      yield* vlapic_inject_intr(vcpu, true, false);
      const before = vcpu.vlapic['apic_page.ppr'];
      return [before, injected(vcpu)] as const;
    });
    // The grid was made with the highest request handed in; the search for it never looks below vector 32.
    const expected = irr < 32 ? -1 : acrn;
    assert.equal(vector, expected, `TPR ${tpr}, in service ${isr}, requested ${irr}`);
    // Once a vector is in service the priority is its class, or the task's.
    if (expected === -1) assert.equal(gotPpr, ppr);
    else assert.equal(gotPpr >> 4, Math.max(tpr >> 4, expected >> 4));
  }
  assert.equal(rows.length, 486);
});

test('a level vector’s EOI is told to the vIOAPIC, an edge vector’s is not; the last accepted message decides', () => {
  withVm(function* (vm) {
    const vcpu = vm.vcpu_array[0]!;
    yield* enable(vcpu);
    const remoteIrr = (): number => (vm.vioapic_array[0]!.rtbl[5]!['u.lo_32'] >>> 14) & 1;
    const write = (index: number, value: number) =>
      (function* () {
        const at = (address: number, data: number) => ({ direction: ACRN_IOREQ_DIR_WRITE, address, size: 4, value: data }) as const;
        yield* vioapic_mmio_access_handler(vm, vm.vioapic_array[0]!, { ...at(0xfec00000, index) });
        yield* vioapic_mmio_access_handler(vm, vm.vioapic_array[0]!, { ...at(0xfec00010, value) });
      })();
    yield* write(0x1a, 0x8050);
    yield* vioapic_set_irqline_lock(vm, 5, 'GSI_SET_HIGH');
    assert.equal(remoteIrr(), 1);
    yield* acrn_handle_pending_request(vcpu);
    assert.equal(injected(vcpu), 0x50);
    yield* vioapic_set_irqline_lock(vm, 5, 'GSI_SET_LOW');
    // An edge message of the same vector, accepted while the level one is in service, takes its EOI away.
    yield* vlapic_set_intr(vcpu, 0x50, false);
    yield* vlapic_x2apic_write(vcpu, EOI_MSR, 0, 0);
    assert.equal(remoteIrr(), 1);
    yield* acrn_handle_pending_request(vcpu);
    yield* vlapic_set_intr(vcpu, 0x50, true);
    yield* vlapic_x2apic_write(vcpu, EOI_MSR, 0, 0);
    assert.equal(remoteIrr(), 0);
  });
});

test('a second message for a vector that is requested changes nothing, not even the trigger mode', () => {
  withVm(function* (vm) {
    const vcpu = vm.vcpu_array[0]!;
    yield* enable(vcpu);
    yield* vlapic_set_intr(vcpu, 0x50, false);
    yield* vlapic_set_intr(vcpu, 0x50, true);
    assert.equal(bitmap_test(vcpu.vlapic, 'apic_page.tmr', 0x50), false);
  });
});

test('with posted interrupts the trigger mode follows every message, and one notification is outstanding at most', () => {
  withVm(
    function* (vm) {
      const [, vcpu] = vm.vcpu_array;
      assert.ok(vcpu);
      yield* enable(vcpu);
      yield* vlapic_set_intr(vcpu, 0x50, false);
      assert.ok(vcpu.pid.POSTED_INTR_ON && vcpu.pcpu['irr.POSTED_INTR_VECTOR']);
      vcpu.pcpu['irr.POSTED_INTR_VECTOR'] = false;
      yield* vlapic_set_intr(vcpu, 0x50, true);
      yield* vlapic_set_intr(vcpu, 0x61, false);
      assert.equal(vcpu.pcpu['irr.POSTED_INTR_VECTOR'], false);
      assert.ok(bitmap_test(vcpu.pid, 'pir', 0x50) && bitmap_test(vcpu.pid, 'pir', 0x61));
      assert.ok(bitmap_test(vcpu.vlapic, 'apic_page.tmr', 0x50));
      yield* acrn_handle_pending_request(vcpu);
      assert.ok(bitmap_test(vcpu.vmcs, 'VMX_EOI_EXIT', 0x50), 'the EOI of a level vector exits');
      assert.ok(!bitmap_test(vcpu.vmcs, 'VMX_EOI_EXIT', 0x61));
    },
    { vcpus: 2, apicv: 'advanced' },
  );
});

test('what cannot be injected asks for an interrupt window, and goes in when it opens', () => {
  withVm(function* (vm) {
    const vcpu = vm.vcpu_array[0]!;
    yield* enable(vcpu);
    vcpu.vmcs['VMX_GUEST_RFLAGS.IF'] = false;
    yield* vlapic_set_intr(vcpu, 0x50, false);
    yield* acrn_handle_pending_request(vcpu);
    assert.equal(injected(vcpu), -1);
    assert.ok(vcpu.vmcs['VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN']);
    vcpu.vmcs['VMX_GUEST_RFLAGS.IF'] = true;
    yield* interrupt_window_vmexit_handler(vcpu);
    yield* acrn_handle_pending_request(vcpu);
    assert.equal(injected(vcpu), 0x50);
    assert.ok(!vcpu.vmcs['VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN']);
  });
});

test('destinations: physical, logical flat and cluster, x2APIC, lowest priority', () => {
  withVm(
    function* (vm) {
      const reached = function* (dest: number, phys: boolean, lowprio = false): Run<number[]> {
        yield* vlapic_receive_intr(vm, false, dest, phys, lowprio ? 1 : 0, 0x71, false);
        const found = vm.vcpu_array.flatMap((vcpu) => (bitmap_assign(vcpu.vlapic, 'apic_page.irr', 0x71, false) ? [vcpu.vcpu_id] : []));
        return found;
      };
      for (const vcpu of vm.vcpu_array) {
        vcpu.vlapic['apic_page.svr'] = 0x1ff;
        vcpu.vlapic['apic_page.ldr'] = 0x01000000 << vcpu.vcpu_id;
      }
      assert.deepEqual(yield* reached(1, true), [1]);
      assert.deepEqual(yield* reached(0xff, true), [], 'messages know no broadcast');
      assert.deepEqual(yield* reached(0x05, false), [0, 2]);
      vm.vcpu_array[0]!.vlapic['apic_page.ppr'] = 0x60;
      assert.deepEqual(yield* reached(0x07, false, true), [1], 'the first of those with the lowest priority');
      for (const vcpu of vm.vcpu_array) vcpu.vlapic['apic_page.dfr'] = 0x0fffffff;
      vm.vcpu_array[2]!.vlapic['apic_page.ldr'] = 0x13000000;
      assert.deepEqual(yield* reached(0x12, false), [2]);
      vm.vcpu_array[1]!.vlapic['apic_page.svr'] = 0xff;
      assert.deepEqual(yield* reached(1, true), [], 'off by software');
      for (const vcpu of vm.vcpu_array) yield* enable(vcpu);
      assert.deepEqual(yield* reached(0x6, false), [1, 2], 'one bit for each in cluster 0');
    },
    { vcpus: 3 },
  );
});

test('LINT0 in ExtINT mode rewires the vPIC, and a switched-off local APIC gives it back', () => {
  withVm(function* (vm) {
    const vcpu = vm.vcpu_array[0]!;
    yield* enable(vcpu);
    yield* vlapic_x2apic_write(vcpu, 0x835, 0x700, 0);
    assert.equal(vm.wire_mode, 1);
    yield* vlapic_set_local_intr(vm, BROADCAST_CPU_ID, APIC_LVT_LINT0);
    assert.ok(vcpu['arch.pending_req'] & (1 << ACRN_REQUESTS.ACRN_REQUEST_EXTINT));
    yield* vlapic_x2apic_write(vcpu, SVR_MSR, 0xff, 0);
    assert.equal(vm.wire_mode, 0);
    assert.equal(yield* vlapic_x2apic_read(vcpu, 0x835), 0x10700);
  });
});

const vector = fc.nat(255);
const cpu = fc.nat(1);
const word = fc.integer({ min: 0, max: 0xffffffff });
const operation = fc.oneof(
  fc.record({ kind: fc.constant('accept' as const), cpu, vector, level: fc.boolean() }),
  fc.record({
    kind: fc.constant('msi' as const),
    address: fc.oneof(
      word,
      fc.nat(0xfffff).map((low) => (0xfee00000 | low) >>> 0),
    ),
    data: word,
  }),
  fc.record({ kind: fc.constant('write' as const), cpu, msr: fc.integer({ min: 0x800, max: 0x83f }), value: word, high: fc.nat(3) }),
  fc.record({ kind: fc.constant('read' as const), cpu, msr: fc.integer({ min: 0x800, max: 0x83f }) }),
  fc.record({ kind: fc.constant('page write' as const), cpu, offset: fc.nat(0xfff) }),
  fc.record({ kind: fc.constant('base' as const), cpu, value: word }),
  fc.record({ kind: fc.constant('local' as const), cpu: fc.constantFrom(0, 1, 2, BROADCAST_CPU_ID), index: fc.nat(8) }),
  fc.record({ kind: fc.constant('enter' as const), cpu, IF: fc.boolean() }),
  fc.record({ kind: fc.constant('virtual eoi' as const), cpu, vector }),
  fc.record({ kind: fc.constant('timer' as const), cpu }),
);

for (const apicv of ['basic', 'advanced'] as const) {
  test(`no sequence of operations throws or hangs, and what is given was asked for (${apicv})`, () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (sequence) => {
        withVm(
          function* (vm) {
            for (const vcpu of vm.vcpu_array) yield* enable(vcpu);
            for (const one of sequence) {
              const vcpu = vm.vcpu_array['cpu' in one && one.cpu < 2 ? one.cpu : 0]!;
              const requested = (v: number): boolean => bitmap_test(vcpu.vlapic, 'apic_page.irr', v);
              switch (one.kind) {
                case 'accept':
                  yield* vlapic_set_intr(vcpu, one.vector, one.level);
                  break;
                case 'msi':
                  assert.equal(yield* vlapic_inject_msi(vm, one.address, one.data), one.address >>> 20 === 0xfee ? 0 : -1);
                  break;
                case 'write':
                  yield* vlapic_x2apic_write(vcpu, one.msr, one.value, one.high);
                  break;
                case 'read':
                  yield* vlapic_x2apic_read(vcpu, one.msr);
                  break;
                case 'page write':
                  vcpu.exit_qualification = one.offset;
                  yield* apic_write_vmexit_handler(vcpu);
                  break;
                case 'base':
                  yield* vlapic_set_apicbase(vcpu, one.value);
                  break;
                case 'local':
                  yield* vlapic_set_local_intr(vm, one.cpu, one.index);
                  break;
                case 'enter': {
                  vcpu.vmcs['VMX_GUEST_RFLAGS.IF'] = one.IF;
                  const before = Array.from({ length: 256 }, (_, v) => requested(v));
                  yield* acrn_handle_pending_request(vcpu);
                  const given = injected(vcpu);
                  // 2 is the NMI.
                  if (given > 2) assert.ok(one.IF && before[given] && !requested(given) && vcpu.vlapic.isrv === given);
                  break;
                }
                case 'virtual eoi':
                  vcpu.exit_qualification = one.vector;
                  yield* veoi_vmexit_handler(vcpu);
                  break;
                case 'timer':
                  yield* vlapic_timer_expired(vcpu);
                  break;
              }
              assert.ok(vcpu.vlapic.isrv === 0 || bitmap_test(vcpu.vlapic, 'apic_page.isr', vcpu.vlapic.isrv), 'isrv is in service');
              for (let v = 0; v < 16; v++) assert.ok(!requested(v), 'no vector below 16 is ever requested');
            }
          },
          { vcpus: 2, apicv },
        );
      }),
      { numRuns: 200 },
    );
  });
}
