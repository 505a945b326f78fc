import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import { acrn_handle_pending_request } from '../../../../src/models/acrn/hypervisor/arch/x86/guest/virq';
import {
  vpic_elc_io_read,
  vpic_elc_io_write,
  vpic_intr_accepted,
  vpic_pending_intr,
  vpic_primary_io_read,
  vpic_primary_io_write,
  vpic_secondary_io_read,
  vpic_secondary_io_write,
  vpic_set_irqline,
  type I8259RegState,
} from '../../../../src/models/acrn/hypervisor/dm/vpic';
import { ACRN_REQUESTS, type AcrnVcpu } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import type { AcrnVm } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vm';
import { withVm } from './vm';

/** The hypervisor's 8259 pair against what its own functions gave when they were run on their own, and its laws. */

interface Chip {
  readonly irr: string;
  readonly last_irr: string;
  readonly imr: string;
  readonly isr: string;
  readonly priority_add: number;
  readonly intr_raised: number;
}
interface State {
  readonly m: Chip;
  readonly s: Chip;
  readonly int: number;
  readonly vec?: string;
  readonly read?: string;
}
interface Golden {
  readonly scenarios: Readonly<Record<string, { readonly ops: readonly string[]; readonly acrn34: readonly State[] }>>;
}

const golden = JSON.parse(gunzipSync(readFileSync('test/fixtures/golden/pic.json.gz')).toString()) as Golden;

const PINS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const byte = (value: number): string => value.toString(16).padStart(2, '0');
const lines = (chip: I8259RegState): number => PINS.reduce<number>((sum, pin) => sum | (chip[`pin_state[${pin}]`] << pin), 0);
const requests = (vcpu: AcrnVcpu): number => (vcpu['arch.pending_req'] >>> ACRN_REQUESTS.ACRN_REQUEST_EXTINT) & 1;

const chipState = (chip: I8259RegState): Chip => ({
  irr: byte(chip.request),
  last_irr: byte(lines(chip)),
  imr: byte(chip.mask),
  isr: byte(chip.service),
  priority_add: (chip.lowprio + 1) & 7,
  intr_raised: Number(chip.intr_raised),
});

function* out(vm: AcrnVm, port: number, value: number): Run {
  const vcpu = vm.vcpu_array[0]!;
  if (port >= 0x4d0) yield* vpic_elc_io_write(vcpu, port, 1, value);
  else if (port >= 0xa0) yield* vpic_secondary_io_write(vcpu, port, 1, value);
  else yield* vpic_primary_io_write(vcpu, port, 1, value);
}

function* inb(vm: AcrnVm, port: number): Run<number> {
  const vcpu = vm.vcpu_array[0]!;
  if (port >= 0x4d0) yield* vpic_elc_io_read(vcpu, port, 1);
  else if (port >= 0xa0) yield* vpic_secondary_io_read(vcpu, port, 1);
  else yield* vpic_primary_io_read(vcpu, port, 1);
  return vcpu.req.value;
}

/** Both chips initialised: vectors 0x30 and 0x38, nothing masked. */
function* initialise(vm: AcrnVm): Run {
  for (const [port, base, cascade] of [
    [0x20, 0x30, 0x04],
    [0xa0, 0x38, 0x02],
  ] as const) {
    yield* out(vm, port, 0x11);
    for (const word of [base, cascade, 0x01, 0x00]) yield* out(vm, port + 1, word);
  }
}

/** A VM entry with interrupts enabled: the vector that is injected, or why there is none. */
function* enter(vm: AcrnVm): Run<string> {
  const vcpu = vm.vcpu_array[0]!;
  if (!requests(vcpu)) return 'noreq';
  vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD = 0;
  yield* acrn_handle_pending_request(vcpu);
  return vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD === 0 ? 'none' : byte(vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD & 0xff);
}

function* perform(vm: AcrnVm, operation: string): Run<State> {
  const [name, first = '', second = ''] = operation.split(' ');
  let seen: Pick<State, 'vec' | 'read'> = {};
  if (name === 'i') yield* vpic_set_irqline(vm, Number(first), second === '1' ? 'GSI_SET_HIGH' : 'GSI_SET_LOW');
  else if (name === 'w') yield* out(vm, parseInt(first, 16), parseInt(second, 16));
  else if (name === 'r') seen = { read: byte(yield* inb(vm, parseInt(first, 16))) };
  else seen = { vec: yield* enter(vm) };
  const [primary, secondary] = vm.vpic.i8259;
  return { ...seen, m: chipState(primary), s: chipState(secondary), int: requests(vm.vcpu_array[0]!) };
}

