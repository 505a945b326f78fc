import { locate, referenceOf, type FnInfo, type Link } from '../engine/fn';
import { NO_STEP, type Site, type Step } from '../engine/journal';
import { describeReference, referenceKey, type Anchor, type Claims, type Reference, type SourceEdge } from '../engine/reference';
import type { Parameters } from '../engine/machine';
import type { Run } from '../engine/timeline';
import { presetInputs, simulate, type Flow, type FlowRun, type ParameterSpec } from './flow';

/** Where a flow's steps stand in source, and how they hang together there. */

/** The reference of a step: its function, and the identifier in it that it stands on. */
export const referenceOfStep = (step: Step): Reference | undefined => referenceOf(step.site.fn, step.site.anchor);

/** The identifier in the caller that reached a function: the call, the wrapper that stands in its place, or the pointer's name. */
export function callAnchor({ link, site }: Step): Anchor | undefined {
  if (link === undefined) return undefined;
  const token = link.token ?? (link.kind === 'call' ? site.fn.name : undefined);
  if (token === undefined) return undefined;
  return { token, as: link.kind === 'call' ? 'call' : 'name', ...(link.after === undefined ? {} : { after: link.after }) };
}

/** The reference of the place in a frame's function from which `callee` was reached. */
function callSite(run: Run, callee: Step): Reference | undefined {
  if (callee.parent === NO_STEP) return undefined;
  const caller = run.journal.step(callee.parent).site.fn;
  // Hardware and the guest's driver are not called in source: the caller as such is the place.
  return referenceOf(callee.site.fn) === undefined ? referenceOf(caller) : referenceOf(caller, callAnchor(callee));
}

/** What runs claim of source, each claim once, as they come in. */
export interface ClaimCollection extends Claims {
  add(run: Run): void;
}

/** The claims of some runs. */
export function claimsOf(runs: Iterable<Run>): Claims {
  const claims = collectClaims();
  for (const run of runs) claims.add(run);
  return claims;
}

/** Begins without any claim. */
export function collectClaims(): ClaimCollection {
  const references = new Map<string, Reference>();
  const edges = new Map<string, SourceEdge>();
  const claim = (reference: Reference | undefined): void => {
    if (reference) references.set(referenceKey(reference), reference);
  };
  return {
    get references() {
      return [...references.values()];
    },
    get edges() {
      return [...edges.values()];
    },
    add(run) {
      // Most steps of a run say again what an earlier one has said, by the very same objects.
      const sites = new Set<Site>();
      const calls = new Map<FnInfo, Map<FnInfo, Set<Link | undefined>>>();
      for (let n = 0; n < run.journal.length; n++) {
        const step = run.journal.step(n);
        if (step.kind === 'return') continue;
        if (!sites.has(step.site)) claim(referenceOfStep(step));
        sites.add(step.site);
        if (step.kind !== 'enter' || step.parent === NO_STEP || !isNew(calls, run.journal.step(step.parent).site.fn, step)) continue;
        claim(callSite(run, step));
        const edge = edgeOf(run, step);
        if (edge) edges.set(edgeKey(edge), edge);
      }
    },
  };
}

/** Whether a call is the first of its kind, which is noted. */
function isNew(calls: Map<FnInfo, Map<FnInfo, Set<Link | undefined>>>, caller: FnInfo, { site, link }: Step): boolean {
  const callees = calls.get(caller) ?? new Map<FnInfo, Set<Link | undefined>>();
  calls.set(caller, callees);
  const links = callees.get(site.fn) ?? new Set();
  callees.set(site.fn, links);
  return !links.has(link) && links.add(link) !== undefined;
}

function edgeOf(run: Run, step: Step): SourceEdge | undefined {
  const caller = referenceOf(run.journal.step(step.parent).site.fn);
  const callee = referenceOf(step.site.fn);
  const { link } = step;
  if (!caller || !callee || !link) return undefined;
  if (link.kind === 'call') return { kind: 'direct', caller, callee: callee.symbol, ...(link.token ? { via: link.token } : {}) };
  const stored = link.registration && locate(link.registration);
  if (!stored || link.token === undefined) return undefined;
  return { kind: 'indirect', caller, dispatch: link.token, callee, registration: { reference: stored, token: callee.symbol } };
}

function edgeKey(edge: SourceEdge): string {
  const caller = describeReference(edge.caller);
  return edge.kind === 'direct'
    ? `${caller} ${edge.via ?? ''} ${edge.callee}`
    : `${caller} ${edge.dispatch} ${describeReference(edge.callee)} ${describeReference(edge.registration.reference)}`;
}

