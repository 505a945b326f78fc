import { t } from '@vscode/l10n';
import { chapterSteps, ParameterError, type FlowRun } from '../flow';

/** The part of a run that is exported: steps `[first, end)`. */
export interface StepRange {
  readonly first: number;
  readonly end: number;
}

/** All of a run. */
export const wholeRun = ({ journal }: FlowRun): StepRange => ({ first: 0, end: journal.length });

/** The steps from `first` to `last`, both included, as far as the run has them. */
export function stepsBetween({ journal }: FlowRun, first: number, last: number): StepRange {
  const from = Math.max(0, Math.min(first, journal.length));
  return { first: from, end: Math.max(from, Math.min(last + 1, journal.length)) };
}

/** What somebody typed as `FIRST-LAST`, both included; undefined if it is not that, or not of the run. */
export function readRange(run: FlowRun, text: string): StepRange | undefined {
  const [, first, last] = /^\s*(\d{1,9})\s*[-–]\s*(\d{1,9})\s*$/.exec(text)?.map(Number) ?? [];
  if (first === undefined || last === undefined || first > last || last >= run.journal.length) return undefined;
  return stepsBetween(run, first, last);
}

/**
 * The steps of a chapter: up to where the next one begins.
 * @throws ParameterError if the run does not reach such a chapter, naming those that it reaches
 */
export function chapterRange(run: FlowRun, title: string, starts = chapterSteps(run)): StepRange {
  const index = starts.findIndex(({ chapter }) => chapter.title === title);
  const start = starts[index];
  if (start === undefined)
    throw new ParameterError(
      t('this run has no chapter "{0}"; it has {1}', title, starts.map(({ chapter }) => `"${chapter.title}"`).join(', ')),
    );
  return { first: start.step, end: starts[index + 1]?.step ?? run.journal.length };
}

/** The title of the chapter that a range is, if it is one. */
export function chapterOf(run: FlowRun, range: StepRange, starts = chapterSteps(run)): string | undefined {
  return starts.find(({ step }, index) => step === range.first && range.end === (starts[index + 1]?.step ?? run.journal.length))?.chapter
    .title;
}
