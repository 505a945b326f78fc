import type { Cursor } from '../engine/timeline';
import { stateDifferences, type Comparison } from '../flows/compare';
import { contextKind } from '../flows/contexts';
import type { FlowRun } from '../flows/flow';
import type { Session } from '../flows/session';
import { threadTitle } from '../flows/text';
import type { ComparisonView, StateComparisonView } from '../webview/protocol';
import { lanesOf, stepColumns } from './stepViews';

/** What the panel gets to see of a comparison. */

/** Two runs, lined up: `a` of the comparison is the session's, `b` the one beside it. */
export interface Pair {
  /** Which run stands beside. */
  readonly title: string;
  readonly run: FlowRun;
  readonly comparison: Comparison;
  /** A cursor in the run beside, which is moved. */
  readonly cursor: Cursor;
}

/** So many differences in state are told: more mean that the runs have little to do with each other. */
const TOLD_DIFFERENCES = 500;

/** The run beside, and where both differ. */
export function comparisonView({ title, run, comparison }: Pair): ComparisonView {
  const { differences, writesOtherwise } = comparison;
  return {
    title,
    lanes: lanesOf(run).threads.map((thread, index) => ({ index, title: threadTitle(thread), context: contextKind(thread.context) })),
    steps: stepColumns(run),
    differences: Uint32Array.from(differences.flatMap(({ a, b }) => [...a, ...b])),
    otherwise: Uint32Array.from(writesOtherwise),
  };
}

/** What differs in state where a session stands. */
export function stateComparisonView(
  { run, cursor, position }: Pick<Session, 'run' | 'cursor' | 'position'>,
  { comparison, cursor: other }: Pair,
): StateComparisonView {
  const { step, same } = comparison.inB(position);
  other.seek(step);
  const found = stateDifferences(run!, cursor!, comparison.b, other);
  return {
    step: position,
    other: step,
    same,
    count: found.length,
    cells: found.slice(0, TOLD_DIFFERENCES).map(({ struct, instance, name, a, b }) => ({
      name: `${struct}(${instance}).${name}`,
      ...(a ? { a: a.value } : {}),
      ...(b ? { b: b.value } : {}),
    })),
  };
}
