import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { defaults, presetInputs, simulate, type Flow, type FlowRun } from '../../../src/flows/flow';
import { combinations } from '../../../src/flows/places';
import { readTopology, topologyOf, type DrawnTopology, type Hop } from '../../../src/flows/topology';

/** So many combinations of a flow's parameters are run beside its presets, spread over all of them. */
const COMBINATIONS = 24;

/** The presets of a flow, and runs with other parameters. */
function* runsOf(flow: Flow): Generator<FlowRun> {
  yield simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
  for (const { id } of flow.presets) yield simulate(flow, presetInputs(flow, id));
  const all = combinations(flow, {});
  const every = Math.ceil(all.length / COMBINATIONS);
  for (const [index, parameters] of all.entries()) {
    if (index % every === 0) yield simulate(flow, { parameters, stimuli: [], seed: 0 });
  }
}

/** What runs of a flow had of its declaration. */
interface Seen {
  readonly parts: Set<string>;
  readonly wires: Set<object>;
  readonly reasons: Set<string>;
}

function look(run: FlowRun, every: number, seen: Seen, visit?: (drawn: DrawnTopology, way: readonly Hop[], step: number) => void): void {
  const drawn = topologyOf(run);
  const cursor = createCursor(run);
  for (const { spec } of drawn.parts) seen.parts.add(spec.id);
  for (let step = 0; step < run.journal.length; step += every) {
    cursor.seek(step);
    const { way, parts } = readTopology(run, cursor);
    for (const { wire } of way) seen.wires.add(drawn.wires[wire]!.spec);
    for (const [part, { blocked }] of parts.entries())
      for (const reason of blocked) seen.reasons.add(`${drawn.parts[part]!.spec.id}: ${reason}`);
    visit?.(drawn, way, step);
  }
}

const nothing = (): Seen => ({ parts: new Set(), wires: new Set(), reasons: new Set() });

/** Whether the wires that the signal passed hang together; wires that show what objects hold need not. */
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

suite('topologies', () => {
  const flows = CATALOGUE.filter(({ topology }) => topology !== undefined);

  for (const flow of flows) {
    test(`${flow.id}: whatever is declared is there, and lit, in some run, and the way hangs together at every step`, () => {
      const topology = flow.topology!;
      const seen = nothing();
      for (const run of runsOf(flow)) {
        look(run, 1, seen, (drawn, way, step) =>
          assert.ok(hangsTogether(drawn, way), `step ${step} with ${JSON.stringify(run.inputs)}: ${describe(drawn, way)}`),
        );
      }
      const ids = topology.parts.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length, 'two parts have the same id');
      assert.deepEqual(
        ids.filter((id) => !seen.parts.has(id)),
        [],
        'parts that no run has',
      );
      assert.deepEqual(
        topology.wires.filter((wire) => !seen.wires.has(wire)).map(({ from, to, label, kind }) => `${from} ${label ?? kind} ${to}`),
        [],
        'wires that no run lights',
      );
    });
  }

  test('a reading depends on the run and the step alone, whichever way one got there', () => {
    for (const flow of flows) {
      const inputs = { parameters: defaults(flow), stimuli: [], seed: 0 };
      const run = simulate(flow, inputs);
      const cursor = createCursor(run);
      fc.assert(
        fc.property(fc.array(fc.nat(run.journal.length - 1), { minLength: 1, maxLength: 12 }), (steps) => {
          for (const step of steps) {
            cursor.seek(step);
            readTopology(run, cursor);
          }
          const again = simulate(flow, inputs);
          const fresh = createCursor(again);
          fresh.seek(steps.at(-1)!);
          assert.deepEqual(comparable(readTopology(run, cursor)), comparable(readTopology(again, fresh)));
        }),
        { numRuns: 8 },
      );
    }
  });
});

/** Components of two runs are different objects with the same numbers. */
const comparable = (reading: ReturnType<typeof readTopology>): unknown => ({
  ...reading,
  parts: reading.parts.map((part) => ({ ...part, components: part.components.map(({ id }) => id) })),
});

const describe = ({ parts, wires }: DrawnTopology, way: readonly Hop[]): string =>
  way.map(({ wire, step }) => `${parts[wires[wire]!.from]!.spec.id} → ${parts[wires[wire]!.to]!.spec.id} @${step}`).join(', ');
