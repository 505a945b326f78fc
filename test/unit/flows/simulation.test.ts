import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { begin, chapterSteps, defaults, simulate, type Flow, type FlowRun, type Inputs } from '../../../src/flows/flow';
import { createSession, type Work } from '../../../src/flows/session';

/** Runs in slices, and what a session does while one is being made. */

const inputsOf = (flow: Flow, seed = 0): Inputs => ({ parameters: defaults(flow), stimuli: [], seed });

/** Everything that a run's journal holds. */
function contents({ journal, cells, threads, ending }: FlowRun): unknown {
  return {
    steps: Array.from({ length: journal.length }, (_, n) => journal.step(n)),
    writes: Array.from({ length: journal.writeCount }, (_, index) => journal.write(index)),
    cells: cells.map(({ name, initial }) => [name, initial]),
    threads: threads.map(({ id }) => id),
    ending,
  };
}

for (const flow of CATALOGUE) {
  test(`${flow.id}: slices of any length make the run that is made at once`, () => {
    fc.assert(
      fc.property(fc.nat(1), fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 20 }), (seed, lengths) => {
        const simulation = begin(flow, inputsOf(flow, seed));
        let run: FlowRun | undefined;
        for (let turn = 0; run === undefined; turn++) run = simulation.proceed(lengths[turn % lengths.length]!);
        assert.deepEqual(contents(run), contents(simulate(flow, inputsOf(flow, seed))));
        assert.equal(simulation.steps, run.journal.length);
      }),
      { numRuns: 3 },
    );
  });

  test(`${flow.id}: without a journal it takes the same steps`, () => {
    const { journal, ending } = simulate(flow, inputsOf(flow));
    const unrecorded = begin(flow, inputsOf(flow), false);
    assert.deepEqual(unrecorded.proceed(Infinity)?.ending, ending);
    assert.equal(unrecorded.steps, journal.length);
  });

  test(`${flow.id}: each chapter begins where its function is first entered after the one before`, () => {
    const run = simulate(flow, inputsOf(flow));
    let from = 0;
    const expected = flow.chapters.flatMap(({ title, starts }) => {
      for (let n = from; n < run.journal.length; n++) {
        const { kind, site } = run.journal.step(n);
        if (kind !== 'enter' || site.fn.name !== starts) continue;
        from = n + 1;
        return [[title, n]];
      }
      return [];
    });
    assert.deepEqual(
      chapterSteps(run).map(({ chapter, step }) => [chapter.title, step]),
      expected,
    );
  });
}

/** A session whose pauses end when the test says so. */
function pausing() {
  const waiting: (() => void)[] = [];
  const session = createSession(() => new Promise((resolve) => waiting.push(resolve)));
  const begun: Work[] = [];
  session.onDidBeginWork((work) => begun.push(work));
  /** Lets one slice of each run in the making be made. */
  const turn = async (): Promise<void> => {
    for (const resolve of waiting.splice(0)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { session, begun, turn };
}

const intx = requireFlow('vfio-intx');
const LONG = { parameters: { interrupts: 200 } };

test('a short run is there at once, a long one when it is finished, and then the same', async () => {
  const { session, begun, turn } = pausing();
  session.explore(intx);
  const short = session.run!;
  assert.deepEqual([session.work, begun], [undefined, []]);
  session.seek(7);
  const changes: string[] = [];
  session.onDidChange((change) => changes.push(change));
  session.explore(intx, LONG, 50_000);
  const { work } = session;
  assert.ok(work);
  assert.deepEqual(begun, [work]);
  for (let turns = 0; session.work !== undefined; turns++) {
    assert.deepEqual([session.run, session.position, changes], [short, 7, []]);
    assert.ok(turns < 100 && work.simulation.progress < 1);
    await turn();
  }
  assert.deepEqual(await work.outcome, { kind: 'finished' });
  assert.deepEqual([session.position, changes], [50_000, ['run']]);
  assert.deepEqual(contents(session.run!), contents(simulate(intx, session.run!.inputs)));
});

test('a cancelled run leaves the session as it was', async () => {
  const { session, turn } = pausing();
  session.explore(intx);
  session.seek(7);
  session.setParameters({ interrupts: 200 });
  const { run, base, work } = session;
  await turn();
  session.cancel();
  assert.equal(session.work, undefined);
  await turn();
  assert.deepEqual(await work!.outcome, { kind: 'cancelled' });
  assert.deepEqual([session.run, session.base, session.position], [run, base, 7]);
});

test('what is asked for later supersedes what takes long; what makes no sense does not', async () => {
  const { session, turn } = pausing();
  session.explore(intx, LONG);
  const first = session.work!;
  assert.throws(() => session.explore(intx, { parameters: { interrupts: -1 } }), /expected a whole number/);
  assert.equal(session.work, first);
  session.explore(intx, LONG);
  const second = session.work;
  await turn();
  assert.deepEqual(await first.outcome, { kind: 'cancelled' });
  session.explore(intx);
  await turn();
  assert.deepEqual(await second.outcome, { kind: 'cancelled' });
  assert.equal(session.run!.inputs.parameters['interrupts'], 2);
});

test('a long run that fails says so, and the session stays where it was', async () => {
  const { session, turn } = pausing();
  session.explore(intx);
  const { run } = session;
  session.explore(intx, { ...LONG, edits: [{ at: 60_000, cell: 'no such cell', value: 1 }] });
  const work = session.work!;
  for (let turns = 0; session.work !== undefined && turns < 100; turns++) await turn();
  const outcome = await work.outcome;
  assert.ok(outcome.kind === 'failed' && outcome.error instanceof Error && /no such cell/.test(outcome.error.message));
  assert.equal(session.run, run);
});
