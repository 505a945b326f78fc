import { STEP_KINDS, type StepColumns, type StepKind, type StepView } from './protocol';

/** Steps read from their columns. Whoever looks at many reads the columns themselves. */

/** The kinds of steps as columns hold them. */
export const KIND: Readonly<Record<StepKind, number>> = {
  enter: STEP_KINDS.indexOf('enter'),
  at: STEP_KINDS.indexOf('at'),
  return: STEP_KINDS.indexOf('return'),
  signal: STEP_KINDS.indexOf('signal'),
};

/** Step `n`, or undefined if there is none. */
export function stepAt(steps: StepColumns, n: number): StepView | undefined {
  const site = steps.siteTable[steps.sites[n] ?? -1];
  if (site === undefined) return undefined;
  const { symbol, anchor, world } = site;
  const edge = steps.edges[n] ?? 0;
  const cause = steps.causes[n] ?? -1;
  return {
    n,
    kind: STEP_KINDS[steps.kinds[n] ?? 0] ?? 'enter',
    lane: steps.lanes[n] ?? 0,
    depth: steps.depths[n] ?? 0,
    symbol,
    ...(anchor === undefined ? {} : { anchor }),
    ...(edge === 0 ? {} : { edge: steps.edgeTable[edge] ?? '' }),
    ...(cause < 0 ? {} : { cause }),
    world,
    writes: steps.writes[n] === 1,
  };
}
