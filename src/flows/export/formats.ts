import type { Reference } from '../../engine/reference';
import type { FlowRun } from '../flow';
import { markdownPage } from './markdownPage';
import { mermaid } from './mermaid';
import { perfetto } from './perfetto';
import type { StepRange } from './range';
import type { Sources } from './sources';
import { referencesOf, storyOf } from './story';
import { svg } from './svg';
import type { Told } from './told';
import { tour } from './tour';

/** What a run can be exported as. A link is none of these: it says how to make the run again. */
export interface Format {
  readonly id: 'mermaid' | 'svg' | 'perfetto' | 'tour' | 'markdown';
  readonly title: string;
  readonly description: string;
  /** Of the file that it becomes. */
  readonly extension: string;
  /** VS Code's language of the text. */
  readonly language: string;
  /** What it wants to know the places of in source, before it is written. */
  readonly references: (run: FlowRun, range: StepRange, told: Told) => readonly Reference[];
  /** Writes a part of a run, a piece at a time: between two pieces one may show progress, or stop. */
  readonly write: (run: FlowRun, range: StepRange, told: Told, sources: Sources) => Generator<string>;
}

const none = (): readonly Reference[] => [];
const ofStory = (run: FlowRun, range: StepRange, { chapters }: Told): readonly Reference[] => referencesOf(storyOf(run, range, chapters));

export const FORMATS: readonly Format[] = [
  {
    id: 'mermaid',
    title: 'Mermaid',
    description: 'A sequence diagram as text, for Markdown, issues and pull requests',
    extension: 'mmd',
    language: 'mermaid',
    references: none,
    write: mermaid,
  },
  {
    id: 'svg',
    title: 'SVG',
    description: 'A drawing of the sequence that follows the reader’s light or dark theme',
    extension: 'svg',
    language: 'xml',
    references: none,
    write: (run, range, told) => svg(run, range, 'auto', told),
  },
  {
    id: 'perfetto',
    title: 'Perfetto',
    description: 'Every function, write and hand-over, for ui.perfetto.dev and chrome://tracing',
    extension: 'json',
    language: 'json',
    references: none,
    write: perfetto,
  },
  {
    id: 'tour',
    title: 'CodeTour',
    description: 'A .tour that others play in their own source tree, whatever its version',
    extension: 'tour',
    language: 'json',
    references: ofStory,
    write: (run, range, told, sources) => tour(run, range, told, sources),
  },
  {
    id: 'markdown',
    title: 'Markdown',
    description: 'A page to read, with links to upstream’s source',
    extension: 'md',
    language: 'markdown',
    references: ofStory,
    write: markdownPage,
  },
];
