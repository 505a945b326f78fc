import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import {
  vioapic_broadcast_eoi,
  vioapic_mmio_access_handler,
  vioapic_set_irqline_lock,
  VIOAPIC_BASE,
} from '../../../../src/models/acrn/hypervisor/dm/vioapic';
import { rteBits } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/apicreg';
import { bitmap_assign } from '../../../../src/models/acrn/hypervisor/bitmaps';
import type { AcrnVm } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vm';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_DIR_WRITE,
  type GsiOperation,
} from '../../../../src/models/acrn/hypervisor/include/public/acrn_common';
import { withVm } from './vm';

/** The hypervisor's I/O APIC: edges, levels, polarity, remote IRR. */

const LEVEL = 0x8000;
const ACTIVE_LOW = 0x2000;
const MASKED = 0x10000;

function* access(vm: AcrnVm, register: number, value?: number): Run<number> {
  const vioapic = vm.vioapic_array[0]!;
  yield* vioapic_mmio_access_handler(vm, vioapic, { direction: ACRN_IOREQ_DIR_WRITE, address: VIOAPIC_BASE, size: 4, value: register });
  const direction = value === undefined ? ACRN_IOREQ_DIR_READ : ACRN_IOREQ_DIR_WRITE;
  const mmio = { direction, address: VIOAPIC_BASE + 0x10, size: 4, value: value ?? 0 };
  yield* vioapic_mmio_access_handler(vm, vioapic, mmio);
  return mmio.value;
}

/** The local APIC that messages go to, switched on. */
function vlapicOf(vm: AcrnVm) {
  const { vlapic } = vm.vcpu_array[0]!;
  vlapic['apic_page.svr'] = 0x1ff;
  return vlapic;
}

/** Whether the vector was sent since the last look. */
const sent = (vm: AcrnVm, vector: number): boolean => bitmap_assign(vm.vcpu_array[0]!.vlapic, 'apic_page.irr', vector, false);
const remoteIrr = (vm: AcrnVm, pin: number): boolean => rteBits(vm.vioapic_array[0]!.rtbl[pin]!).remote_irr;

test('an edge that came while the pin was masked is sent at unmasking only if the line is still active', () => {
  for (const operation of ['GSI_SET_HIGH', 'GSI_RAISING_PULSE'] as const) {
    const seen = withVm(function* (vm) {
      vlapicOf(vm);
      yield* access(vm, 0x18, 0x34 | MASKED);
      yield* vioapic_set_irqline_lock(vm, 4, operation);
      const masked = sent(vm, 0x34);
      yield* access(vm, 0x18, 0x34);
      return [masked, sent(vm, 0x34)];
    });
    assert.deepEqual(seen, [false, operation === 'GSI_SET_HIGH']);
  }
});

test('a level is sent once until its EOI, and again then if the line is still active', () => {
  withVm(function* (vm) {
    vlapicOf(vm);
    yield* access(vm, 0x18, 0x34 | LEVEL);
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_HIGH');
    assert.ok(sent(vm, 0x34) && remoteIrr(vm, 4));
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_LOW');
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_HIGH');
    assert.ok(!sent(vm, 0x34));
    yield* vioapic_broadcast_eoi(vm, 0x34);
    assert.ok(sent(vm, 0x34) && remoteIrr(vm, 4));
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_LOW');
    yield* vioapic_broadcast_eoi(vm, 0x34);
    assert.ok(!sent(vm, 0x34) && !remoteIrr(vm, 4));
  });
});

test('a vector change strands remote IRR, and switching the pin to edge frees it', () => {
  withVm(function* (vm) {
    vlapicOf(vm);
    yield* access(vm, 0x18, 0x34 | LEVEL);
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_HIGH');
    yield* access(vm, 0x18, 0x35 | LEVEL);
    yield* vioapic_broadcast_eoi(vm, 0x34);
    assert.ok(remoteIrr(vm, 4));
    yield* access(vm, 0x18, 0x35 | MASKED);
    assert.ok(!remoteIrr(vm, 4));
  });
});

test('an active-low pin interrupts when its line falls', () => {
  withVm(function* (vm) {
    vlapicOf(vm);
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_HIGH');
    yield* access(vm, 0x18, 0x34 | ACTIVE_LOW);
    assert.ok(!sent(vm, 0x34));
    yield* vioapic_set_irqline_lock(vm, 4, 'GSI_SET_LOW');
    assert.ok(sent(vm, 0x34));
  });
});

test('opening pin 0 wires the vPIC through it; a second owner is refused', () => {
  withVm(function* (vm) {
    yield* access(vm, 0x10, 0x700);
    assert.equal(vm.wire_mode, 2);
    yield* access(vm, 0x10, 0x10700);
    assert.equal(vm.wire_mode, 0);
    vm.wire_mode = 1;
    yield* access(vm, 0x10, 0x700);
    assert.equal((yield* access(vm, 0x10)) & MASKED, MASKED);
  });
});

test('accesses that are not 32 bits wide are refused; the version tells the number of pins', () => {
  withVm(function* (vm) {
    const narrow = { direction: ACRN_IOREQ_DIR_READ, address: VIOAPIC_BASE, size: 1, value: 7 } as const;
    const request = { ...narrow };
    assert.equal(yield* vioapic_mmio_access_handler(vm, vm.vioapic_array[0]!, request), -22);
    assert.equal(request.value, 7);
    assert.equal(yield* access(vm, 0x01), (47 << 16) | 0x11);
  });
});

const gsiOperation = fc.constantFrom<GsiOperation>('GSI_SET_HIGH', 'GSI_SET_LOW', 'GSI_RAISING_PULSE', 'GSI_FALLING_PULSE');
const step = fc.oneof(
  fc.record({ kind: fc.constant('line' as const), pin: fc.nat(50), operation: gsiOperation }),
  fc.record({ kind: fc.constant('write' as const), register: fc.nat(255), value: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({
    kind: fc.constant('write' as const),
    register: fc.integer({ min: 4, max: 8 }).map((pin) => 0x10 + 2 * pin),
    value: fc.nat(0x1ffff),
  }),
  fc.record({ kind: fc.constant('read' as const), register: fc.nat(255) }),
  fc.record({ kind: fc.constant('eoi' as const), vector: fc.nat(255) }),
);

test('no sequence of operations throws or hangs; remote IRR is only ever set on a level pin; it cannot be written', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (sequence) => {
      withVm(function* (vm) {
        vlapicOf(vm);
        for (const one of sequence) {
          const before = vm.vioapic_array[0]!.rtbl.map((rte) => rteBits(rte).remote_irr);
          if (one.kind === 'line') yield* vioapic_set_irqline_lock(vm, one.pin, one.operation);
          else if (one.kind === 'write') yield* access(vm, one.register, one.value);
          else if (one.kind === 'read') yield* access(vm, one.register);
          else yield* vioapic_broadcast_eoi(vm, one.vector);
          for (const [pin, rte] of vm.vioapic_array[0]!.rtbl.entries()) {
            const { remote_irr, level, masked } = rteBits(rte);
            assert.ok(!remote_irr || level);
            if (remote_irr && !before[pin]) assert.ok(!masked, 'set by a delivery alone');
          }
        }
      });
    }),
    { numRuns: 300 },
  );
});
