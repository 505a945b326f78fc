import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { compare, stateDifferences } from '../../../src/flows/compare';
import { defaults, simulate, type Flow, type FlowRun } from '../../../src/flows/flow';
import { cellKey } from '../../../src/flows/names';
import { deviations } from '../../../src/flows/places';
import { createSession } from '../../../src/flows/session';
import { valueText, writesOf, writeText } from '../../../src/flows/text';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** Two runs side by side: what is said to be the same is the same, and what differs is found. */

const others = new Map<Flow, readonly FlowRun[]>(CATALOGUE.map((flow) => [flow, [...deviations(flow, defaults(flow))].slice(0, 12)]));
const plain = (flow: Flow): FlowRun => simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
const stepName = (run: FlowRun, n: number): string => {
  const { kind, site, thread } = run.journal.step(n);
  return `${run.threads[thread]?.id} ${kind} ${site.fn.home.path} ${site.fn.name} ${JSON.stringify(site.anchor)}`;
};

test('a run is like itself', () => {
  for (const flow of CATALOGUE) {
    const [a, b] = [plain(flow), plain(flow)];
    const { differences, writesOtherwise, first, common } = compare(a, b);
    assert.deepEqual([differences, writesOtherwise, first, common], [[], [], undefined, a.journal.length]);
    const [x, y] = [createCursor(a), createCursor(b)];
    x.seek(a.journal.length / 2);
    y.seek(a.journal.length / 2);
    assert.deepEqual(stateDifferences(a, x, b, y), []);
  }
});

test('outside of the differences every step is one of the other run, on the same thread at the same place', () => {
  for (const flow of CATALOGUE) {
    const a = plain(flow);
    for (const b of others.get(flow)!) {
      const { differences, inA, inB, common, first, writesOtherwise } = compare(a, b);
      let [i, j, same] = [0, 0, 0];
      for (const { a: ownA, b: ownB } of [...differences, { a: [a.journal.length, -1] as const, b: [b.journal.length, -1] as const }]) {
        for (; i < ownA[0]; i++, j++, same++) {
          assert.deepEqual(
            [inB(i), inA(j)],
            [
              { step: j, same: true },
              { step: i, same: true },
            ],
          );
          assert.equal(stepName(a, i), stepName(b, j));
          const writes = [writesOf(a, i).map((write) => writeText(a, write)), writesOf(b, j).map((write) => writeText(b, write))];
          if (!writesOtherwise.includes(i)) assert.equal(writes[0]!.length, writes[1]!.length);
          else assert.notDeepEqual(writes[0], writes[1]);
        }
        assert.equal(j, ownB[0]);
        for (; i < ownA[1]; i++) assert.ok(!inB(i).same);
        for (; j < ownB[1]; j++) assert.ok(!inA(j).same);
      }
      assert.equal(same, common);
      if (first !== undefined) for (let n = 0; n < first.a; n++) assert.deepEqual(inB(n), { step: n, same: true });
    }
  }
});

test('a fork differs from its base from the edit on, and nowhere before', () => {
  const session = createSession();
  session.explore(vfio_intx);
  const base = session.run!;
  const { journal, cells } = base;
  const bools = cells.filter(({ type }) => type.kind === 'bool');
  fc.assert(
    fc.property(fc.nat(journal.length - 1), fc.nat(), (position, choice) => {
      session.explore(vfio_intx, {}, position);
      const known = bools.filter(({ component }) => component.born <= position);
      const { id } = known[choice % known.length]!;
      const was = session.cursor!.value(id);
      session.edit(id, 1 - was);
      const fork = session.run!;
      const { first, differences, inA } = compare(base, fork);
      assert.deepEqual(first, { a: position + 1, b: position + 1 });
      assert.equal(differences[0]?.b[0], position + 1);
      assert.deepEqual(inA(session.position), { step: position, same: false });
      const before = createCursor(base);
      before.seek(position);
      const [difference, ...more] = stateDifferences(base, before, fork, session.cursor!);
      assert.equal(more.length, 0);
      assert.equal(`${difference?.struct}(${difference?.instance})`, cellKey(base, id).split(').')[0] + ')');
      const values = [was, 1 - was].map((value) => valueText(base, cells[id]!, value));
      assert.deepEqual(
        [difference?.a, difference?.b],
        values.map((value) => ({ cell: id, value })),
      );
    }),
    { numRuns: 30 },
  );
});

test('what one run has and the other has not is a difference', () => {
  const parameters = { ...defaults(vfio_intx), interrupts: 1 };
  const [a, b] = [true, false].map((kvm) => simulate(vfio_intx, { parameters: { ...parameters, 'kvm-intx': kvm }, stimuli: [], seed: 0 }));
  const [x, y] = [createCursor(a!), createCursor(b!)];
  x.seek(a!.journal.length);
  y.seek(b!.journal.length);
  const there = stateDifferences(a!, x, b!, y);
  const resampler = there.find(({ struct }) => struct === 'kvm_kernel_irqfd_resampler');
  assert.ok(resampler?.a !== undefined && resampler.b === undefined);
  const mirrored = stateDifferences(b!, y, a!, x);
  const texts = (all: typeof there, side: 'a' | 'b'): readonly string[] =>
    all.map((each) => `${each.struct}(${each.instance}).${each.name} ${each[side]?.value}`).toSorted();
  assert.deepEqual(texts(there, 'a'), texts(mirrored, 'b'));
  assert.deepEqual(texts(there, 'b'), texts(mirrored, 'a'));
});