test('every golden scenario leaves the registers as the hypervisor’s own functions do', () => {
  const names = Object.keys(golden.scenarios);
  for (const name of names) {
    const { ops, acrn34 } = golden.scenarios[name]!;
    const got = withVm(function* (vm) {
      yield* initialise(vm);
      const states: State[] = [];
      for (const operation of ops) states.push(yield* perform(vm, operation));
      return states;
    });
    for (const [n, state] of got.entries()) {
      const { m, s, int, vec, read } = acrn34[n]!;
      assert.deepEqual(
        { ...state },
        { ...(vec === undefined ? {} : { vec }), ...(read === undefined ? {} : { read }), m, s, int },
        `${name}, after ${ops.slice(0, n + 1).join(', ')}`,
      );
    }
  }
  assert.ok(names.length >= 35);
});

test('the output latch: a request that goes before the VM entry silences the chip for good', () => {
  const vectors = withVm(function* (vm) {
    yield* initialise(vm);
    yield* out(vm, 0x4d0, 0x20);
    yield* vpic_set_irqline(vm, 5, 'GSI_SET_HIGH');
    yield* vpic_set_irqline(vm, 5, 'GSI_SET_LOW');
    const seen = [yield* enter(vm)];
    // Neither another pin, nor an EOI, nor a new initialisation releases it.
    yield* vpic_set_irqline(vm, 4, 'GSI_RAISING_PULSE');
    yield* out(vm, 0x20, 0x20);
    yield* initialise(vm);
    yield* vpic_set_irqline(vm, 3, 'GSI_RAISING_PULSE');
    seen.push(yield* enter(vm));
    // A poll that finds a pin does.
    yield* out(vm, 0x20, 0x0e);
    yield* inb(vm, 0x20);
    yield* vpic_set_irqline(vm, 4, 'GSI_RAISING_PULSE');
    yield* out(vm, 0x20, 0x20);
    return [...seen, yield* enter(vm)];
  });
  assert.deepEqual(vectors, ['none', 'noreq', '34']);
});

test('a passed-through level line falls with the EOI', () => {
  const [before, after] = withVm(
    function* (vm) {
      yield* initialise(vm);
      yield* out(vm, 0x4d1, 0x08);
      yield* vpic_set_irqline(vm, 11, 'GSI_SET_HIGH');
      yield* enter(vm);
      const secondary = vm.vpic.i8259[1];
      const held = secondary.request;
      yield* out(vm, 0xa0, 0x20);
      return [held, secondary.request];
    },
    { ptirq: [{ virt_gsi: 11, ctlr: 'INTX_CTLR_PIC', polarity: 0 }] },
  );
  assert.deepEqual([before, after], [0x08, 0]);
});

const operations = fc.oneof(
  fc.record({
    kind: fc.constant('line' as const),
    pin: fc.nat(20),
    level: fc.constantFrom('GSI_SET_HIGH', 'GSI_SET_LOW', 'GSI_RAISING_PULSE', 'GSI_FALLING_PULSE'),
  }),
  fc.record({ kind: fc.constant('write' as const), port: fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('read' as const), port: fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1) }),
  fc.record({ kind: fc.constant('enter' as const) }),
);

test('no sequence of operations throws or hangs, and every register stays a byte', () => {
  fc.assert(
    fc.property(fc.array(operations, { maxLength: 60 }), fc.boolean(), (sequence, initialised) => {
      withVm(function* (vm) {
        if (initialised) yield* initialise(vm);
        for (const operation of sequence) {
          if (operation.kind === 'line') yield* vpic_set_irqline(vm, operation.pin, operation.level);
          else if (operation.kind === 'write') yield* out(vm, operation.port, operation.value);
          else if (operation.kind === 'read') yield* inb(vm, operation.port);
          else yield* enter(vm);
          for (const chip of vm.vpic.i8259) {
            for (const value of [chip.request, chip.service, chip.mask, chip.elc]) assert.ok(value >= 0 && value <= 0xff);
            assert.ok(chip.lowprio >= 0 && chip.lowprio <= 7);
          }
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('law: in fully nested mode the vector given is of the highest open request above what is in service, and goes into service', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(7), { minLength: 1, maxLength: 12 }), fc.nat(255), (pins, mask) => {
      withVm(function* (vm) {
        yield* initialise(vm);
        yield* out(vm, 0x21, mask | 4);
        const [primary] = vm.vpic.i8259;
        for (const pin of pins) {
          if (pin !== 2) yield* vpic_set_irqline(vm, pin, 'GSI_RAISING_PULSE');
          const open = primary.request & ~primary.mask;
          const best = PINS.find((candidate) => (open >>> candidate) & 1);
          const blocking = PINS.find((candidate) => (primary.service >>> candidate) & 1) ?? 8;
          const vector = yield* vpic_pending_intr(vm.vpic);
          if (best === undefined || best >= blocking) assert.equal(vector, 0xffffffff);
          else {
            assert.equal(vector, 0x30 + best);
            yield* vpic_intr_accepted(vm, vector);
            assert.equal((primary.service >>> best) & 1, 1);
            assert.equal((primary.request >>> best) & 1, 0);
          }
        }
      });
    }),
  );
});
