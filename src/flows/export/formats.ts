import type { FlowRun } from '../flow';
import { mermaid } from './mermaid';
import { perfetto } from './perfetto';
import type { StepRange } from './range';
import { svg } from './svg';

/** What a run can be exported as. A link is none of these: it says how to make the run again. */
export interface Format {
  readonly id: 'mermaid' | 'svg' | 'perfetto';
  readonly title: string;
  readonly description: string;
  /** Of the file that it becomes. */
  readonly extension: string;
  /** VS Code's language of the text. */
  readonly language: string;
  /** Writes a part of a run, a piece at a time: between two pieces one may show progress, or stop. */
  readonly write: (run: FlowRun, range: StepRange) => Generator<string>;
}

export const FORMATS: readonly Format[] = [
  {
    id: 'mermaid',
    title: 'Mermaid',
    description: 'A sequence diagram as text, for Markdown, issues and pull requests',
    extension: 'mmd',
    language: 'mermaid',
    write: mermaid,
  },
  {
    id: 'svg',
    title: 'SVG',
    description: 'A drawing of the sequence that follows the reader’s light or dark theme',
    extension: 'svg',
    language: 'xml',
    write: svg,
  },
  {
    id: 'perfetto',
    title: 'Perfetto',
    description: 'Every function, write and hand-over, for ui.perfetto.dev and chrome://tracing',
    extension: 'json',
    language: 'json',
    write: perfetto,
  },
];
