import { anchorKey, anchorOfKey, type Anchor, type Project, type Reference } from '../engine/reference';
import { acrn } from './history/acrn';
import { linux } from './history/linux';
import { qemu } from './history/qemu';
import { compareVersions } from './versions';

/**
 * What upstream's history says of the things that models name. Models name them as the newest version that is
 * modelled does; a fact says what holds for other versions. All facts are used in one place, `placesOf`.
 */
export interface History {
  /** The releases, oldest first, in whose trees the facts are checked. */
  readonly checked: readonly string[];
  /** Identifiers that have another name wherever they stand: macros, fields, functions that are not modelled. */
  readonly names: Readonly<Record<string, readonly Fact[]>>;
  /** By the path that models give; then by `*` for all that the file holds, a symbol, or a symbol and the key of an anchor in it. */
  readonly files: Readonly<Record<string, Readonly<Record<string, readonly Fact[]>>>>;
}

/** From `since` up to, but not including, `until`: what is named stands here. What is left out is as models say. Of several facts the first that holds counts. */
export interface Fact {
  readonly since?: string;
  readonly until?: string;
  readonly path?: string;
  readonly symbol?: string;
  /** The anchor's key, as `anchorKey` makes it. */
  readonly anchor?: string;
  /** There is no such thing in these versions: why, and what does its work. The place is then its stand-in's. */
  readonly absent?: string;
  /** There is no such thing in these versions, nor anything that does its work: why. There is no place then. */
  readonly nowhere?: string;
}

/** Where a reference may stand in a tree. */
export interface Place {
  readonly path: string;
  readonly symbol: string;
  readonly anchor: Anchor | undefined;
  readonly standing: Standing;
  readonly confidence: Confidence;
}

/**
 * `own`: as models name it. `other`: under another name or in another file. `elsewhere`: in another function, which did or does this part of the
 * work of its own. `stand-in`: it does not exist in this version; here its work is done. `nowhere`: it does not exist, and its work is not done.
 */
export type Standing =
  | { readonly kind: 'own' }
  | { readonly kind: 'other' }
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'stand-in'; readonly why: string }
  | { readonly kind: 'nowhere'; readonly why: string };

/** `checked`: it holds for the version, whose series was checked. `inferred`: no release of the series was, or only a neighbour has it. */
export type Confidence = 'checked' | 'inferred';

const HISTORIES: Readonly<Record<Project, History>> = { linux, qemu, acrn };

export const historyOf = (project: Project): History => HISTORIES[project];

/**
 * The places to look at for a reference in a version, the likeliest first. In a release that was checked only what
 * holds for it; else also what holds for its neighbours, since a boundary may lie elsewhere, or a stable series was given what is newer.
 * Nothing is guessed: every place is one of upstream's.
 */
export function placesOf(reference: Reference, tag: string, history = historyOf(reference.project)): readonly Place[] {
  // A candidate has all that its release has: what a release changes, it changes before its first candidate.
  const version = tag.replace(/-rc\d+.*/, '');
  const { checked } = history;
  const confidence = checked.some((release) => seriesOf(release) === seriesOf(version)) ? 'checked' : 'inferred';
  const holding = placesIn(reference, version, history).map((place): Place => ({ ...place, confidence }));
  if (checked.some((release) => compareVersions(release, version) === 0)) return holding;
  const others = neighbours(checked, version)
    .toReversed()
    .flatMap((release) => placesIn(reference, release, history));
  return distinct([...holding, ...others.map((place): Place => ({ ...place, confidence: 'inferred' }))]);
}

/**
 * The places to look at in a tree that says it is of a version. It may have functions that the version should not have yet: distributors give old
 * kernels what is new, and leave the version as it is. These are looked for by their own names first, except in releases that were checked.
 */
export function placesInTree(reference: Reference, tag: string, history = historyOf(reference.project)): readonly Place[] {
  const places = placesOf(reference, tag, history);
  return history.checked.includes(tag) ? places : distinct([...ahead(reference, tag, history), ...places]);
}

const distinct = (places: readonly Place[]): readonly Place[] =>
  places.filter((place, i) => places.findIndex((other) => isSame(place, other)) === i);

/** Every file that something named in `path` is in, in any version. */
export function pathsOf(project: Project, path: string): readonly string[] {
  const facts = Object.values(historyOf(project).files[path] ?? {}).flat();
  return [...new Set([path, ...facts.flatMap((fact) => fact.path ?? [])])];
}

type Candidate = Omit<Place, 'confidence'>;

/** Where a function stands that is not there yet in a version, nowhere if something else had its name. */
function ahead(reference: Reference, version: string, history: History): readonly Place[] {
  const { path, symbol, anchor } = reference;
  const fact = factIn(history, path, symbol, version);
  // Behind an old function of this name, or beside one that was in another file, stands something else.
  if (fact?.until === undefined || (fact.path !== undefined && absence(fact) === undefined)) return [];
  return wasAnothers(reference, version, history) ? [] : [{ path, symbol, anchor, standing: { kind: 'own' }, confidence: 'inferred' }];
}

/** Whether something else had this name in this file. */
const wasAnothers = ({ path, symbol }: Reference, version: string, { files }: History): boolean =>
  Object.entries(files).some(([home, facts]) =>
    Object.entries(facts).some(([key, all]) => {
      if (key === symbol || !all.some((fact) => fact.symbol === symbol && (fact.path ?? home) === path)) return false;
      return all.find((fact) => holds(fact, version))?.symbol === symbol;
    }),
  );

