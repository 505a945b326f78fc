import { t } from '@vscode/l10n';
import { chapterSteps, type Chapter, type ChapterStart, type FlowRun } from '../flow';
import { plain } from '../markdown';
import type { Note } from '../scenario/format';
import { notesOn } from '../scenario/notes';
import type { Scenario } from '../scenario/scenario';

/** What is told of a run beside its steps, by its flow or by a scenario: what it is called and about, chapters, and notes. */
export interface Told {
  readonly title: string;
  readonly summary: string;
  readonly chapters: readonly ChapterStart[];
  readonly notes: readonly Note[];
}

/** What the flow itself tells. */
export const toldByFlow = (run: FlowRun): Told => ({ ...headOf(run), chapters: chapterSteps(run), notes: [] });

/** What a run is called and about: a scenario's author says it, else its flow. */
export const headOf = ({ flow }: FlowRun, scenario?: Scenario): Pick<Told, 'title' | 'summary'> => ({
  title: scenario?.content.title ?? t(flow.title),
  summary: scenario?.content.description ?? t(flow.summary),
});

/** A chapter's prose as Markdown: a flow's as it is, anybody else's as mere text, since some readers of Markdown run what it says. */
export const proseOf = ({ flow }: FlowRun, chapter: Chapter): string =>
  flow.chapters.includes(chapter) ? t(chapter.prose) : plain(chapter.prose);

/** The notes on a step, as Markdown that shows just their text. */
export const noteTexts = (run: FlowRun, step: number, { notes }: Told): readonly string[] =>
  notesOn(run, step, notes).map(({ text }) => plain(text));
