import { closeSync, openSync, writeSync } from 'node:fs';
import { t } from '@vscode/l10n';
import { PROJECTS, type Reference } from '../engine/reference';
import { FORMATS, type Format } from '../flows/export/formats';
import { writePlace } from '../flows/export/link';
import { chapterRange, stepsBetween, wholeRun, type StepRange } from '../flows/export/range';
import { locateAll, type Sources } from '../flows/export/sources';
import { svg, SVG_THEMES } from '../flows/export/svg';
import { toldByFlow, type Told } from '../flows/export/told';
import { tour } from '../flows/export/tour';
import { ParameterError, type FlowRun } from '../flows/flow';
import { versionNear } from '../sources/links';
import { whereaboutsOf } from '../sources/whereabouts';
import { problemOf } from './files';
import { oneOf, simulateAsTold, type RunOptions } from './run';
import { isScenarioFile, readTold } from './scenario';
import { openTrees, type Directories } from './trees';

interface ExportOptions extends RunOptions, Directories {
  readonly format?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly chapter?: string | undefined;
  readonly theme?: string | undefined;
  readonly output?: string | undefined;
  /** Whose tree a tour is for. */
  readonly project?: string | undefined;
}

/** What a run can be exported as in the terminal. */
export const EXPORT_FORMATS = [...FORMATS.map(({ id }) => id), 'link'] as const;

/** `virtflow export FLOW`: a run or a part of it, in a format for others, to standard output or a file. */
export async function exportCommand(operands: readonly string[], options: ExportOptions): Promise<number> {
  const format = oneOf(EXPORT_FORMATS, '--format', options.format ?? '');
  const { run, told } = await runOf(operands, options);
  const range = rangeOf(run, told, options);
  write(options.output, await piecesOf(run, range, told, format, options));
  return 0;
}

async function runOf(operands: readonly string[], options: ExportOptions): Promise<{ readonly run: FlowRun; readonly told: Told }> {
  const [file = ''] = operands;
  if (isScenarioFile(operands)) return readTold(file);
  const run = simulateAsTold('export', operands, options);
  return { run, told: toldByFlow(run) };
}

async function piecesOf(run: FlowRun, range: StepRange, told: Told, id: string, options: ExportOptions): Promise<Iterable<string>> {
  const format: Format | undefined = FORMATS.find((known) => known.id === id);
  if (format === undefined) return [`vscode://virtflow.virtflow/step?${writePlace({ ...run, step: range.first })}\n`];
  const theme = oneOf(SVG_THEMES, '--theme', options.theme ?? 'auto');
  const project = options.project === undefined ? undefined : oneOf(PROJECTS, '--project', options.project);
  const sources = await lookUp(format.references(run, range, told), run, options);
  switch (format.id) {
    case 'svg':
      return svg(run, range, theme, told);
    case 'tour':
      return tour(run, range, told, sources, project);
    case 'mermaid':
    case 'perfetto':
    case 'markdown':
      return format.write(run, range, told, sources);
  }
}

/** Where references stand, in the trees that were named or else upstream. */
async function lookUp(references: readonly Reference[], { inputs }: FlowRun, directories: Directories): Promise<Sources> {
  const trees = await openTrees(directories);
  return locateAll(references, (reference) => {
    const { project } = reference;
    const resolver = trees.find(({ tree }) => tree.project === project);
    return whereaboutsOf(reference, versionNear(project, inputs.parameters[project]), resolver);
  });
}

function rangeOf(run: FlowRun, { chapters }: Told, { chapter, from, to }: ExportOptions): StepRange {
  if (chapter !== undefined && (from !== undefined || to !== undefined))
    throw new ParameterError(t('give --chapter, or --from and --to, not both'));
  if (chapter !== undefined) return chapterRange(run, chapter, chapters);
  const whole = wholeRun(run);
  const first = from === undefined ? whole.first : readStep('--from', from);
  const last = to === undefined ? whole.end - 1 : readStep('--to', to);
  if (first > last) throw new ParameterError(t('--from {0} is behind --to {1}', first, last));
  if (first >= whole.end) throw new ParameterError(t('--from is {0}, but the run has {1} steps', first, whole.end));
  return stepsBetween(run, first, last);
}

function readStep(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ParameterError(t('{0} is "{1}", expected the number of a step', option, text));
  return Number(text);
}

/** A long trace does not fit into one text, so pieces are written as they come. */
function write(file: string | undefined, pieces: Iterable<string>): void {
  if (file === undefined) {
    for (const piece of pieces) process.stdout.write(piece);
    return;
  }
  const descriptor = open(file);
  try {
    for (const piece of batches(pieces)) writeSync(descriptor, piece);
  } finally {
    closeSync(descriptor);
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new ParameterError(t('--output {0}: {1}', file, problemOf(error)), { cause: error });
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
