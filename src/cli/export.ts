import { closeSync, openSync, writeSync } from 'node:fs';
import { FORMATS, type Format } from '../flows/export/formats';
import { writePlace } from '../flows/export/link';
import { chapterRange, stepsBetween, wholeRun, type StepRange } from '../flows/export/range';
import { svg, SVG_THEMES } from '../flows/export/svg';
import { ParameterError, type FlowRun } from '../flows/flow';
import { simulateAsTold, type RunOptions } from './run';

interface ExportOptions extends RunOptions {
  readonly format?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly chapter?: string | undefined;
  readonly theme?: string | undefined;
  readonly output?: string | undefined;
}

const IDS = [...FORMATS.map(({ id }) => id), 'link'];

/** `virtflow export FLOW`: a run or a part of it, in a format for others, to standard output or a file. */
export function exportCommand(positionals: readonly string[], options: ExportOptions): number {
  const { format = '' } = options;
  if (!IDS.includes(format)) throw new ParameterError(`--format is "${format}", expected ${IDS.join(', ')}`);
  const run = simulateAsTold('export', positionals, options);
  const range = rangeOf(run, options);
  write(options.output, piecesOf(run, range, format, options.theme));
  return 0;
}

function piecesOf(run: FlowRun, range: StepRange, id: string, theme = 'auto'): Iterable<string> {
  const format: Format | undefined = FORMATS.find((known) => known.id === id);
  if (format === undefined) return [`vscode://virtflow.virtflow/step?${writePlace({ ...run, step: range.first })}\n`];
  const known = SVG_THEMES.find((one) => one === theme);
  if (known === undefined) throw new ParameterError(`--theme is "${theme}", expected ${SVG_THEMES.join(', ')}`);
  return id === 'svg' ? svg(run, range, known) : format.write(run, range);
}

function rangeOf(run: FlowRun, { chapter, from, to }: ExportOptions): StepRange {
  if (chapter !== undefined && (from !== undefined || to !== undefined))
    throw new ParameterError('give --chapter, or --from and --to, not both');
  if (chapter !== undefined) return chapterRange(run, chapter);
  const whole = wholeRun(run);
  const first = from === undefined ? whole.first : readStep('--from', from);
  const last = to === undefined ? whole.end - 1 : readStep('--to', to);
  if (first > last) throw new ParameterError(`--from ${first} is behind --to ${last}`);
  if (first >= whole.end) throw new ParameterError(`--from is ${first}, but the run has ${whole.end} steps`);
  return stepsBetween(run, first, last);
}

function readStep(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ParameterError(`${option} is "${text}", expected the number of a step`);
  return Number(text);
}

/** A long trace does not fit into one text, so pieces are written as they come. */
function write(file: string | undefined, pieces: Iterable<string>): void {
  if (file === undefined) {
    for (const piece of pieces) process.stdout.write(piece);
    return;
  }
  const descriptor = openSync(file, 'w');
  try {
    for (const piece of batches(pieces)) writeSync(descriptor, piece);
  } finally {
    closeSync(descriptor);
  }
}

const BATCH = 1 << 16;

function* batches(pieces: Iterable<string>): Generator<string> {
  let batch = '';
  for (const piece of pieces) {
    batch += piece;
    if (batch.length < BATCH) continue;
    yield batch;
    batch = '';
  }
  yield batch;
}
