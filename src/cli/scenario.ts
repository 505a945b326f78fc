import { t } from '@vscode/l10n';
import { readFile, stat } from 'node:fs/promises';
import { headOf, type Told } from '../flows/export/told';
import { ParameterError, simulate, type FlowRun } from '../flows/flow';
import { judge, type Verdict } from '../flows/scenario/expectations';
import { inputsOf } from '../flows/scenario/inputs';
import { lineAndColumn, LONGEST, type Mistake } from '../flows/scenario/json';
import { chaptersOf, readScenario, type Scenario } from '../flows/scenario/scenario';
import { endingText } from '../flows/text';
import { problemOf } from './files';

/** Whether what is to be run is a scenario's file and no flow. */
export const isScenarioFile = ([file = '']: readonly string[]): boolean => file.endsWith('.json');

/** What a scenario's file came to. */
type Outcome =
  | { readonly kind: 'unreadable'; readonly problem: string }
  | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] }
  | { readonly kind: 'judged'; readonly scenario: Scenario; readonly run: FlowRun; readonly verdicts: readonly Verdict[] };

/** A scenario's file, as far as it can be read. */
interface Played {
  readonly file: string;
  readonly text: string;
  readonly outcome: Outcome;
}

/** `virtflow run FILE…`: each scenario’s outline and verdicts. Exit status 1 if a run does not do what is expected, 2 if a file is wrong: the worst of all. */
export async function scenarioCommand(
  files: readonly string[],
  { json = false }: { readonly json?: boolean | undefined },
): Promise<number> {
  let status = 0;
  for (const file of files) {
    const played = await playFile(file);
    if (json) process.stdout.write(`${JSON.stringify(asJson(played))}\n`);
    else print(played);
    if (!json && file !== files.at(-1)) process.stdout.write('\n');
    status = Math.max(status, statusOf(played.outcome));
  }
  return status;
}

/**
 * The run of a scenario's file, with what is told of it.
 * @throws ParameterError naming the file, or every mistake of it and its place
 */
export async function readTold(file: string): Promise<{ readonly run: FlowRun; readonly told: Told }> {
  const played = await playFile(file);
  const { outcome } = played;
  if (outcome.kind !== 'judged') throw new ParameterError(problemsOf({ ...played, outcome }).join('\n'));
  const { scenario, run } = outcome;
  return { run, told: { ...headOf(run, scenario), chapters: chaptersOf(run, scenario), notes: scenario.content.notes ?? [] } };
}

async function playFile(file: string): Promise<Played> {
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    return { file, text: '', outcome: { kind: 'unreadable', problem: problemOf(error) } };
  }
  return { file, text, outcome: play(text) };
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
    case 'unreadable':
    case 'malformed':
      return 2;
    case 'judged':
      return outcome.verdicts.every(({ holds }) => holds) ? 0 : 1;
  }
}

async function readText(file: string): Promise<string> {
  const stats = await stat(file);
  // Opening a FIFO would wait for a writer for ever.
  if (!stats.isFile()) throw new Error(t('this is no file'));
  if (stats.size > 4 * LONGEST) throw new Error(t('the file is longer than {0} characters', LONGEST));
  return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
}

function print({ file, text, outcome }: Played): void {
  switch (outcome.kind) {
    case 'unreadable':
    case 'malformed':
      process.stderr.write(printed(problemsOf({ file, text, outcome })));
      return;
    case 'judged': {
      const { scenario, run, verdicts } = outcome;
      const verdictLines = verdicts.flatMap((verdict) =>
        verdictText(verdict, placeOf(file, text, scenario.file.span(verdict.path).offset)),
      );
      process.stdout.write(printed([...outline(scenario, run), ...(verdictLines.length === 0 ? [] : ['', ...verdictLines])]));
    }
  }
}

/** Lines for a terminal, which would obey what a file has in the place of letters. */
const printed = (lines: readonly string[]): string => lines.map((line) => `${line.replaceAll(/\p{Cc}+/gu, ' ')}\n`).join('');

/** What is wrong with a file, a line each. */
function problemsOf({
  file,
  text,
  outcome,
}: Played & { readonly outcome: Exclude<Outcome, { readonly kind: 'judged' }> }): readonly string[] {
  switch (outcome.kind) {
    case 'unreadable':
      return [`${file}: ${outcome.problem}`];
    case 'malformed':
      return outcome.mistakes.map(({ message, offset }) => `${placeOf(file, text, offset)}: ${message}`);
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
function asJson({ file, text, outcome }: Played): unknown {
  switch (outcome.kind) {
    case 'unreadable':
      return { file, problem: outcome.problem };
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
