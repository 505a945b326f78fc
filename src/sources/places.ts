import type { Formerly, Reference } from '../engine/reference';
import { compareVersions } from './versions';

/** Where a reference's symbol may stand in a tree. */
export interface Place {
  readonly path: string;
  readonly symbol: string;
  readonly how: 'here' | 'formerly';
}

/**
 * The places to look at for a reference, in this order: the one that holds for the version, today's, the other
 * former ones, oldest first (a tree may carry backports). There are no others: nothing is guessed.
 */
export function placesOf(reference: Reference, version: string): readonly Place[] {
  const today: Place = { path: reference.path, symbol: reference.symbol, how: 'here' };
  const former = (reference.formerly ?? []).map((entry) => formerPlace(reference, entry));
  const holding = formerlyIn(reference.formerly, version);
  const expected = holding ? [formerPlace(reference, holding)] : [];
  const places = [...expected, today, ...former];
  return places.filter((place, i) => places.findIndex((other) => isSame(place, other)) === i);
}

/** A symbol's spelling in a version. */
export function spelledIn(symbol: string, formerly: readonly Formerly[] | undefined, version: string): string {
  return formerlyIn(formerly, version)?.symbol ?? symbol;
}

function formerlyIn(formerly: readonly Formerly[] | undefined, version: string): Formerly | undefined {
  return formerly?.find(({ until }) => compareVersions(version, until) < 0);
}

function formerPlace({ path, symbol }: Reference, former: Formerly): Place {
  return { path: former.path ?? path, symbol: former.symbol ?? symbol, how: 'formerly' };
}

function isSame(a: Place, b: Place): boolean {
  return a.path === b.path && a.symbol === b.symbol;
}
