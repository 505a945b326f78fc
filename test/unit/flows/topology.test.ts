import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { defaults, presetInputs, simulate, type Flow, type FlowRun } from '../../../src/flows/flow';
import { combinations, everyRun } from '../../../src/flows/places';
import { topologyOf, type DrawnTopology } from '../../../src/flows/drawnTopology';
import type { Hop } from '../../../src/flows/passedWires';
import type { PartSpec, Topology } from '../../../src/flows/topology';
import { readTopology } from '../../../src/flows/topologyReading';

/** So many further runs are searched for what the presets have not shown. */
const FURTHER = 90;

/** A flow as it is by default, and its presets. */
function* runsOf(flow: Flow): Generator<FlowRun> {
  yield simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
  for (const { id } of flow.presets) yield simulate(flow, presetInputs(flow, id));
}

/** Runs with other parameters, spread over all combinations of them. */
function* otherRuns(flow: Flow): Generator<FlowRun> {
  const all = combinations(flow, {});
  const every = Math.ceil(all.length / FURTHER);
  for (const [index, parameters] of all.entries()) if (index % every === 0) yield simulate(flow, { parameters, stimuli: [], seed: 0 });
}

/** What runs of a flow had of its declaration. */
interface Seen {
  readonly parts: Set<PartSpec>;
  readonly wires: Set<object>;
  readonly reasons: Set<string>;
}

const nothing = (): Seen => ({ parts: new Set(), wires: new Set(), reasons: new Set() });

/** Reads a run at every so many steps. */
function look(run: FlowRun, every: number, seen: Seen, visit?: (drawn: DrawnTopology, way: readonly Hop[], step: number) => void): void {
  const drawn = topologyOf(run);
  const cursor = createCursor(run);
  for (const { spec } of drawn.parts) seen.parts.add(spec);
  assert.equal(new Set(drawn.parts.map(({ spec }) => spec.id)).size, drawn.parts.length, 'two parts of one run have the same id');
  for (let step = 0; step < run.journal.length; step += every) {
    cursor.seek(step);
    const { way, parts } = readTopology(run, cursor);
    for (const { wire } of way) seen.wires.add(drawn.wires[wire]!.spec);
    for (const { blocked } of parts) for (const reason of blocked) seen.reasons.add(reason);
    visit?.(drawn, way, step);
  }
}

/** Whether the wires that the signal passed hang together; those that show what objects hold need not. */
function hangsTogether({ wires }: DrawnTopology, way: readonly Hop[]): boolean {
  const passed = way.map(({ wire }) => wires[wire]!).filter(({ spec }) => spec.holds === undefined);
  const reached = new Set(passed.slice(0, 1).flatMap(({ from, to }) => [from, to]));
  for (let grew = true; grew;) {
    const before = reached.size;
    for (const { from, to } of passed) if (reached.has(from) || reached.has(to)) reached.add(from).add(to);
    grew = reached.size > before;
  }
  return passed.every(({ from }) => reached.has(from));
}

const reasonsOf = ({ parts }: Topology): readonly string[] => parts.flatMap(({ blocked }) => (blocked ?? []).map(({ because }) => because));

/** Reasons that some flow has shown: parts that flows share need not be blocked in each of them. */
const met = new Set<string>();

for (const flow of CATALOGUE) {
  test(`${flow.id}: whatever is declared is there, and lit, in some run, and the way hangs together`, () => {
    const { parts, wires } = flow.topology;
    const seen = nothing();
    const unseen = () => parts.filter((part) => !seen.parts.has(part)).map(({ id }) => id);
    const unlit = () => wires.filter((wire) => !seen.wires.has(wire)).map(({ from, to, label, kind }) => `${from} ${label ?? kind} ${to}`);
    const check = (run: FlowRun): void =>
      look(run, 5, seen, (drawn, way, step) => assert.ok(hangsTogether(drawn, way), `step ${step} with ${JSON.stringify(run.inputs)}`));
    for (const run of runsOf(flow)) check(run);
    for (const run of otherRuns(flow)) {
      if (unseen().length + unlit().length === 0) break;
      check(run);
    }
    assert.deepEqual(unseen(), [], 'parts that no run has');
    assert.deepEqual(unlit(), [], 'wires that no run lights');
    for (const reason of seen.reasons) met.add(reason);
  });
}

test('every reason why something blocks is met in some run', () => {
  for (const flow of CATALOGUE) {
    const missing = (): boolean => reasonsOf(flow.topology).some((reason) => !met.has(reason));
    let left = FURTHER;
    for (const run of everyRun(flow, {})) {
      if (!missing() || left-- === 0) break;
      const seen = nothing();
      look(run, 7, seen);
      for (const reason of seen.reasons) met.add(reason);
    }
  }
  const unmet = CATALOGUE.flatMap(({ id, topology }) =>
    reasonsOf(topology).flatMap((reason) => (met.has(reason) ? [] : [`${id} ${reason}`])),
  );
  assert.deepEqual(unmet, []);
});

