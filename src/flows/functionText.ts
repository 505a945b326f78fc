import { t } from '@vscode/l10n';
import type { Case } from './cases';
import { otherwise, type Flow, type FlowRun } from './flow';
import { passagesOf, type Edge, type KnownFunction } from './functions';
import { plain } from './markdown';
import { settingText, stimulusTitle } from './text';

/** What is known of functions, in words. */

/**
 * The flows that pass some functions, each with the steps that it makes there: of the run that is explored its own, of another flow those of
 * its first case.
 */
export function passing(functions: readonly KnownFunction[], run: FlowRun | undefined): ReadonlyMap<Flow, number> {
  const flows = new Map<Flow, number>();
  for (const { fn, visits } of functions) {
    const own = run && passagesOf(run).get(fn)?.steps;
    const first = new Map<Flow, number>(run && own !== undefined ? [[run.flow, own]] : []);
    for (const { of, steps } of visits) if (!first.has(of.flow)) first.set(of.flow, steps);
    for (const [flow, steps] of first) flows.set(flow, (flows.get(flow) ?? 0) + steps);
  }
  return flows;
}

/** `3 flows pass here · 12 steps` */
export function passingText(flows: ReadonlyMap<Flow, number>): string {
  if (flows.size === 0) return t('Modelled · no run at hand comes here');
  const steps = [...flows.values()].reduce((sum, each) => sum + each, 0);
  return `${flows.size === 1 ? t('1 flow passes here') : t('{0} flows pass here', flows.size)} · ${stepsText(steps)}`;
}

/** `1 step`, `12 steps` */
export const stepsText = (steps: number): string => (steps === 1 ? t('1 step') : t('{0} steps', steps));

/** A case by its flow's title, and what sets it apart: `Message-signalled interrupts · Interrupt type: MSI`. */
export function caseText({ flow, preset, inputs: { parameters, stimuli } }: Case): string {
  if (preset !== undefined) return `${t(flow.title)}: ${t(preset.title)}`;
  const settings = otherwise(flow, parameters).map((spec) => settingText(spec, parameters[spec.name]));
  const happening = new Set(stimuli.map(({ name }) => stimulusTitle(flow, name)));
  return [t(flow.title), ...settings, ...happening].join(' · ');
}

/** Threads that an edge tells of; there may be many more. */
const MOST_THREADS = 2;

/** What carries an edge and where it leads: `call`, `eventfd · host hard-IRQ`, into another thread `msi ⇒ guest CPU`. */
export function edgeText({ kind, handsOver, threads }: Edge): string {
  if (kind === 'call') return t(kind);
  const shown = threads.slice(0, MOST_THREADS).map((title) => t(title));
  const more = threads.length > MOST_THREADS ? ', …' : '';
  return `${t(kind)} ${handsOver ? '⇒' : '·'} ${shown.join(', ')}${more}`;
}

/** Of a long list, so many are told. */
const MOST_LISTED = 6;

/** What a function does in the flows, as Markdown: what it is for, what leads to it and from it, and which state it writes. */
export function aboutFunction({ fn, writes, callers, callees, storedIn }: KnownFunction): string {
  const parts = [
    `**\`${fn.name}\`** · ${plain(fn.home.path)}`,
    plain(t(fn.does)),
    ...(callers.length > 0 ? [t('Comes from {0}', listText(callers.map((edge) => linkText(edge, edge.from.name))))] : []),
    ...(storedIn.length > 0 ? [t('Registered in {0}', listText(storedIn.map((symbol) => `\`${symbol}\``)))] : []),
    ...(callees.some(isTelling)
      ? [t('Leads to {0}', listText(callees.filter(isTelling).map((edge) => linkText(edge, edge.to.name))))]
      : []),
    ...(writes.length > 0 ? [t('Writes {0}', listText(writes.map((field) => `\`${field}\``)))] : []),
  ];
  return parts.join('\n\n');
}

/** A plain call can be read in the body. */
const isTelling = ({ kind }: Edge): boolean => kind !== 'call';

function listText(items: readonly string[]): string {
  const distinct = [...new Set(items)];
  const listed = distinct.slice(0, MOST_LISTED).join(', ');
  return distinct.length > MOST_LISTED ? t('{0} and {1} more', listed, distinct.length - MOST_LISTED) : listed;
}

function linkText({ kind, handsOver, registration, threads }: Edge, name: string): string {
  if (kind === 'call') return `\`${name}\``;
  const where = handsOver ? ` ⇒ ${plain(t(threads[0] ?? ''))}` : '';
  const stored = registration === undefined ? '' : `, ${t('registered in {0}', `\`${registration.symbol}\``)}`;
  return `\`${name}\` (${t(kind)}${where}${stored})`;
}
