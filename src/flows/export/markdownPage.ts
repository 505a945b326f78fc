import { t } from '@vscode/l10n';
import { NO_STEP, type Step } from '../../engine/journal';
import type { FlowRun } from '../flow';
import { plain } from '../markdown';
import { referenceOfStep } from '../places';
import { cellName, changeText, writesOf, threadTitle } from '../text';
import { introduction, leftOutText, storyTitle } from './prose';
import type { StepRange } from './range';
import type { Sources } from './sources';
import { storyOf } from './story';
import { noteTexts, proseOf, type Told } from './told';

/** A part of a run as a page of Markdown: chapters, threads as they take turns, and in each what was called from where, with links to upstream. */

/** Lists that go in further than this are no longer seen as such. */
const DEEPEST = 8;

/** Writes the page, a paragraph or a list item at a time. */
export function* markdownPage(run: FlowRun, range: StepRange, told: Told, sources: Sources): Generator<string> {
  const { parts, leftOut } = storyOf(run, range, told.chapters);
  yield `# ${plain(storyTitle(run, range, told))}\n`;
  for (const paragraph of introduction(run, range, told)) yield `\n${paragraph}\n`;
  /** The frames that were told of and have not ended, on the thread that runs. */
  let frames: readonly Step[] = [];
  let thread = NO_STEP;
  for (const part of parts) {
    if (part.kind === 'chapter') {
      thread = NO_STEP;
      yield `\n## ${plain(t(part.chapter.title))}\n\n${proseOf(run, part.chapter)}\n`;
      continue;
    }
    const { step } = part;
    if (step.thread !== thread) {
      thread = step.thread;
      frames = [];
      yield `\n${turn(run, step)}\n\n`;
    }
    frames = frames.filter(({ depth }) => depth < step.depth || (depth === step.depth && step.kind !== 'enter'));
    yield `${'  '.repeat(Math.min(frames.length, DEEPEST))}- ${item(run, step, told, sources)}\n`;
    if (step.kind === 'enter') frames = [...frames, step];
  }
  if (leftOut > 0) yield `\n${plain(leftOutText(leftOut))}\n`;
}

/** Another thread takes over: which, and by what. */
function turn(run: FlowRun, step: Step): string {
  const title = (index: number): string => plain(threadTitle(run.threads[index]!));
  if (step.cause === NO_STEP) return `**${title(step.thread)}**`;
  const cause = run.journal.step(step.cause);
  return t('{0}, by {1} from {2}', `**${title(step.thread)}**`, cause.edge, title(cause.thread));
}

function item(run: FlowRun, step: Step, told: Told, sources: Sources): string {
  const { fn, anchor, note } = step.site;
  const reference = referenceOfStep(step);
  const whereabouts = reference && sources(reference);
  const name = `\`${anchor?.token ?? fn.name}\``;
  const linked = whereabouts === undefined ? name : `[${name}](${whereabouts.page})`;
  const said = [
    ...(step.kind === 'enter' ? [plain(t(fn.does))] : []),
    ...(note === undefined ? [] : [plain(t(note))]),
    ...writesOf(run, step.n).map((write) => `\`${cellName(run.cells[write.cell]!)}\`: \`${changeText(run, write)}\``),
    ...(whereabouts?.remark === undefined ? [] : [plain(whereabouts.remark)]),
    ...noteTexts(run, step.n, told),
  ];
  return `${step.kind === 'enter' ? `**${linked}**` : linked}${reached(step)}${said.length === 0 ? '' : `: ${said.join('; ')}`}`;
}

/** How a function was reached, or what a thread hands over with, where that is no plain call. */
function reached({ kind, edge }: Step): string {
  if (kind === 'signal') return ` ⇒ ${edge}`;
  return kind !== 'enter' || edge === 'call' || edge === 'root' || edge === 'none' ? '' : ` (${edge})`;
}
