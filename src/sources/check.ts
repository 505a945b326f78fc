import { t } from '@vscode/l10n';
import {
  describeReference,
  type Claims,
  type DirectEdge,
  type IndirectEdge,
  type Project,
  type Reference,
  type SourceEdge,
} from '../engine/reference';
import type { Confidence } from './history';
import { whyThere } from './remark';
import { isAbsent, type Resolution, type Resolver } from './resolver';
import type { Tree } from './tree';

export interface CheckFailure {
  readonly kind: 'reference' | 'direct' | 'indirect';
  readonly place: string;
  readonly expected: string;
  readonly message: string;
  readonly spot: Spot;
}

/** A place in a tree, as near as there is one. Lines count from 1. */
export interface Spot {
  readonly project: Project;
  readonly path: string;
  readonly line?: number;
}

/**
 * What upstream has changed about a reference: it stands in another file, under another name, or it is not in this version. A function's
 * changes are told once, not again for each identifier in it.
 */
export interface Drift {
  readonly kind: 'moved' | 'renamed' | 'absent';
  readonly place: string;
  readonly message: string;
  readonly spot: Spot;
}

/** What one tree says to the claims. An edge counts for its caller's project; that a pointer is stored elsewhere is held against the trees of that project. */
export interface CheckReport {
  readonly project: Project;
  readonly version: string;
  /** `absent`: not in this version, as upstream's history says; what stands for it was found, if anything does. */
  readonly references: { readonly total: number; readonly resolved: number; readonly absent: number };
  readonly edges: {
    readonly direct: { readonly total: number; readonly confirmed: number; readonly absent: number };
    /** `skipped`: the registration stands in a project whose tree was not given. */
    readonly indirect: { readonly total: number; readonly confirmed: number; readonly absent: number; readonly skipped: number };
  };
  /** `inferred`: no tree of this version was checked when the facts of upstream's history were written. */
  readonly confidence: Confidence;
  readonly drift: readonly Drift[];
  /** What is gone: neither found nor known to be absent. */
  readonly failures: readonly CheckFailure[];
}

type Verdict = { readonly kind: 'confirmed' | 'absent' | 'skipped' } | { readonly kind: 'failed'; readonly failure: CheckFailure };

const CONFIRMED: Verdict = { kind: 'confirmed' };
const ABSENT: Verdict = { kind: 'absent' };

/**
 * Holds claims against the trees at hand, of a project as many as there are, and gives one report per tree, in their order. The same reference
 * or edge counts once, however often it is claimed; claims about projects without a tree are left out.
 */
export function checkSources(resolvers: readonly Resolver[], claims: Claims): Promise<readonly CheckReport[]> {
  const references = distinct(claims.references);
  const edges = distinct(claims.edges);
  return Promise.all(resolvers.map((resolver) => checkTree(resolver, resolvers, { references, edges })));
}

async function checkTree(resolver: Resolver, resolvers: readonly Resolver[], claims: Claims): Promise<CheckReport> {
  const { project, version } = resolver.tree;
  const references = claims.references.filter((reference) => reference.project === project);
  const edges = claims.edges.filter(({ caller }) => caller.project === project);

  const resolutions = await Promise.all(references.map((reference) => resolver.resolve(reference)));
  const resolved = references.map((reference, index) => ({ reference, resolution: resolutions[index]! }));
  const found = resolved.map((each) => verdictOn(each, 'reference', expectedOf(each.reference)));
  const direct = await Promise.all(edges.filter(isDirect).map((edge) => checkDirect(resolver, edge)));
  const indirect = await Promise.all(edges.filter(isIndirect).map((edge) => checkIndirect(resolver, resolvers, edge)));
  const registered = await Promise.all(
    claims.edges
      .filter(isIndirect)
      .filter((edge) => isRegisteredFor(edge, project))
      .map((edge) => checkRegistration(resolver, edge)),
  );

  return {
    project,
    version,
    references: { total: found.length, resolved: count(found, 'confirmed'), absent: count(found, 'absent') },
    edges: {
      direct: { total: direct.length, confirmed: count(direct, 'confirmed'), absent: count(direct, 'absent') },
      indirect: {
        total: indirect.length,
        confirmed: count(indirect, 'confirmed'),
        absent: count(indirect, 'absent'),
        skipped: count(indirect, 'skipped'),
      },
    },
    confidence: resolutions.some((each) => each.kind === 'found' && each.confidence === 'inferred') ? 'inferred' : 'checked',
    drift: driftOf(resolver.tree, resolved),
    failures: [...found, ...direct, ...indirect, ...registered].flatMap(failureOf),
  };
}

interface Resolved {
  readonly reference: Reference;
  readonly resolution: Resolution;
}

const expectedOf = ({ symbol, anchor }: Reference): string =>
  anchor ? t('{0} in {1}', anchor.token, symbol) : t('a definition of {0}', symbol);