/** The way at the first step that enters a function, after another one was entered, as the parts that it leads through. */
function wayAt(flow: string, preset: string | undefined, after: string, enters: string): readonly string[] {
  const of = requireFlow(flow);
  const run = simulate(of, preset === undefined ? { parameters: defaults(of), stimuli: [], seed: 0 } : presetInputs(of, preset));
  const { journal } = run;
  const find = (name: string, from: number): number => {
    for (let n = from; n < journal.length; n++) if (journal.kind(n) === 'enter' && journal.step(n).site.fn.name === name) return n;
    throw new Error(`${flow} does not enter ${name}`);
  };
  const cursor = createCursor(run);
  cursor.seek(find(enters, find(after, 0)));
  const { parts, wires } = topologyOf(run);
  return readTopology(run, cursor).way.map(({ wire }) => `${parts[wires[wire]!.from]!.spec.id} → ${parts[wires[wire]!.to]!.spec.id}`);
}

suite('the way of a signal', () => {
  test('INTx: from the device’s line to the guest’s handler, through KVM', () => {
    assert.deepEqual(wayAt('vfio-intx', undefined, 'raise_cause', 'edu_irq_handler'), [
      'function → host-pin',
      'host-pin → host-irq',
      'host-irq → ctx',
      'ctx → function',
      'ctx → fd',
      'fd → irqfd',
      'irqfd → inject',
      'inject → routing',
      'routing → ioapic',
      'ioapic → lapic',
      'lapic → pi',
      'pi → cpu',
      'cpu → driver',
    ]);
  });

  test('INTx: and back, when the guest ends the interrupt', () => {
    const way = wayAt('vfio-intx', undefined, 'irqfd_resampler_ack', 'vfio_pci_intx_unmask_handler');
    assert.deepEqual(way.slice(-8), [
      'cpu → vcpu',
      'vcpu → lapic',
      'lapic → ioapic',
      'ioapic → resampler',
      'resampler → routing',
      'routing → ioapic',
      'resampler → unmask-fd',
      'unmask-fd → ctx',
    ]);
    assert.equal(way[0], 'function → host-pin');
  });

  test('MSI: posted by the hardware, nothing of the host is passed', () => {
    assert.deepEqual(wayAt('vfio-msi', 'posted', 'raise_cause', 'edu_msi_handler'), [
      'function → irte',
      'irte → pi',
      'pi → cpu',
      'cpu → driver',
    ]);
  });

  test('ACRN: a kick is a request that the device model serves', () => {
    const way = wayAt('acrn-virtio-console', undefined, 'writes_hello', 'virtio_console_notify_tx');
    for (const hop of [
      'driver → cpu',
      'cpu → vcpu',
      'vcpu → slot',
      'slot → service-vlapic',
      'service-vlapic → callback',
      'callback → work',
      'work → client',
      'client → dm',
      'dm → console',
    ])
      assert.ok(way.includes(hop), `${hop} is not in ${way.join(', ')}`);
  });

  test('a signal that begins anew leaves the way of the one before', () => {
    assert.deepEqual(wayAt('vfio-intx', undefined, 'irqfd_resampler_ack', 'raise_cause'), []);
  });
});

test('a reading depends on the run and the step alone, whichever way one got there', () => {
  for (const flow of CATALOGUE) {
    const inputs = { parameters: defaults(flow), stimuli: [], seed: 0 };
    const run = simulate(flow, inputs);
    const again = simulate(flow, inputs);
    const cursor = createCursor(run);
    fc.assert(
      fc.property(fc.array(fc.nat(run.journal.length - 1), { minLength: 1, maxLength: 12 }), (steps) => {
        for (const step of steps) {
          cursor.seek(step);
          readTopology(run, cursor);
        }
        const fresh = createCursor(again);
        fresh.seek(steps.at(-1)!);
        assert.deepEqual(comparable(readTopology(run, cursor)), comparable(readTopology(again, fresh)));
      }),
      { numRuns: 20 },
    );
  }
});

/** Components of two runs are different objects with the same numbers. */
const comparable = (reading: ReturnType<typeof readTopology>): unknown => ({
  ...reading,
  parts: reading.parts.map((part) => ({ ...part, components: part.components.map(({ id }) => id) })),
});

test('what is not allocated yet blocks nothing', () => {
  for (const flow of CATALOGUE) {
    const run = simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
    const cursor = createCursor(run);
    cursor.seek(0);
    const { parts } = topologyOf(run);
    for (const [index, { blocked }] of readTopology(run, cursor).parts.entries())
      for (const reason of blocked) assert.doesNotMatch(reason, /Remote IRR is set/, `${flow.id} ${parts[index]!.spec.id}`);
  }
});
