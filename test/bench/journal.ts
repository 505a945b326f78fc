import { CATALOGUE } from '../../src/flows/catalogue';
import { begin, defaults, simulate, type Flow } from '../../src/flows/flow';
import { createCursor } from '../../src/engine/timeline';
import { atLeast, atMost, figure, median, milliseconds, ratios, sample, type Figure } from './figure';
import { runOf } from './runs';

/** What it costs to record everything, and whether that grows with the length of a run. */

export function* journalFigures(): Generator<Figure> {
  yield recording();
  yield speedAtLength();
  yield bytesPerStep();
}

/** A sample of a short flow runs it so often that this many steps are made. */
const STEPS_PER_SAMPLE = 100_000;

function recording(): Figure {
  const byFlow = CATALOGUE.map((flow) => ({ flow, samples: recordingOf(flow) }));
  const worst = byFlow.reduce((a, b) => (median(b.samples) > median(a.samples) ? b : a));
  const all = byFlow.map(({ flow, samples }) => `${flow.id} ${median(samples).toFixed(2)}`).join(', ');
  return figure('recording', `a recorded run to the same run with the journal off, the worst of: ${all}`, '×', worst.samples, atMost(2.5));
}

function recordingOf(flow: Flow): readonly number[] {
  const inputs = { parameters: defaults(flow), stimuli: [], seed: 0 };
  const times = Math.ceil(STEPS_PER_SAMPLE / simulate(flow, inputs).journal.length);
  const repeat = (recorded: boolean) => (): void => {
    for (let i = 0; i < times; i++) begin(flow, inputs, recorded).proceed(Infinity);
  };
  return ratios(repeat(true), repeat(false));
}

function speedAtLength(): Figure {
  const short = runOf(10_000).journal.length;
  const long = runOf(1_000_000).journal.length;
  const times = Math.round(long / short);
  const samples = sample(() => {
    const perLong = milliseconds(() => void runOf(1_000_000)) / long;
    const perShort = milliseconds(() => {
      for (let i = 0; i < times; i++) runOf(10_000);
    });
    return perShort / (times * short) / perLong;
  });
  const compared = `recorded steps per second of a run of ${long} steps to those of runs of ${short}`;
  return figure('speed at length', compared, '×', samples, atLeast(0.8));
}

function bytesPerStep(): Figure {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('the bench measures memory: run node with --expose-gc');
  const used = (): number => {
    // The second waits for what the first left to be swept meanwhile: the buffers of the sample before.
    collect();
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  let computed = 0;
  const samples = sample(() => {
    const before = used();
    const run = runOf(1_000_000);
    // The keyframes of a cursor that has been everywhere belong to the price.
    const cursor = createCursor(run);
    cursor.seek(run.journal.length);
    const bytes = (used() - before) / run.journal.length;
    computed = run.journal.bytes / run.journal.length;
    return cursor.position === run.journal.length - 1 ? bytes : NaN;
  }, 5);
  const compared = `memory of a run of 10⁶ steps, all in, to its steps (its columns alone: ${computed.toFixed(1)})`;
  return figure('bytes per step', compared, 'bytes', samples, atMost(64));
}
