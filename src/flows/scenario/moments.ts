import { t } from '@vscode/l10n';
import { functionsNamed, type FnInfo } from '../../engine/fn';
import { anchorKey, type Anchor } from '../../engine/reference';
import { anchorsIn } from '../anchors';
import type { FlowRun } from '../flow';
import { standing, type Place as Site } from '../sites';
import type { Moment, Place } from './format';

/**
 * Steps by what happens there: a function, an identifier in it, and which of the times. A step that enters a function stands in two places,
 * the function and the call in its caller, and has both names.
 */

/** The step of a run that a moment is, or undefined if this run does not come there. Without an occurrence, the first. */
export function stepOf(run: FlowRun, moment: Moment): number | undefined {
  if ('step' in moment) return moment.step < run.journal.length ? moment.step : undefined;
  let left = moment.occurrence ?? 1;
  for (const step of stepsAt(run, moment)) if (--left === 0) return step;
  return undefined;
}

/** The steps of a run that stand at a place, in their order. */
export function* stepsAt(run: FlowRun, place: Place): Generator<number> {
  const { at, places } = standing(run);
  const meant = places.map((sites) => sites.some((site) => isAt(site, place)));
  if (!meant.includes(true)) return;
  for (let step = 0; step < at.length; step++) if (meant[at[step]!]) yield step;
}

/** Whether a step of a run is the moment; without an occurrence, each that stands there. */
export function isMoment(run: FlowRun, step: number, moment: Moment): boolean {
  if ('step' in moment) return moment.step === step;
  const { at, places } = standing(run);
  if (!(places[at[step] ?? 0] ?? []).some((site) => isAt(site, moment))) return false;
  return moment.occurrence === undefined || stepOf(run, moment) === step;
}

/** Of the places that a step stands on the one that a moment names there; undefined for a return, where nothing stands. */
export function siteOf(run: FlowRun, step: number, moment: Moment): Site | undefined {
  const { at, places } = standing(run);
  const sites = places[at[step] ?? 0] ?? [];
  return 'step' in moment ? sites[0] : sites.find((site) => isAt(site, moment));
}

/** What a step of a run is called: only a return, where nothing stands, goes by its number. */
export function momentOf(run: FlowRun, step: number): Moment {
  const place = placeOf(run, step);
  if (place === undefined) return { step };
  let occurrence = 0;
  for (const each of stepsAt(run, place)) {
    occurrence++;
    if (each >= step) break;
  }
  return occurrence === 1 ? place : { ...place, occurrence };
}

/** The place in source that a step of a run stands on, as notes name it; undefined for a return. */
export function placeOf(run: FlowRun, step: number): Place | undefined {
  const { at, places } = standing(run);
  const [site] = places[at[step] ?? 0] ?? [];
  if (site === undefined) return undefined;
  const { fn, anchor } = site;
  const file = homesOf(fn.name).length > 1 ? { file: fn.home.path } : {};
  if (anchor === undefined) return { function: fn.name, ...file };
  // An identifier that the function has steps on in several ways goes by its key.
  const keys = new Set(
    places.flat().flatMap((each) => (each.fn === fn && each.anchor?.token === anchor.token ? [anchorKey(each.anchor)] : [])),
  );
  return { function: fn.name, ...file, anchor: keys.size > 1 ? anchorKey(anchor) : anchor.token };
}

/** The files that have a function of a name. */
const homesOf = (name: string): readonly string[] => [...new Set(functionsNamed(name).map(({ home }) => home.path))];

/** What of a place is wrong whatever the run, and which of its properties says it. */
export interface PlaceProblem {
  readonly property: 'function' | 'file' | 'anchor' | 'occurrence' | 'step';
  readonly message: string;
}

/** What is wrong with a place for itself: a function that no flow knows, or several of the name. */
export function problemOfPlace({ function: name, file }: Place): PlaceProblem | undefined {
  const homes = homesOf(name);
  if (homes.length === 0) return { property: 'function', message: t('no flow knows a function “{0}”', name) };
  if (file === undefined)
    return homes.length === 1
      ? undefined
      : { property: 'function', message: t('{0} is in several files: say “file”, one of {1}', name, homes.join(', ')) };
  return homes.includes(file)
    ? undefined
    : { property: 'file', message: t('{0} is not in {1}: expected {2}', name, file, homes.join(t(' or '))) };
}

/** What is wrong with a moment in a run that does not come there; undefined if it does. */
export function problemOfMoment(run: FlowRun, moment: Moment): PlaceProblem | undefined {
  if ('step' in moment) {
    const last = run.journal.length - 1;
    return moment.step <= last
      ? undefined
      : { property: 'step', message: t('this run has no step {0}: expected at most {1}', moment.step, last) };
  }
  const known = problemOfPlace(moment) ?? problemOfAnchor(run, moment);
  if (known !== undefined || stepOf(run, moment) !== undefined) return known;
  return absence(run, moment);
}

/** What is wrong with a place’s anchor: no step of this run stands on it, and none of any other that is known. */
export function problemOfAnchor(run: FlowRun, place: Place): PlaceProblem | undefined {
  const { function: name, file, anchor } = place;
  if (anchor === undefined || !stepsAt(run, place).next().done) return undefined;
  const known = anchorsIn(name, file);
  if (known.some((each) => isNamed(each, anchor))) return undefined;
  const tokens = new Set(known.map(({ token }) => token));
  return {
    property: 'anchor',
    message: t('no step stands on “{0}” in {1}: expected {2}', anchor, name, [...tokens].join(', ') || t('no anchor')),
  };
}

/** Why a run does not come to a moment: it does not enter the function, never stands on the identifier, or not so often. */
function absence(run: FlowRun, moment: Place & { readonly occurrence?: number | undefined }): PlaceProblem {
  const { function: name, file, anchor, occurrence } = moment;
  const times = [...stepsAt(run, moment)].length;
  if (times > 0)
    return {
      property: 'occurrence',
      message: t('this run comes here only {0}×: expected at most {0}, not {1}', times, occurrence ?? 1),
    };
  const tokens = new Set(
    standing(run)
      .places.flat()
      .flatMap((site) => (isIn(site.fn, name, file) && site.anchor !== undefined ? [site.anchor.token] : [])),
  );
  if (anchor === undefined || ![...stepsAt(run, { function: name, file })].length)
    return { property: 'function', message: t('this run does not come to {0}', name) };
  return {
    property: 'anchor',
    message: t('this run does not stand on “{0}” in {1}: expected {2}', anchor, name, [...tokens].join(', ') || t('no anchor')),
  };
}

const isIn = ({ name, home }: FnInfo, wanted: string, file: string | undefined): boolean =>
  name === wanted && (file === undefined || home.path === file);

/** A place in words: `irqfd_wakeup › schedule_work`. */
export const placeText = ({ function: name, anchor }: Place): string => (anchor === undefined ? name : `${name} › ${anchor}`);

/** Whether a site is the place that is named. */
export function isAt({ fn, anchor }: Pick<Site, 'fn' | 'anchor'>, place: Place): boolean {
  if (!isIn(fn, place.function, place.file)) return false;
  if (anchor === undefined || place.anchor === undefined) return anchor === undefined && place.anchor === undefined;
  return isNamed(anchor, place.anchor);
}

/** A place names an anchor by its identifier, or by its whole key where that is not enough. */
const isNamed = (anchor: Anchor, name: string): boolean => anchor.token === name || anchorKey(anchor) === name;
