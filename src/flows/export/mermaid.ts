import { t } from '@vscode/l10n';
import type { EdgeKind } from '../../engine/journal';
import type { FlowRun } from '../flow';
import { edgeTitle } from '../text';
import type { StepRange } from './range';
import { lineLabel, sequenceOf, type Line, type Part, type Sequence, type Stay } from './sequence';
import { toldByFlow } from './told';

/** The sequence as Mermaid's `sequenceDiagram`: threads are participants, hand-overs are arrows, what runs between is notes. */

/** With so many lines a diagram stays well below the 50 000 characters that Mermaid takes. */
const LINES = 120;

/** Writes a part of a run as a Mermaid diagram, a line at a time. */
export function* mermaid(run: FlowRun, range: StepRange, told = toldByFlow(run)): Generator<string> {
  const sequence = sequenceOf(run, range, LINES, told.chapters);
  const { lanes } = sequence;
  yield 'sequenceDiagram\n';
  yield `  title ${plain(t('{0}: steps {1} to {2}', t(run.flow.title), range.first, range.end - 1))}\n`;
  yield `  accDescr: ${plain(`${t('Hand-overs between {0}.', lanes.map(({ title }) => title).join(', '))} ${t(run.flow.summary)}`)}\n`;
  for (const [lane, { title }] of lanes.entries()) yield `  participant ${id(lane)} as ${plain(title)}\n`;
  for (const part of sequence.parts) for (const line of partLines(part, sequence)) yield `  ${line}\n`;
  if (sequence.shownTo < range.end)
    yield `  ${noteOverAll(sequence, t('The other {0} steps are left out: export a chapter or fewer steps.', range.end - sequence.shownTo))}\n`;
}

function* partLines(part: Part, sequence: Sequence): Generator<string> {
  switch (part.kind) {
    case 'chapter':
      return yield noteOverAll(sequence, `§ ${part.title}`);
    case 'stimulus':
      return yield `Note over ${id(part.lane)}: ${plain(t('⚡ {0} (step {1})', part.title, part.step))}`;
    case 'stay':
      return yield* stayLines(part);
    case 'repeat':
      yield `loop ${plain(t('{0} times, up to step {1}', part.times, part.end - 1))}`;
      for (const stay of part.stays) for (const line of stayLines(stay)) yield `  ${line}`;
      return yield 'end';
  }
}

/** What comes in is an arrow; what follows until the next one is a note beside the thread that is active. */
function* stayLines({ lane, lines }: Stay): Generator<string> {
  yield `activate ${id(lane)}`;
  let note: Line[] = [];
  for (const line of lines) {
    if (line.cause !== undefined) {
      if (note.length > 0) yield noteOf(lane, note);
      note = [];
      yield arrowOf(lane, line, line.cause);
    }
    note.push(line);
  }
  if (note.length > 0) yield noteOf(lane, note);
  yield `deactivate ${id(lane)}`;
}

function arrowOf(lane: number, { step }: Line, cause: NonNullable<Line['cause']>): string {
  return `${id(cause.lane)}${waits(cause.edge) ? '->>' : '-)'}${id(lane)}: ${plain(`${edgeTitle(cause.edge)} (${cause.step} → ${step})`)}`;
}

function noteOf(lane: number, lines: readonly Line[]): string {
  const rows = lines.map((line) => {
    const handsOver = line.kind === 'signal' ? ` ⇒ ${edgeTitle(line.edge)}` : '';
    return plain(`${'\u2002'.repeat(Math.min(line.depth, 12))}${line.step} ${lineLabel(line)}${handsOver}`);
  });
  return `Note right of ${id(lane)}: ${rows.join('<br/>')}`;
}

const noteOverAll = ({ lanes }: Sequence, text: string): string =>
  `Note over ${lanes.length > 1 ? `${id(0)},${id(lanes.length - 1)}` : id(0)}: ${plain(text)}`;

const id = (lane: number): string => `T${lane}`;

/** Whether the thread that hands over waits meanwhile: then the arrow's head is filled, otherwise it is open. */
function waits(edge: EdgeKind): boolean {
  return ['ioctl', 'syscall', 'vmexit', 'vmentry', 'mmio', 'hypercall', 'translated code', 'function pointer', 'call'].includes(edge);
}

/**
 * A text that means nothing to Mermaid: no end of line or statement, no comment, no directive, no markup. Whatever is not known
 * to be harmless is written as the code that Mermaid turns back.
 */
function plain(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, ' ')
    .replaceAll(/[^\w .,()/+*'§→↩›⇒⚡…’“”–\u2002-]/gu, (character) => `#${character.codePointAt(0)!};`);
}
