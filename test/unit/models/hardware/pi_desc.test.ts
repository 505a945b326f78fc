import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { pi_desc, pir_drain, pir_empty, pir_test, POSTED_INTR_VECTOR, post_by_hardware } from '../../../../src/models/hardware/pi_desc';
import { onMachine } from '../support';

const operation = fc.oneof(
  fc.record({ what: fc.constant('post' as const), vector: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ what: fc.constant('drain' as const) }),
  fc.record({ what: fc.constant('suppress' as const), sn: fc.boolean() }),
);

test('what is posted is taken once, and one notification is enough until then', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      onMachine(function* () {
        const pi = pi_desc('pi');
        const notified: number[] = [];
        pi.notify = function* (nv) {
          notified.push(nv);
        };
        const posted = new Set<number>();
        let expected = 0;
        for (const op of operations) {
          if (op.what === 'post') {
            if (!pi.on && !pi.sn) expected++;
            yield* post_by_hardware(pi, op.vector);
            posted.add(op.vector);
          } else if (op.what === 'suppress') {
            pi.sn = op.sn;
          } else {
            pi.on = false;
            const taken: number[] = [];
            pir_drain(pi, (word, bits) => {
              for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) taken.push(word * 32 + bit);
            });
            assert.deepEqual(taken, [...posted].sort((a, b) => a - b));
            posted.clear();
          }
          assert.equal(pir_empty(pi), posted.size === 0);
          for (let vector = 0; vector < 256; vector++) assert.equal(pir_test(pi, vector), posted.has(vector));
          assert.deepEqual(notified, Array<number>(expected).fill(POSTED_INTR_VECTOR));
        }
      });
    }),
  );
});