/** A parameter's name and the values that it is tried with. */
interface Axis {
  readonly name: string;
  readonly values: readonly (string | number | boolean)[];
}

/** Up to so many combinations of parameters are tried one by one; of more, every pair of values is tried together somewhere. */
const ALL_COMBINATIONS = 256;

/** The combinations of a flow's switches and choices that are worth a run; numbers stay as they are. */
export function combinations(flow: Flow, fixed: Readonly<Record<string, string>>): readonly Parameters[] {
  const axes = flow.parameters.map((spec): Axis => {
    const given = fixed[spec.name];
    return { name: spec.name, values: given === undefined ? valuesOf(spec) : [given] };
  });
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  return count <= ALL_COMBINATIONS ? everyCombination(axes) : everyPair(axes);
}

const everyCombination = (axes: readonly Axis[]): readonly Parameters[] =>
  axes.reduce<Parameters[]>((all, { name, values }) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))), [{}]);

/** Combinations in which every two values of two parameters meet: each is begun by a pair not yet seen and completed greedily. */
function everyPair(axes: readonly Axis[]): readonly Parameters[] {
  const key = (a: number, i: number, b: number, j: number): string => (a < b ? `${a}.${i} ${b}.${j}` : `${b}.${j} ${a}.${i}`);
  const missing = new Set<string>();
  for (const [a, { values }] of axes.entries())
    for (let b = a + 1; b < axes.length; b++)
      for (const i of values.keys()) for (const j of axes[b]!.values.keys()) missing.add(key(a, i, b, j));
  const found: Parameters[] = [];
  for (const first of missing) {
    const chosen = new Map(first.split(' ').map((part) => part.split('.').map(Number) as [number, number]));
    for (const [a, { values }] of axes.entries()) {
      if (chosen.has(a)) continue;
      const gain = (i: number): number => [...chosen].filter(([b, j]) => missing.has(key(a, i, b, j))).length;
      chosen.set(
        a,
        [...values.keys()].reduce((best, i) => (gain(i) > gain(best) ? i : best), 0),
      );
    }
    for (const [a, i] of chosen) for (const [b, j] of chosen) if (a < b) missing.delete(key(a, i, b, j));
    found.push(Object.fromEntries(axes.map(({ name, values }, a) => [name, values[chosen.get(a)!]!])));
  }
  return found;
}

/** The values that a parameter is tried with. */
export function valuesOf(spec: ParameterSpec): readonly (string | number | boolean)[] {
  switch (spec.kind) {
    case 'boolean':
      return [true, false];
    case 'choice':
      return spec.choices.map(({ value }) => value);
    case 'number':
      return [spec.default];
  }
}

/** Runs a flow's presets, and with each of its switches and choices set otherwise than in `parameters`, one at a time. */
export function* deviations(flow: Flow, parameters: Parameters): Generator<FlowRun> {
  for (const { id } of flow.presets) yield simulate(flow, presetInputs(flow, id));
  for (const spec of flow.parameters) {
    for (const value of valuesOf(spec))
      if (value !== parameters[spec.name])
        yield simulate(flow, { parameters: { ...parameters, [spec.name]: value }, stimuli: [], seed: 0 });
  }
}

/** With so many combinations every stimulus is tried; with each further one, the next in turn. */
const WITH_EVERY_STIMULUS = 16;

/** Runs a flow's presets, and the combinations of its switches and choices, each by itself and with stimuli at several steps. */
export function* everyRun(flow: Flow, fixed: Readonly<Record<string, string>>): Generator<FlowRun> {
  for (const { id } of flow.presets) {
    const inputs = presetInputs(flow, id);
    if (Object.entries(fixed).every(([name, value]) => inputs.parameters[name] === value)) yield simulate(flow, inputs);
  }
  for (const [turn, parameters] of combinations(flow, fixed).entries()) {
    const plain = simulate(flow, { parameters, stimuli: [], seed: 0 });
    yield plain;
    const { length } = plain.journal;
    for (const [index, { name }] of flow.stimuli.entries()) {
      if (turn >= WITH_EVERY_STIMULUS && turn % flow.stimuli.length !== index) continue;
      const at = Math.floor((length * (index + 1)) / (flow.stimuli.length + 1));
      yield simulate(flow, {
        parameters,
        stimuli: [
          { at, name },
          { at: length, name },
        ],
        seed: 0,
      });
    }
  }
}
