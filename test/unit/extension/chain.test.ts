import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_STEP } from '../../../src/engine/journal';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { chainOf, type Chain, type ChainNode } from '../../../src/extension/chain';
import { defaults, simulate, type Flow } from '../../../src/flows/flow';

/** The tree of a run's functions: nothing lost, nothing twice, and never too much at once. */

const runOf = (flow: Flow, parameters = {}) => simulate(flow, { parameters: { ...defaults(flow), ...parameters }, stimuli: [], seed: 0 });

/** All steps below a node, in the order of the tree, with the frame that each is listed in. */
function* listed(chain: Chain, node?: ChainNode, frame = NO_STEP): Generator<readonly [step: number, frame: number]> {
  const children = chain.children(node);
  assert.ok(children.length <= 200);
  assert.equal(chain.children(node)[0], children[0]);
  for (const child of children) {
    assert.equal(chain.parent(child), node);
    if (child.kind === 'step') yield [child.step, frame];
    yield* listed(chain, child, child.kind === 'step' ? child.step : frame);
  }
}

const cases = [...CATALOGUE.map((flow) => [flow, {}] as const), [requireFlow('vfio-intx'), { interrupts: 300 }] as const];

for (const [flow, parameters] of cases) {
  test(`${flow.id} ${JSON.stringify(parameters)}: every step but returns is listed once, in its own function`, () => {
    const run = runOf(flow, parameters);
    const { journal } = run;
    const all = [...listed(chainOf(run))];
    const expected = Array.from({ length: journal.length }, (_, n) => n).filter((n) => journal.kind(n) !== 'return');
    assert.deepEqual(
      all.map(([step]) => step).toSorted((a, b) => a - b),
      expected,
    );
    for (const [step, frame] of all) assert.equal(journal.parent(step), frame);
  });
}

test('a part of a long list spans consecutive steps', () => {
  const run = runOf(requireFlow('vfio-intx'), { interrupts: 300 });
  const chain = chainOf(run);
  const parts = chain.children().map((node) => chain.span(node));
  assert.ok(parts.length > 1 && parts.every(([first, last], index) => first <= last && (index === 0 || parts[index - 1]![1] < first)));
});
