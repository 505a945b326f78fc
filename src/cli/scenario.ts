import { t } from '@vscode/l10n';
import { readFile, stat } from 'node:fs/promises';
import type { Told } from '../flows/export/told';
import { ParameterError, simulate, type FlowRun } from '../flows/flow';
import { judge, type Verdict } from '../flows/scenario/expectations';
import { inputsOf } from '../flows/scenario/inputs';
import { lineAndColumn, LONGEST, type Mistake } from '../flows/scenario/json';
import { chaptersOf, readScenario, type Scenario } from '../flows/scenario/scenario';
import { endingText } from '../flows/text';

/** Whether what is to be run is a scenario's file and no flow. */
export const isScenarioFile = ([file = '']: readonly string[]): boolean => file.endsWith('.json');

/** What a scenario's file came to. */
type Outcome =
  | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] }
  | { readonly kind: 'judged'; readonly scenario: Scenario; readonly run: FlowRun; readonly verdicts: readonly Verdict[] };

/** `virtflow run FILE…`: each scenario's outline and verdicts. Exit status 1 if an expectation fails, 2 if a file is malformed. */
export async function scenarioCommand(files: readonly string[], { json }: { readonly json: boolean }): Promise<number> {
  let status = 0;
  for (const file of files) {
    const text = await readText(file);
    const outcome = play(text);
    if (json) process.stdout.write(`${JSON.stringify(asJson(file, text, outcome))}\n`);
    else print(file, text, outcome);
    if (!json && file !== files.at(-1)) process.stdout.write('\n');
    status = Math.max(status, statusOf(outcome));
  }
  return status;
}

/**
 * The run of a scenario's file, with what is told of it.
 * @throws ParameterError naming every mistake of the file and its place
 */
export async function readTold(file: string): Promise<{ readonly run: FlowRun; readonly told: Told }> {
  const text = await readText(file);
  const outcome = play(text);
  if (outcome.kind === 'malformed')
    throw new ParameterError(outcome.mistakes.map(({ message, offset }) => `${placeOf(file, text, offset)}: ${message}`).join('\n'));
  const { scenario, run } = outcome;
  return { run, told: { chapters: chaptersOf(run, scenario), notes: scenario.content.notes ?? [] } };
}

function play(text: string): Outcome {
  const read = readScenario(text);
  if (read.kind === 'malformed') return read;
  const { scenario } = read;
  const found = toItsEnd(inputsOf(scenario));
  if (found.kind === 'malformed') return found;
  const run = simulate(scenario.flow, found.inputs);
  const judgement = judge(run, scenario);
  if (judgement.kind === 'malformed') return judgement;
  return { kind: 'judged', scenario, run, verdicts: judgement.verdicts };
}

/** Nobody else waits for a turn in a terminal. */
function toItsEnd<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

function statusOf(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'malformed':
      return 2;
    case 'judged':
      return outcome.verdicts.every(({ holds }) => holds) ? 0 : 1;
  }
}

async function readText(file: string): Promise<string> {
  const stats = await stat(file).catch(() => undefined);
  // Opening a FIFO would wait for a writer for ever.
  if (!stats?.isFile()) throw new ParameterError(t('there is no file {0}', file));
  if (stats.size > 4 * LONGEST) throw new ParameterError(t('{0} is longer than {1} characters', file, LONGEST));
  return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
}

function print(file: string, text: string, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'malformed':
      for (const mistake of outcome.mistakes) process.stderr.write(`${placeOf(file, text, mistake.offset)}: ${mistake.message}\n`);
      return;
    case 'judged': {
      const { scenario, run, verdicts } = outcome;
      const verdictLines = verdicts.flatMap((verdict) =>
        verdictText(verdict, placeOf(file, text, scenario.file.span(verdict.path).offset)),
      );
      process.stdout.write(`${[...outline(scenario, run), '', ...verdictLines].join('\n').trimEnd()}\n`);
    }
  }
}

function outline(scenario: Scenario, run: FlowRun): readonly string[] {
  const { content, flow } = scenario;
  const { parameters = {} } = content;
  const titleOf = (name: string): string => flow.stimuli.find((stimulus) => stimulus.name === name)?.title ?? name;
  const lines = [
    ...chaptersOf(run, scenario).map(({ chapter, step }) => ({ step, line: `§ ${t(chapter.title)}` })),
    ...run.inputs.stimuli.map(({ at, name }) => ({ step: at, line: `! ${t(titleOf(name))}` })),
    ...(run.inputs.edits ?? []).map(({ at, cell, value }) => ({ step: at, line: `! ${t('{0} is set to {1}', cell, value)}` })),
  ].toSorted((a, b) => a.step - b.step);
  return [
    `${content.title} (${[flow.id, ...Object.entries(parameters).map(([name, value]) => `${name}=${String(value)}`)].join(' ')})`,
    ...lines.map(({ step, line }) => `${String(step).padStart(6)}  ${line}`),
    t('{0} steps; {1}', run.journal.length, endingText(run)),
  ];
}

function verdictText({ holds, expected, found, expectation: { because } }: Verdict, place: string): readonly string[] {
  if (holds) return [`${t('ok')}      ${expected}`];
  return [`${t('FAILED')}  ${expected}: ${found}`, `        ${place}`, ...(because === undefined ? [] : [`        ${because}`])];
}

function placeOf(file: string, text: string, offset: number): string {
  const { line, column } = lineAndColumn(text, offset);
  return `${file}:${line}:${column}`;
}

/** A scenario's outcome as one object, for programs. */
function asJson(file: string, text: string, outcome: Outcome): unknown {
  switch (outcome.kind) {
    case 'malformed':
      return { file, mistakes: outcome.mistakes.map(({ message, offset }) => ({ ...lineAndColumn(text, offset), message })) };
    case 'judged': {
      const { scenario, run, verdicts } = outcome;
      return {
        file,
        title: scenario.content.title,
        flow: scenario.flow.id,
        inputs: run.inputs,
        steps: run.journal.length,
        ending: run.ending.kind,
        chapters: chaptersOf(run, scenario).map(({ chapter, step }) => ({ title: chapter.title, step })),
        expectations: verdicts.map(({ expectation, path, ...verdict }) => ({
          ...expectation,
          ...verdict,
          ...lineAndColumn(text, scenario.file.span(path).offset),
        })),
      };
    }
  }
}
