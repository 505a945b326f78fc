import { t } from '@vscode/l10n';
import { CATALOGUE, requireFlow } from '../flows/catalogue';
import {
  endedBefore,
  ParameterError,
  presetInputs,
  resolveParameters,
  simulate,
  type Flow,
  type FlowRun,
  type FlowStimuli,
} from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import { cellName, chainText, resultText, valueText, writesOf } from '../flows/text';
import { createCursor } from '../engine/timeline';
import { NO_STEP } from '../engine/journal';
import { placesOf } from '../sources/history';

/** `virtflow flows`: the catalogue. */
export function flowsCommand({ json }: { readonly json?: boolean | undefined }): number {
  const flows = CATALOGUE.map(({ id, system, title, summary, parameters, stimuli, presets }) => ({
    id,
    system,
    title,
    summary,
    parameters,
    stimuli: stimuli.map(({ name, title: stimulusTitle, description }) => ({ name, title: stimulusTitle, description })),
    presets,
  }));
  process.stdout.write(json ? `${JSON.stringify(flows, undefined, 2)}\n` : `${flows.map(describe).join('\n\n')}\n`);
  return 0;
}

type Listed = Pick<Flow, 'id' | 'title' | 'summary' | 'parameters' | 'presets'> & {
  readonly stimuli: readonly { readonly name: string; readonly title: string }[];
};

function describe({ id, title, summary, parameters, stimuli, presets }: Listed): string {
  return [
    `${id}: ${t(title)}`,
    `  ${t(summary)}`,
    `  ${t('parameters:')}`,
    ...parameters.map(
      (spec) =>
        `    ${spec.name}=${String(spec.default)}${spec.kind === 'choice' ? ` (${spec.choices.map(({ value }) => value).join(', ')})` : ''}  ${t(spec.title)}`,
    ),
    `  ${t('stimuli:')}`,
    ...stimuli.map((stimulus) => `    ${stimulus.name}  ${t(stimulus.title)}`),
    ...(presets.length === 0 ? [] : [`  ${t('presets:')}`]),
    ...presets.map((preset) => `    ${preset.id}  ${t(preset.title)}`),
  ].join('\n');
}

/** What determines a run, as options say it. */
export interface RunOptions {
  readonly preset?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly inject?: readonly string[] | undefined;
  readonly seed?: string | undefined;
}

export const RUN_FORMATS = ['text', 'json'] as const;

/** `virtflow run FLOW`: one run, as text or as one JSON object. */
export function runCommand(operands: readonly string[], options: RunOptions & { readonly format?: string | undefined }): number {
  const format = oneOf(RUN_FORMATS, '--format', options.format ?? 'text');
  const run = simulateAsTold('run', operands, options);
  switch (format) {
    case 'text':
      for (const line of chainText(run)) process.stdout.write(`${line}\n`);
      return 0;
    case 'json':
      process.stdout.write(`${JSON.stringify(runAsJson(run))}\n`);
      return 0;
  }
}

/** The one of several words that an option is. @throws ParameterError naming all of them if it is none */
export function oneOf<T extends string>(known: readonly T[], option: string, given: string): T {
  const found = known.find((one) => one === given);
  if (found === undefined) throw new ParameterError(t('{0} is "{1}", expected one of {2}', option, given, known.join(', ')));
  return found;
}

/**
 * The run that a command line asks for.
 * @throws ParameterError naming what it got wrong
 */
export function simulateAsTold(
  command: string,
  operands: readonly string[],
  { preset, set = [], inject = [], seed = '0' }: RunOptions,
): FlowRun {
  const flow = flowOf(command, operands);
  if (!/^\d{1,9}$/.test(seed)) throw new ParameterError(t('--seed is "{0}", expected a whole number', seed));
  const base = preset === undefined ? undefined : presetInputs(flow, preset);
  const injected = inject.map(readStimulus);
  const run = simulate(flow, {
    parameters: resolveParameters(flow, { ...base?.parameters, ...readSettings(set) }),
    stimuli: [...(base?.stimuli ?? []), ...injected],
    seed: Number(seed),
  });
  for (const line of lateStimuli(run, injected)) process.stderr.write(`virtflow: ${line}\n`);
  return run;
}

/** What is to be told of stimuli that do not happen at their steps, for the run has no more of them by then. A preset may mean that. */
function* lateStimuli({ flow, inputs }: FlowRun, injected: FlowStimuli): Generator<string> {
  for (const { at, name } of injected) {
    const ended = endedBefore(flow, { ...inputs, stimuli: inputs.stimuli.filter((other) => other.at < at) }, at);
    if (ended === undefined) continue;
    const stimulus = `--inject ${name}@${at}`;
    yield ended.ending.kind === 'limit'
      ? t('{0}: never happens, as the run stops after {1} steps', stimulus, ended.steps)
      : t('{0}: the run has no such step; it happens after {1} steps, when all has come to rest', stimulus, ended.steps);
  }
}

/** The flow that a command is given. @throws ParameterError naming all flows if it is given none, or another one */
export function flowOf(command: string, [id]: readonly string[]): Flow {
  if (id === undefined) throw new ParameterError(t('{0} needs a flow: {1}', command, CATALOGUE.map((known) => known.id).join(', ')));
  return requireFlow(id);
}

/** Reads `name=value` texts. @throws ParameterError naming the one that is none */
export const readSettings = (set: readonly string[]): Readonly<Record<string, string>> => Object.fromEntries(set.map(readSetting));

function readSetting(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new ParameterError(t('--set is "{0}", expected name=value', text));
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Reads `STIMULUS@STEP`. @throws ParameterError if it is none */
export function readStimulus(text: string): { at: number; name: string } {
  const match = /^([\w-]+)@(\d{1,9})$/.exec(text);
  if (match === null) throw new ParameterError(t('--inject is "{0}", expected STIMULUS@STEP', text));
  return { name: match[1]!, at: Number(match[2]) };
}

/** A run as one object, for programs: every step with its place and writes, and the state at the end. */
export function runAsJson(run: FlowRun): unknown {
  const { flow, inputs, journal, threads } = run;
  const steps = Array.from({ length: journal.length }, (_, n) => {
    const step = journal.step(n);
    const reference = referenceOfStep(step);
    const version = reference && inputs.parameters[reference.project];
    const place = reference && typeof version === 'string' ? placesOf(reference, version)[0] : reference;
    return {
      n,
      thread: threads[step.thread]!.id,
      context: threads[step.thread]!.context,
      depth: step.depth,
      kind: step.kind,
      edge: step.edge,
      project: step.site.fn.home.world,
      path: place?.path ?? step.site.fn.home.path,
      symbol: place?.symbol ?? step.site.fn.name,
      anchor: step.site.anchor?.token,
      note: step.site.note,
      cause: step.cause === NO_STEP ? undefined : step.cause,
      result: resultText(step),
      writes: writesOf(run, n).map((write) => {
        const cell = run.cells[write.cell]!;
        return { cell: cellName(cell), old: valueText(run, cell, write.old), new: valueText(run, cell, write.new) };
      }),
    };
  });
  const cursor = createCursor(run);
  cursor.seek(journal.length - 1);
  const state = Object.fromEntries(run.cells.map((cell) => [cellName(cell), valueText(run, cell, cursor.value(cell.id))]));
  return {
    flow: flow.id,
    parameters: inputs.parameters,
    stimuli: inputs.stimuli,
    seed: inputs.seed,
    ending: run.ending.kind,
    steps,
    state,
  };
}
