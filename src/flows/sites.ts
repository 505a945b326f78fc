import { referenceOf, type FnInfo } from '../engine/fn';
import { NO_STEP } from '../engine/journal';
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
  /** Undefined for what has no source: hardware, the guest's driver. */
  readonly reference: Reference | undefined;
}

/** What tells a place from all others: the same in every run. */
export const siteKey = ({ name, home }: FnInfo, anchor: Anchor | undefined): string =>
  `${home.world}:${home.path} ${name}${anchor === undefined ? '' : ` ${anchorKey(anchor)}`}`;

/** Every place that some step of a run stands on, once. */
export function sitesOf(run: Run): readonly Place[] {
  const placesAt = standing(run);
  const places = new Map<string, Place>();
  for (let step = 0; step < run.journal.length; step++) for (const place of placesAt(step)) places.set(place.key, place);
  return [...places.values()];
}

/** Reads a run's steps: the places that each stands on. Equal places of steps are equal objects. */
export function standing({ journal }: Run): (step: number) => readonly Place[] {
  const known = new Map<number, readonly Place[]>();
  const place = (fn: FnInfo, anchor: Anchor | undefined): Place => ({
    key: siteKey(fn, anchor),
    fn,
    anchor,
    reference: referenceOf(fn, anchor),
  });
  return (step) => {
    const caller = journal.kind(step) === 'enter' ? journal.parent(step) : NO_STEP;
    const site = journal.siteId(step);
    const { length } = journal.sites;
    const id = caller === NO_STEP ? site : (journal.linkId(step) * length + journal.siteId(caller) + 1) * length + site;
    let places = known.get(id);
    if (places === undefined) {
      const { fn, anchor } = journal.sites[site]!;
      const call = caller === NO_STEP ? undefined : callAnchor(journal.step(step));
      places = [place(fn, anchor), ...(call === undefined ? [] : [place(journal.sites[journal.siteId(caller)]!.fn, call)])];
      known.set(id, places);
    }
    return places;
  };
}
