import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { referenceKey, type Project, type Reference, type Whereabouts } from '../../../../src/engine/reference';
import { chapterSteps, type FlowRun } from '../../../../src/flows/flow';
import { stepsBetween, wholeRun, type StepRange } from '../../../../src/flows/export/range';
import { locateAll } from '../../../../src/flows/export/sources';
import { MOST_STEPS, referencesOf, storyOf } from '../../../../src/flows/export/story';
import { toldByFlow, type Told } from '../../../../src/flows/export/told';
import { projectsOf, tour } from '../../../../src/flows/export/tour';
import { stepOf } from '../../../../src/flows/scenario/moments';
import { referenceOfStep } from '../../../../src/flows/places';
import { versionNear } from '../../../../src/sources/links';
import { lineFound } from '../../../../src/sources/pattern';
import type { Resolver } from '../../../../src/sources/resolver';
import { whereaboutsOf } from '../../../../src/sources/whereabouts';
import { realTrees, type RealTree } from '../../../trees';
import { nameOf, rangesOf, RUNS } from './runs';

interface Step {
  readonly title: string;
  readonly description: string;
  readonly file?: string;
  readonly pattern?: string;
  readonly line?: number;
}

interface Tour {
  readonly title: string;
  readonly steps: readonly Step[];
}

/** CodeTour's own schema says draft 4; what it uses of that means the same today. */
const schema = JSON.parse(readFileSync('test/fixtures/codetour/schema.json', 'utf8')) as object;
const validate = new Ajv({ strict: false }).compile({ ...schema, $schema: undefined });

const known = new Map<Resolver | undefined, Map<string, Promise<Whereabouts>>>();

/** Looks up a reference, in a tree once, however many tours come by. */
function lookUp(reference: Reference, run: FlowRun, resolver: Resolver | undefined): Promise<Whereabouts> {
  const tree = resolver?.tree.project === reference.project ? resolver : undefined;
  const version = versionNear(reference.project, run.inputs.parameters[reference.project]);
  const inTree = known.get(tree) ?? new Map<string, Promise<Whereabouts>>();
  known.set(tree, inTree);
  const key = `${version} ${referenceKey(reference)}`;
  const found = inTree.get(key) ?? whereaboutsOf(reference, version, tree);
  inTree.set(key, found);
  return found;
}

async function tourOf(run: FlowRun, range: StepRange, project?: Project, resolver?: Resolver, told = toldByFlow(run)): Promise<Tour> {
  const sources = await locateAll(referencesOf(storyOf(run, range)), (reference) => lookUp(reference, run, resolver));
  const written: unknown = JSON.parse([...tour(run, range, told, sources, project)].join(''));
  assert.ok(validate(written), JSON.stringify(validate.errors));
  return written as Tour;
}

for (const run of RUNS) {
  test(`${nameOf(run)} becomes tours that CodeTour's schema allows and that run nothing`, async () => {
    for (const range of rangesOf(run)) {
      for (const project of projectsOf(storyOf(run, range))) {
        const { steps } = await tourOf(run, range, project);
        for (const step of steps) {
          assert.deepEqual(
            Object.keys(step).filter((key) => !['title', 'description', 'file', 'pattern'].includes(key)),
            [],
          );
          assert.doesNotMatch(step.description, /\]\(command:|^>> /m);
          assert.equal(step.file === undefined, step.pattern === undefined);
          assert.doesNotMatch(step.file ?? '', /^\/|\.\./);
        }
        // Each place once: a reader goes on, not round in circles.
        const places = steps.flatMap(({ file, pattern }) => (file === undefined ? [] : [`${file} ${pattern}`]));
        assert.equal(new Set(places).size, places.length);
        assert.ok(steps.length <= MOST_STEPS * 1.5, `${steps.length} steps`);
      }
    }
  });
}

test('a tour names its chapters, and goes through each', async () => {
  const run = RUNS.find(({ flow }) => flow.id === 'vfio-intx')!;
  const { title, steps } = await tourOf(run, wholeRun(run));
  assert.equal(title, run.flow.title);
  assert.deepEqual(
    steps.filter((step) => step.title.startsWith('§ ')).map((step) => step.title),
    chapterSteps(run).map(({ chapter }) => `§ ${chapter.title}`),
  );
});

