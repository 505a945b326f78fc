import { t } from '@vscode/l10n';
import type { Step } from '../../engine/journal';
import type { FlowRun } from '../flow';
import { plain } from '../markdown';
import { writePlace } from './link';
import { chapterOf, wholeRun, type StepRange } from './range';
import type { Told } from './told';

/** What exports that are read from beginning to end say before their steps, and what they call them. */

/** What a part of a run is called: as the whole, and the chapter if it is one. */
export function storyTitle(run: FlowRun, range: StepRange, { title, chapters }: Told): string {
  const { first, end } = wholeRun(run);
  if (range.first === first && range.end === end) return title;
  const chapter = chapterOf(run, range, chapters);
  return `${title}: ${chapter === undefined ? t('steps {0} to {1}', range.first, range.end - 1) : t(chapter)}`;
}

/** What the run is about, with which parameters it ran, and the link that opens the run: paragraphs of Markdown. */
export function introduction({ flow, inputs }: FlowRun, { first }: StepRange, { summary }: Told): readonly string[] {
  const parameters = flow.parameters.map(({ name }) => `\`${name}=${String(inputs.parameters[name])}\``);
  const stimuli = inputs.stimuli.map(({ name, at }) => t('{0} at step {1}', `\`${name}\``, at));
  return [
    plain(summary),
    `${parameters.join(', ')}${stimuli.length === 0 ? '' : `; ${stimuli.join(', ')}`}`,
    `[${t('Open in Virtflow')}](vscode://virtflow.virtflow/step?${writePlace({ flow, inputs, step: first })})`,
  ];
}

/** How much was left out, and how to see it. */
export const leftOutText = (count: number): string =>
  t('{0} places in inner functions are left out here: export a chapter or fewer steps to see them.', count);

/** What a step is called: `irqfd_wakeup › schedule_work`. */
export const stepTitle = ({ site: { fn, anchor } }: Step): string => (anchor === undefined ? fn.name : `${fn.name} › ${anchor.token}`);
