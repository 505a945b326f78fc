import { t } from '@vscode/l10n';
import { formatValue, type Cell } from '../engine/cell';
import { NO_STEP, type Step, type Write } from '../engine/journal';
import type { EdgeKind } from '../engine/journal';
import type { ThreadInfo } from '../engine/machine';
import { chapterSteps, type Flow, type FlowRun, type ParameterSpec } from './flow';

/** A run in words: names of cells and values, results, one line per step. */

/** How wide a text is, in Latin letters: those of East Asian scripts are twice as wide. */
export const letters = (text: string): number => text.length + (text.match(/[\u2e80-\u9fff\uac00-\ud7af\uff00-\uff60]/g)?.length ?? 0);

/** A cell's full name: `vfio_pci_irq_ctx(ctx[0]).masked`. */
export const cellName = ({ component, name }: Cell): string => `${component.struct}(${component.name}).${name}`;

/** What the title of a thread or a part ends in, where it has a name or a number of its own. */
const NAME = /(?<=: )[\w-]+(?: \d+)?$|\d+$|(?<=\()[^()]*(?=\)$)/;

/** The title of a thread, or of a part of a topology, for people: `vCPU 0`, `kworker (events)`. */
export function titleText(title: string): string {
  const whole = t(title);
  return whole === title ? t(title.replace(NAME, '{0}'), NAME.exec(title)?.[0] ?? '') : whole;
}

/** A thread's title for people. */
export const threadTitle = ({ title }: Pick<ThreadInfo, 'title'>): string => titleText(title);

/** A parameter and its value, for people: `Posted interrupts: off`. */
export const settingText = (spec: ParameterSpec, value: unknown): string => `${t(spec.title)}: ${valueTitle(spec, value)}`;

function valueTitle(spec: ParameterSpec, value: unknown): string {
  switch (spec.kind) {
    case 'boolean':
      return value === true ? t('on') : t('off');
    case 'choice':
      return t(spec.choices.find((choice) => choice.value === value)?.title ?? String(value));
    case 'number':
      return String(value);
  }
}

/** A stimulus of a flow, for people. */
export const stimulusTitle = ({ stimuli }: Flow, name: string): string =>
  t(stimuli.find((stimulus) => stimulus.name === name)?.title ?? name);

/** What brought a step about, for people: `function pointer`. */
export const edgeTitle = (kind: EdgeKind): string => t(kind);

/** A cell's value in a run, as people read it. */
export const valueText = (run: FlowRun, cell: Cell, value: number): string =>
  formatValue(cell.type, value, (id) => run.components[id]?.name ?? `#${id}`);

/** What a write changed, in words: `false → true`. */
export function changeText(run: FlowRun, write: Write): string {
  const cell = run.cells[write.cell]!;
  return `${valueText(run, cell, write.old)} → ${valueText(run, cell, write.new)}`;
}

/** A write in words: `vfio_pci_irq_ctx(ctx[0]).masked: false → true`. */
export const writeText = (run: FlowRun, write: Write): string => `${cellName(run.cells[write.cell]!)}: ${changeText(run, write)}`;

/** The writes of a step, decoded. */
export function writesOf({ journal }: FlowRun, n: number): Write[] {
  const [first, end] = journal.writesOf(n);
  return Array.from({ length: end - first }, (_, index) => journal.write(first + index));
}

const ERRNO = new Map([
  [-11, '-EWOULDBLOCK'],
  [-16, '-EBUSY'],
  [-22, '-EINVAL'],
  [-25, '-ENOTTY'],
]);

/** What a function returned, in words: an error by its name. */
export const resultText = ({ result }: Step): string | undefined =>
  result === undefined ? undefined : (ERRNO.get(result) ?? String(result));

/** The whole run as an indented call chain, one thread after the other as they ran, with what each step changed. */
export function* chainText(run: FlowRun): Generator<string> {
  let thread = NO_STEP;
  const chapters = new Map(chapterSteps(run).map(({ chapter, step }) => [step, chapter.title]));
  for (let n = 0; n < run.journal.length; n++) {
    const step = run.journal.step(n);
    const chapter = chapters.get(n);
    if (chapter !== undefined) yield `\n§ ${t(chapter)}`;
    if (step.thread !== thread) {
      thread = step.thread;
      const cause = step.cause === NO_STEP ? '' : `  (${t('from step {0}', step.cause)})`;
      yield '';
      yield `── ${threadTitle(run.threads[thread]!)}${cause}`;
    }
    const line = stepText(run, step);
    if (line !== undefined) yield line;
  }
  yield '';
  yield t('{0} steps; {1}', run.journal.length, endingText(run));
}

/** Why a run ended, in words that follow where it did. */
export function endingText({ ending }: FlowRun): string {
  switch (ending.kind) {
    case 'idle':
      return t('every context waits.');
    case 'time':
      return t('after {0} ms only timers are left.', ending.milliseconds);
    case 'limit':
      return t('stops at the limit: the models were still going, as in an interrupt storm.');
    case 'fault':
      return t('stops where a model could not go on from what was set by hand: {0}.', ending.problem);
  }
}

function stepText(run: FlowRun, step: Step): string | undefined {
  const indent = '  '.repeat(step.depth + (step.kind === 'enter' ? 0 : 1));
  const number = String(step.n).padStart(5);
  const changes = writesOf(run, step.n).map((write) => writeText(run, write));
  const note = step.site.note === undefined ? '' : `  — ${t(step.site.note)}`;
  switch (step.kind) {
    case 'enter': {
      const edge = step.edge === 'call' || step.edge === 'root' ? '' : `  [${edgeTitle(step.edge)}]`;
      return `${number} ${indent}${step.site.fn.name}()${edge}`;
    }
    case 'at':
    case 'signal': {
      const what = step.kind === 'signal' ? `${step.site.anchor?.token} ⇒ ${edgeTitle(step.edge)}` : (step.site.anchor?.token ?? '');
      return `${number} ${indent}· ${what}${changes.length > 0 ? `  ${changes.join(', ')}` : ''}${note}`;
    }
    case 'return': {
      const result = resultText(step);
      return result === undefined || !result.startsWith('-') ? undefined : `${number} ${indent}= ${result}`;
    }
  }
}