test('what is not in the tree of the tour is told without a file', async () => {
  const run = RUNS.find(({ flow }) => flow.id === 'vfio-intx')!;
  for (const project of ['linux', 'qemu'] as const) {
    const { steps } = await tourOf(run, wholeRun(run), project);
    const other = project === 'linux' ? /\(qemu\)$/ : /\(linux\)$/;
    assert.ok(steps.some(({ title, file }) => other.test(title) && file === undefined));
    assert.ok(steps.some(({ title, file }) => title.endsWith(' (hardware)') && file === undefined));
    assert.ok(steps.every(({ title, file }) => file === undefined || !title.endsWith(')')));
  }
});

test('what a scenario tells and readers note is in the tour, as text that runs nothing', async () => {
  const run = RUNS.find(({ flow }) => flow.id === 'vfio-intx')!;
  const at = { function: 'vfio_intx_handler' };
  const step = stepOf(run, at)!;
  const hostile = 'See [this](command:workbench.action.closeWindow) and [#2]\n>> rm -rf ~\n```sh\nreboot\n```';
  const told: Told = {
    title: 'My tour',
    summary: hostile,
    chapters: [{ chapter: { title: 'Mine', prose: hostile, starts: '' }, step }],
    notes: [{ at, text: hostile }],
  };
  const { title, steps } = await tourOf(run, stepsBetween(run, step, step + 20), 'linux', undefined, told);
  assert.deepEqual(
    [title, ...steps.slice(1, 3).map((one) => one.title)],
    [`My tour: steps ${step} to ${step + 20}`, '§ Mine', 'vfio_intx_handler'],
  );
  for (const { description } of steps.slice(0, 3)) {
    assert.match(description, /See &#91;this&#93;/);
    assert.doesNotMatch(description, /\]\(command:|^>> |^```|\[#2\]/m);
  }
});

test('a part of a run that is too long for a tour keeps its outermost steps, and says how many it leaves out', () => {
  const run = RUNS.find(({ flow }) => flow.id === 'vfio-probe')!;
  const whole = storyOf(run, wholeRun(run), undefined, Infinity);
  const short = storyOf(run, wholeRun(run), undefined, 100);
  const steps = (story: typeof whole) => story.parts.flatMap((part) => (part.kind === 'step' ? [part.step.n] : []));
  assert.equal(whole.leftOut, 0);
  assert.equal(short.leftOut, steps(whole).length - steps(short).length);
  assert.ok(short.leftOut > 0 && steps(short).every((n) => steps(whole).includes(n)));
  assert.equal(steps(short)[0], 0);
});

describe('in real trees', () => {
  let trees: readonly RealTree[] = [];
  before(async () => {
    trees = await realTrees();
  });

  test('every pattern finds its line, as CodeTour looks for it', async (context) => {
    if (trees.length === 0) return context.skip('there is no source tree');
    let tried = 0;
    for (const { name, root, resolver } of trees) {
      for (const run of RUNS.filter(({ inputs }) => inputs.stimuli.length === 0)) {
        for (const { chapter, step } of chapterSteps(run)) {
          const end = chapterSteps(run).find((next) => next.step > step)?.step ?? run.journal.length;
          const range = { first: step, end };
          const { steps } = await tourOf(run, range, resolver.tree.project, resolver);
          const references = storyOf(run, range).parts.map((part) => (part.kind === 'step' ? referenceOfStep(part.step) : undefined));
          // The first step of a tour says what it is about.
          for (const [index, reference] of [undefined, ...references].entries()) {
            if (reference?.project !== resolver.tree.project) continue;
            tried += await check(steps[index]!, reference, resolver, root, `${name}, ${chapter.title}`);
          }
        }
      }
    }
    assert.ok(tried > 100, `${tried} steps`);
  });

  async function check(step: Step, reference: Reference, resolver: Resolver, root: string, where: string): Promise<number> {
    const found = await resolver.resolve(reference);
    if (found.kind === 'missing') {
      assert.equal(step.file, undefined);
      return 0;
    }
    assert.equal(step.file, found.path);
    assert.ok(step.pattern !== undefined, `${where}: nothing finds ${referenceKey(reference)}`);
    assert.equal(
      lineFound(step.pattern, readFileSync(path.join(root, found.path), 'utf8')),
      found.line,
      `${where}: ${referenceKey(reference)}`,
    );
    return 1;
  }
});
