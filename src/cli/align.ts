import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { t } from '@vscode/l10n';
import type { Parameters } from '../engine/machine';
import { describeReference } from '../engine/reference';
import { ParameterError, type Flow } from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import type { Alignment, Differences, InRun, InTrace } from '../trace/align';
import { alignBest } from '../trace/fit';
import { MAX_LINE } from '../trace/line';
import { problemOf } from './files';
import { flowOf, readSettings } from './run';

interface AlignOptions {
  readonly set?: readonly string[] | undefined;
  readonly trace?: string | undefined;
  readonly json?: boolean | undefined;
}

/** `virtflow align FLOW --trace FILE`: how far runs and a recording of a real machine agree, and where they do not. */
export function alignCommand(operands: readonly string[], { set = [], trace = '', json }: AlignOptions): number {
  const flow = flowOf('align', operands);
  const { parameters, alignment } = alignBest(flow, readSettings(set), () => linesOf(trace));
  if (alignment.functions === 0)
    throw new ParameterError(
      t(
        '--trace {0}: no function that {1} knows occurs there; expected ftrace’s text (function_graph, function, or trace events)',
        trace,
        flow.id,
      ),
    );
  process.stdout.write(
    json ? `${JSON.stringify(asJson(flow, parameters, alignment), undefined, 2)}\n` : asText(flow, parameters, alignment),
  );
  return 0;
}

const CHUNK = 1 << 16;
/** How a compressed file begins. */
const GZIP = 0x1f8b;

/** A file's lines, read piece by piece. Of a line that is longer than any tracer's only the beginning is kept. */
function* linesOf(file: string): Generator<string, void, void> {
  const fd = open(file);
  try {
    const buffer = Buffer.alloc(CHUNK);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let first = true;
    for (let length = read(file, fd, buffer); length > 0; length = read(file, fd, buffer)) {
      if (first && buffer.readUInt16BE() === GZIP)
        throw new ParameterError(t('--trace {0}: compressed, expected text: gunzip it first', file));
      first = false;
      const lines = (rest + decoder.write(buffer.subarray(0, length))).split('\n');
      rest = (lines.pop() ?? '').slice(0, MAX_LINE + 1);
      yield* lines;
    }
    if (rest !== '') yield rest;
  } finally {
    closeSync(fd);
  }
}

const open = (file: string): number => named(file, () => openSync(file, 'r'));
const read = (file: string, fd: number, buffer: Buffer): number => named(file, () => readSync(fd, buffer));

/** Does something with the recording. @throws ParameterError naming it, and why that is not possible */
function named<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new ParameterError(t('--trace {0}: {1}', file, problemOf(error)), { cause: error });
  }
}

/** Where a step of a run stands: its thread and its place in source. */
function placeOf({ run, step: n }: InRun): string {
  const step = run.journal.step(n);
  const reference = referenceOfStep(step);
  const after = run.inputs.stimuli.map(({ name }) => `, with ${name}`).join('');
  return `step ${n} on ${run.threads[step.thread]!.title}${after}${reference ? `, ${describeReference(reference)}` : ''}`;
}

function asJson(flow: Flow, parameters: Parameters, alignment: Alignment): unknown {
  return {
    flow: flow.id,
    parameters,
    ...alignment,
    onlyInRun: alignment.onlyInRun.first.map((each) => ({ name: each.name, step: each.step, place: placeOf(each) })),
    onlyInTrace: alignment.onlyInTrace.first,
    breaks: alignment.breaks.first,
    handOvers: { kept: alignment.handOvers.kept, lost: alignment.handOvers.lost.first },
    skipped: alignment.skipped.first.map(({ at, expected }) => ({ line: at, expected })),
    counts: {
      onlyInRun: alignment.onlyInRun.count,
      onlyInTrace: alignment.onlyInTrace.count,
      breaks: alignment.breaks.count,
      lostHandOvers: alignment.handOvers.lost.count,
      skipped: alignment.skipped.count,
    },
  };
}

const SHOWN = 25;

function asText(flow: Flow, parameters: Parameters, alignment: Alignment): string {
  const { score, matched, onlyInRun, onlyInTrace, breaks, handOvers, foreign, functions, skipped } = alignment;
  return [
    `score ${score.toFixed(3)}: ${matched} entries of ${functions} functions agree, and ${handOvers.kept} hand-overs; ${foreign} entries belong to something else, or go round a loop again`,
    `${flow.id} with ${Object.entries(parameters)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' ')}`,
    ...listed('only in the run', onlyInRun, placeOf),
    ...listed('only in the trace', onlyInTrace, lineOf),
    ...listed('the recording goes on where the run does not', breaks, lineOf),
    ...listed('hand-overs that the recording does not show', handOvers.lost, lineOf),
    ...(skipped.count === 0 ? [] : [`${skipped.count} lines were passed over:`]),
    ...skipped.first.slice(0, SHOWN).map(({ at, expected }) => `  line ${at}: expected ${expected}`),
    '',
  ].join('\n');
}

const lineOf = ({ line }: InTrace): string => `line ${line}`;

/** Differences, those of one function together. */
function listed<T extends { readonly name: string }>(title: string, { count, first }: Differences<T>, place: (of: T) => string): string[] {
  const byName = new Map<string, T[]>();
  for (const each of first) byName.set(each.name, [...(byName.get(each.name) ?? []), each]);
  const lines = [...byName].map(([name, all]) => `  ${name}${all.length > 1 ? ` (${all.length} times)` : ''}: ${place(all[0]!)}`);
  if (lines.length === 0) return [];
  const more = lines.length > SHOWN ? [`  and ${lines.length - SHOWN} more functions`] : [];
  return [`${title}: ${count}`, ...lines.slice(0, SHOWN), ...more];
}