function driftOf(tree: Tree, resolved: readonly Resolved[]): readonly Drift[] {
  const drift = resolved.flatMap(({ reference, resolution }) => changeOf(reference, tree, resolution) ?? []);
  const symbols = new Map(drift.filter(({ of }) => of.anchor === undefined).map((each) => [describeReference(each.of), each]));
  const isOfSymbol = ({ of, kind }: Change): boolean =>
    of.anchor !== undefined && symbols.get(describeReference(withoutAnchor(of)))?.kind === kind;
  return distinct(drift.filter((change) => !isOfSymbol(change)).map(({ of, ...change }) => ({ ...change, place: describeReference(of) })));
}

type Change = Omit<Drift, 'place'> & { readonly of: Reference };

/** What upstream has changed about a reference. That a function moved or has another name is a change of the function, whatever is meant in it. */
function changeOf(reference: Reference, tree: Tree, resolution: Resolution): Change | undefined {
  const spot = spotOf(tree.project, resolution);
  if (resolution.kind === 'missing')
    return resolution.reason === 'not-in-version' ? { kind: 'absent', of: reference, message: resolution.message, spot } : undefined;
  const message = whyThere(reference, tree, resolution);
  if (message === undefined) return undefined;
  if (resolution.standing.kind === 'stand-in') return { kind: 'absent', of: reference, message, spot };
  if (resolution.standing.kind === 'elsewhere') return { kind: 'moved', of: reference, message, spot };
  const { path, definitionLine } = resolution;
  const ofSymbol = { of: withoutAnchor(reference), message, spot: { project: tree.project, path, line: definitionLine + 1 } };
  if (path !== reference.path) return { kind: 'moved', ...ofSymbol };
  if (resolution.symbol !== reference.symbol) return { kind: 'renamed', ...ofSymbol };
  return { kind: 'renamed', of: reference, message, spot };
}

const withoutAnchor = ({ project, path, symbol }: Reference): Reference => ({ project, path, symbol });

function spotOf(project: Project, resolution: Resolution): Spot {
  const line = resolution.kind === 'found' ? resolution.line : resolution.definitionLine;
  return { project, path: resolution.path, ...(line === undefined ? {} : { line: line + 1 }) };
}

function checkDirect(resolver: Resolver, { caller, callee, via }: DirectEdge): Promise<Verdict> {
  const called = via ?? callee;
  const expected = via === undefined ? t('a call of {0}', called) : t('a call of {0}, which leads to {1}', called, callee);
  return confirm(resolver, { ...caller, anchor: { token: called, as: 'call' } }, 'direct', expected);
}

async function checkIndirect(resolver: Resolver, resolvers: readonly Resolver[], edge: IndirectEdge): Promise<Verdict> {
  const { caller, dispatch, callee, registration } = edge;
  const dispatching: Reference = { ...caller, anchor: { token: dispatch, as: 'name' } };
  const dispatched = await confirm(resolver, dispatching, 'indirect', t('{0}, which leads to {1}', dispatch, callee.symbol));
  if (dispatched.kind !== 'confirmed') return dispatched;
  const { project } = registration.reference;
  if (project === resolver.tree.project) return checkRegistration(resolver, edge);
  return resolvers.some(({ tree }) => tree.project === project) ? CONFIRMED : { kind: 'skipped' };
}

function checkRegistration(resolver: Resolver, { dispatch, registration: { reference, token } }: IndirectEdge): Promise<Verdict> {
  const registering: Reference = { ...reference, anchor: { token, as: 'name' } };
  return confirm(resolver, registering, 'indirect', t('{0}, which {1} then leads to', token, dispatch));
}

async function confirm(resolver: Resolver, reference: Reference, kind: CheckFailure['kind'], expected: string): Promise<Verdict> {
  return verdictOn({ reference, resolution: await resolver.resolve(reference) }, kind, expected);
}

function verdictOn({ reference, resolution }: Resolved, kind: CheckFailure['kind'], expected: string): Verdict {
  if (isAbsent(resolution)) return ABSENT;
  if (resolution.kind === 'found') return CONFIRMED;
  const { message } = resolution;
  const spot = spotOf(reference.project, resolution);
  return { kind: 'failed', failure: { kind, place: describeReference(reference), expected, message, spot } };
}

function failureOf(verdict: Verdict): readonly CheckFailure[] {
  return verdict.kind === 'failed' ? [verdict.failure] : [];
}

function isDirect(edge: SourceEdge): edge is DirectEdge {
  return edge.kind === 'direct';
}

function isIndirect(edge: SourceEdge): edge is IndirectEdge {
  return edge.kind === 'indirect';
}

/** What is stored in one project's source and called from another's. */
const isRegisteredFor = ({ caller, registration }: IndirectEdge, project: Project): boolean =>
  caller.project !== project && registration.reference.project === project;

function count(verdicts: readonly Verdict[], kind: Verdict['kind']): number {
  return verdicts.filter((verdict) => verdict.kind === kind).length;
}

/** Without the repetitions; two claims are the same if they say the same, in whatever order their fields stand. */
function distinct<T>(claims: readonly T[]): readonly T[] {
  return [...new Map(claims.map((claim) => [canonical(claim), claim])).values()];
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!(value instanceof Object)) return JSON.stringify(value) ?? '';
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields
    .map(([name, field]) => `${name}:${canonical(field)}`)
    .toSorted()
    .join()}}`;
}
