import { randomFrom } from '../../src/engine/random';
import { createCursor, lastWrite } from '../../src/engine/timeline';
import type { FlowRun } from '../../src/flows/flow';
import { atMost, figure, milliseconds, ratios, sample, type Figure } from './figure';
import { runOf } from './runs';

/** What it costs to be somewhere in a run's past, and whether that grows with the length of a run. */

const TIMES = 5000;

export function* pastFigures(): Generator<Figure> {
  const short = runOf(1000);
  const long = runOf(1_000_000);
  const lengths = `a run of ${long.journal.length} steps to one of ${short.journal.length}`;
  yield figure('seek', `a seek to a random step of ${lengths}`, '×', ratios(seeks(long), seeks(short)), atMost(3));
  yield figure('step back', `a step back to a step forward in ${long.journal.length} steps`, '×', stepsBack(long), atMost(2));
  yield figure(
    'who wrote this',
    `the last write to a cell before a random step of ${lengths}`,
    '×',
    ratios(lookUps(long), lookUps(short)),
    atMost(10),
  );
  yield figure(
    'first seek',
    `a new cursor’s first seek to the end of ${long.journal.length} steps to making that run`,
    '×',
    firstSeeks(long),
  );
}

function targets({ journal }: FlowRun): readonly number[] {
  const random = randomFrom(1);
  return Array.from({ length: TIMES }, () => Math.floor(random() * journal.length));
}

/** Seeks with a cursor that has been everywhere. */
function seeks(run: FlowRun): () => void {
  const cursor = createCursor(run);
  cursor.seek(run.journal.length);
  const steps = targets(run);
  return () => steps.forEach((step) => cursor.seek(step));
}

function stepsBack(run: FlowRun): readonly number[] {
  const cursor = createCursor(run);
  const from = run.journal.length >> 1;
  const walk = (direction: 1 | -1) => (): void => {
    for (let i = 0; i < 20 * TIMES; i++) cursor.seek(cursor.position + direction);
  };
  cursor.seek(from);
  walk(1)();
  return ratios(walk(-1), walk(1));
}

function lookUps(run: FlowRun): () => void {
  const steps = targets(run);
  // Only what is written at all can be looked up.
  const written = run.cells.filter(({ id }) => lastWrite(run, id, run.journal.length) !== undefined);
  return () => steps.forEach((step, index) => lastWrite(run, written[index % written.length]!.id, step));
}

function firstSeeks(run: FlowRun): readonly number[] {
  return sample(() => milliseconds(() => createCursor(run).seek(run.journal.length)) / milliseconds(() => runOf(1_000_000)), 5);
}
