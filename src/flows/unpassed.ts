import { allFunctions, referenceOf, type FnInfo } from '../engine/fn';
import type { Claims, Reference, SourceEdge } from '../engine/reference';
import { siteKey } from './sites';
import committed from './unpassed.json';

/**
 * The modelled functions that no case passes: branches that these machines have no reason to take, and what only recordings of real
 * controllers enter. Who reaches them is read from the models' own source.
 */

export interface Unpassed {
  /** By `functionKey`, as all here. */
  readonly fn: string;
  /** The modelled functions that call it. */
  readonly callers: readonly string[];
  /** The tables and functions that hold its address. */
  readonly storedIn: readonly string[];
}

/** Made by `npm run cases`. */
export const UNPASSED: readonly Unpassed[] = committed;

/** A list of them as it is committed: one in a line. */
export const printUnpassed = (all: readonly Unpassed[]): string => `[\n${all.map((each) => `  ${JSON.stringify(each)}`).join(',\n')}\n]\n`;

/** What the models claim of source where no run does: that each function is there, and that its callers call it. */
export function claimsOfUnpassed(): Claims {
  const references = new Map<string, Reference>(
    allFunctions().flatMap((fn: FnInfo) => {
      const reference = referenceOf(fn);
      return reference === undefined ? [] : [[siteKey(fn, undefined), reference] as const];
    }),
  );
  const edges = UNPASSED.flatMap(({ fn, callers }) =>
    callers.flatMap((from): readonly SourceEdge[] => {
      const [caller, callee] = [references.get(from), references.get(fn)];
      return caller === undefined || callee === undefined ? [] : [{ kind: 'direct', caller, callee: callee.symbol }];
    }),
  );
  return { references: UNPASSED.flatMap(({ fn }) => references.get(fn) ?? []), edges };
}
