import { passagesOf, type Edge, type KnownFunction, type Visit } from './functions';
import type { Flow, FlowRun } from './flow';
import { plain } from './markdown';

/** What is known of functions, in words. */

/** The flows that pass some functions, each with the steps that it makes there: of the run that is explored its own, of others those of their first case. */
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
  const steps = [...flows.values()].reduce((sum, count) => sum + count, 0);
  return `${flows.size === 1 ? '1 flow passes' : `${flows.size} flows pass`} here · ${stepsText(steps)}`;
}

/** `1 step`, `12 steps` */
export const stepsText = (steps: number): string => (steps === 1 ? '1 step' : `${steps} steps`);

/** What carries an edge, and where it leads: `eventfd · host hard-IRQ`. */
export function edgeText({ kind, handsOver, threads }: Edge): string {
  const shown = threads.length > MOST_THREADS ? [...threads.slice(0, MOST_THREADS), '…'] : threads;
  return `${kind}${handsOver ? ' ⇒ ' : ' · '}${shown.join(', ')}`;
}

const MOST_THREADS = 2;

/** A case by the flow’s title, and what sets it apart. */
export const caseText = ({ of }: Visit): string => (of.title === undefined ? of.flow.title : `${of.flow.title}: ${of.title}`);

/** How a hover ends what it cannot list whole. */
const MOST_LISTED = 6;

/** What a function does in the flows, as Markdown: what it is for, where it is reached from, where it leads and which state it writes. */
export function aboutFunction({ fn, writes, callers, callees }: KnownFunction): string {
  const listed = (title: string, items: readonly string[]): readonly string[] =>
    items.length === 0 ? [] : [`${title} ${items.slice(0, MOST_LISTED).join(', ')}${items.length > MOST_LISTED ? ` and ${items.length - MOST_LISTED} more` : ''}`];
  return [
    `**\`${fn.name}\`** · ${plain(fn.home.path)}`,
    plain(fn.does),
    ...listed('Comes from', callers.map((edge) => linkText(edge, edge.from.name))),
    ...listed('Goes to', callees.filter(isTelling).map((edge) => linkText(edge, edge.to.name))),
    ...listed('Writes', writes.map((field) => `\`${field}\``)),
  ].join('\n\n');
}

/** What a reader sees in the body anyway is not told: plain calls. */
const isTelling = ({ kind }: Edge): boolean => kind !== 'call';

function linkText({ kind, handsOver, registration, threads }: Edge, name: string): string {
  const where = handsOver ? ` on ${plain(threads[0] ?? '')}` : '';
  const stored = registration === undefined ? '' : `, registered in \`${registration.symbol}\``;
  return kind === 'call' ? `\`${name}\`` : `\`${name}\` (${kind}${where}${stored})`;
}
