import { referenceOf, type FnInfo } from '../engine/fn';
import { NO_STEP, type Journal } from '../engine/journal';
import { anchorKey, type Anchor, type Reference } from '../engine/reference';
import type { Run } from '../engine/timeline';
import { callAnchor } from './places';

/**
 * The places that a run's steps stand on. A step that enters a function stands on two: the function, and the call in its caller's source.
 */

/** A place, whether it has source or not. */
export interface Place {
  /** The same in every run. */
  readonly key: string;
  readonly fn: FnInfo;
  readonly anchor: Anchor | undefined;
  /** Undefined for what has no source: hardware, the guest's driver, and where they are called. */
  readonly reference: Reference | undefined;
}

/** What tells a place from all others: the same in every run. */
export const siteKey = ({ name, home }: FnInfo, anchor: Anchor | undefined): string =>
  `${home.world}:${home.path} ${name}${anchor === undefined ? '' : ` ${anchorKey(anchor)}`}`;

/** Every place that some step of a run stands on, once. */
export const sitesOf = (run: Run): readonly Place[] => [
  ...new Map(standing(run).places.flatMap((places) => places.map((place) => [place.key, place]))).values(),
];

/** Where all steps of a run stand. */
export interface Standing {
  /** By step, an index into `places`; 0 is nowhere, where returns are. */
  readonly at: Uint32Array;
  readonly places: readonly (readonly Place[])[];
}

const known = new WeakMap<Journal, Standing>();

/** Reads where a run's steps stand, each once, whoever asks how often. */
export function standing({ journal }: Run): Standing {
  const held = known.get(journal) ?? readStanding(journal);
  known.set(journal, held);
  return held;
}

function readStanding(journal: Journal): Standing {
  const { length } = journal.sites;
  const at = new Uint32Array(journal.length);
  const places: (readonly Place[])[] = [[]];
  /** By site, and for a function that is called, by its caller's site and the link besides. */
  const indexes = new Map<number, number>();
  for (let step = 0; step < journal.length; step++) {
    const kind = journal.kind(step);
    if (kind === 'return') continue;
    const caller = kind === 'enter' ? journal.parent(step) : NO_STEP;
    const site = journal.siteId(step);
    const id = caller === NO_STEP ? site : (journal.linkId(step) * length + journal.siteId(caller) + 1) * length + site;
    let index = indexes.get(id);
    if (index === undefined) indexes.set(id, (index = places.push(placesOf(journal, step, caller)) - 1));
    at[step] = index;
  }
  return { at, places };
}

function placesOf(journal: Journal, step: number, caller: number): readonly Place[] {
  const { fn, anchor } = journal.sites[journal.siteId(step)]!;
  const call = caller === NO_STEP ? undefined : callAnchor(journal.step(step));
  const own = placeOf(fn, anchor);
  if (call === undefined) return [own];
  const from = placeOf(journal.sites[journal.siteId(caller)]!.fn, call);
  return [own, own.reference === undefined ? { ...from, reference: undefined } : from];
}

const placeOf = (fn: FnInfo, anchor: Anchor | undefined): Place => ({
  key: siteKey(fn, anchor),
  fn,
  anchor,
  reference: referenceOf(fn, anchor),
});