/** What holds for one version: one place, or for an identifier whose own history decides, those where it may stand. */
function placesIn(reference: Reference, version: string, history: History): readonly Candidate[] {
  const { path, symbol, anchor } = reference;
  const own = symbolIn(reference, version, history);
  if (anchor === undefined) return [own];
  const fact = factIn(history, path, `${symbol} ${anchorKey(anchor)}`, version);
  if (fact !== undefined) return [anchorIn(own, anchor, fact)];
  // The whole function is gone: all its steps stand where its work is done.
  if (own.standing.kind === 'stand-in' || own.standing.kind === 'nowhere') return [own];
  return byItsName({ ...own, anchor }, anchor, reference, version, history);
}

function symbolIn({ path, symbol }: Reference, version: string, history: History): Candidate {
  const moved = factIn(history, path, '*', version);
  const fact = factIn(history, path, symbol, version);
  const place = { path: fact?.path ?? moved?.path ?? path, symbol: fact?.symbol ?? symbol };
  const at = fact ?? moved;
  const standing = at && absence(at);
  if (standing !== undefined) return { ...place, symbol: at?.symbol ?? symbol, anchor: keyed(at?.anchor), standing };
  const isOwn = place.path === path && place.symbol === symbol;
  return { ...place, anchor: undefined, standing: { kind: isOwn ? 'own' : 'other' } };
}

function anchorIn(own: Candidate, anchor: Anchor, fact: Fact): Candidate {
  const place = { path: fact.path ?? own.path, symbol: fact.symbol ?? own.symbol };
  const standing = absence(fact);
  if (standing !== undefined) return { ...place, anchor: keyed(fact.anchor), standing };
  const present = { ...place, anchor: keyed(fact.anchor) ?? anchor };
  // The function is gone all the same: the fact only says where exactly this part of its work is done.
  if (own.standing.kind === 'stand-in') return { ...present, standing: own.standing };
  return { ...present, standing: { kind: place.symbol === own.symbol ? 'other' : 'elsewhere' } };
}

/** What a fact says is not there. */
function absence({ absent, nowhere }: Fact): Standing | undefined {
  if (nowhere !== undefined) return { kind: 'nowhere', why: nowhere };
  return absent === undefined ? undefined : { kind: 'stand-in', why: absent };
}

/** Where an identifier stands of which no fact speaks: what is true of its name is true of it here. */
function byItsName(own: Candidate, anchor: Anchor, { path }: Reference, version: string, history: History): readonly Candidate[] {
  const fact = nameIn(anchor.token, path, version, history);
  const after = anchor.after
    ?.split(' ')
    .map((word) => nameIn(word, path, version, history)?.symbol ?? word)
    .join(' ');
  const plain: Candidate = { ...own, anchor: { ...anchor, ...(after === undefined ? {} : { after }) } };
  if (fact === undefined) return [plain];
  const named = fact.symbol === undefined ? [] : [{ ...plain, anchor: { ...plain.anchor!, token: fact.symbol } }];
  const why = fact.absent ?? fact.nowhere;
  if (why === undefined) return [...named.map((place): Candidate => ({ ...place, standing: { kind: 'other' } })), plain];
  // What is called does not exist: this step stands where the caller does its work itself or reaches its stand-in, else on the caller as such.
  const standing: Standing = { kind: 'stand-in', why };
  const here = fact.symbol === own.symbol ? [{ ...own, anchor: keyed(fact.anchor) }] : named;
  return [plain, ...here.map((place) => ({ ...place, standing })), { ...own, anchor: undefined, standing }];
}

/** What holds of a name in a version: as said of the name itself, of the function of that name in the same file, or of the only one. */
function nameIn(name: string, path: string, version: string, history: History): Fact | undefined {
  const said = history.names[name]?.find((fact) => holds(fact, version));
  if (said !== undefined) return said;
  const here = factIn(history, path, name, version);
  if (here !== undefined) return here;
  const elsewhere = homesOf(history).get(name) ?? [];
  const [home] = elsewhere;
  return home !== undefined && elsewhere.length === 1 ? factIn(history, home, name, version) : undefined;
}

const homes = new WeakMap<History, ReadonlyMap<string, readonly string[]>>();

/** The files in which a history speaks of a symbol. */
function homesOf(history: History): ReadonlyMap<string, readonly string[]> {
  const known = homes.get(history);
  if (known !== undefined) return known;
  const made = new Map<string, string[]>();
  for (const [path, facts] of Object.entries(history.files))
    for (const key of Object.keys(facts)) if (key !== '*' && !key.includes(' ')) made.set(key, [...(made.get(key) ?? []), path]);
  homes.set(history, made);
  return made;
}

const factIn = (history: History, path: string, key: string, version: string): Fact | undefined =>
  history.files[path]?.[key]?.find((fact) => holds(fact, version));

const holds = ({ since, until }: Fact, version: string): boolean =>
  (since === undefined || compareVersions(version, since) >= 0) && (until === undefined || compareVersions(version, until) < 0);

const keyed = (key: string | undefined): Anchor | undefined => (key === undefined ? undefined : anchorOfKey(key));

/** 6.1.192 is of 6.1; what is still to become 6.1 is not. */
const seriesOf = (version: string): string => version.split('.', 2).join('.');

/** The checked releases that a version lies between, or the one that it lies beyond. */
export function neighbours(checked: readonly string[], version: string): readonly string[] {
  const below = checked.filter((one) => compareVersions(one, version) <= 0).at(-1);
  const above = checked.find((one) => compareVersions(one, version) > 0);
  return [below, above].filter((one) => one !== undefined);
}

const isSame = (a: Candidate, b: Candidate): boolean =>
  a.standing.kind === b.standing.kind &&
  a.path === b.path &&
  a.symbol === b.symbol &&
  (a.anchor && anchorKey(a.anchor)) === (b.anchor && anchorKey(b.anchor));
