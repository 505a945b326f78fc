import { t } from '@vscode/l10n';
import { chapterSteps, type Chapter, type ChapterStart, type FlowRun } from '../flow';
import { plain } from '../markdown';
import type { Note } from '../scenario/format';
import { notesOn } from '../scenario/notes';

/** What is told of a run beside its steps: chapters, by its flow or by a scenario, and notes. */
export interface Told {
  readonly chapters: readonly ChapterStart[];
  readonly notes: readonly Note[];
}

/** What the flow itself tells. */
export const toldByFlow = (run: FlowRun): Told => ({ chapters: chapterSteps(run), notes: [] });

/** A chapter's prose as Markdown: a flow's as it is, anybody else's as mere text, since some readers of Markdown run what it says. */
export const proseOf = ({ flow }: FlowRun, chapter: Chapter): string =>
  flow.chapters.includes(chapter) ? t(chapter.prose) : plain(chapter.prose);

/** The notes on a step, as Markdown that shows just their text. */
export const noteTexts = (run: FlowRun, step: number, { notes }: Told): readonly string[] =>
  notesOn(run, step, notes).map(({ text }) => plain(text));
