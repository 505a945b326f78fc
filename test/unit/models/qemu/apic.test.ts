import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { apic_irq_pending } from '../../../../src/models/qemu/hw/intc/apic';
import { apic_set_bit } from '../../../../src/models/qemu/include/hw/i386/apic_internal';
import { apic_pair, vectorsIn } from '../../../conform/qemu_chips';
import { goldenLapic } from '../golden';
import { onMachine } from '../support';

const EOI = 0xfee000b0;
const SVR = 0xfee000f0;
const TPR = 0xfee00080;
const ICR = 0xfee00300;
/** In ICR: to oneself. */
const SELF = 1 << 18;

describe('the local APIC of QEMU', () => {
  it('computes priorities as the real code does', () => {
    for (const { tpr, isr, irr, ppr, qemu } of goldenLapic()) {
      onMachine(function* () {
        const { lapic, ppr: ppr_now } = yield* apic_pair();
        lapic.spurious_vec |= 0x100;
        lapic.tpr = tpr;
        if (isr >= 0) apic_set_bit(lapic.isr, isr);
        if (irr >= 0) apic_set_bit(lapic.irr, irr);
        assert.deepEqual([yield* ppr_now(), yield* apic_irq_pending(lapic)], [ppr, qemu], `tpr ${tpr} isr ${isr} irr ${irr}`);
      });
    }
  });

  it('delivers every vector that it was sent once, the most urgent class first, and ends them in the opposite order', () => {
    const vectors = fc.uniqueArray(fc.integer({ min: 0x20, max: 0xfe }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(vectors, (sent) =>
        onMachine(function* () {
          const pair = yield* apic_pair();
          yield* pair.mmio_write(SVR, 0x1ff);
          for (const vector of sent) yield* pair.mmio_write(ICR, SELF | vector);
          const taken: number[] = [];
          while (vectorsIn(pair.lapic.irr).length > 0) {
            const vector = yield* pair.take();
            assert.ok(vector !== undefined);
            assert.equal(vectorsIn(pair.lapic.isr).at(-1), vector, 'what is taken is the highest in service');
            taken.push(vector);
            yield* pair.mmio_write(EOI, 0);
          }
          assert.deepEqual(
            taken,
            sent.toSorted((a, b) => b - a),
          );
          assert.deepEqual(vectorsIn(pair.lapic.isr), []);
        }),
      ),
    );
  });

  it('keeps back what is not above the task’s priority, until that falls', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0x20, max: 0xfe }), fc.integer({ min: 0, max: 255 }), (vector, tpr) =>
        onMachine(function* () {
          const pair = yield* apic_pair();
          yield* pair.mmio_write(SVR, 0x1ff);
          yield* pair.mmio_write(TPR, tpr);
          yield* pair.mmio_write(ICR, SELF | vector);
          assert.equal(yield* pair.take(), vector >> 4 > tpr >> 4 ? vector : undefined);
          yield* pair.mmio_write(TPR, 0);
          if (vector >> 4 <= tpr >> 4) assert.equal(yield* pair.take(), vector);
        }),
      ),
    );
  });
});
