import { CATALOGUE } from './catalogue';
import { namedCases, type FurtherCase } from './cases';
import { otherwise, simulate, type Flow, type FlowRun, type Inputs } from './flow';
import { functionKey, passagesOf } from './functions';
import { everyRun } from './places';

/** Which cases there must be besides those that have a name, so that every function that some run passes is known. */

/** A run that passes functions which named cases do not. */
interface Candidate {
  readonly flow: Flow;
  readonly inputs: Inputs;
  readonly steps: number;
  /** By `functionKey`. */
  readonly passes: ReadonlySet<string>;
}

/**
 * Chooses the further cases: for each function that no named case passes the simplest way to it, and of these ways none that the others make needless.
 * Makes every run that `everyRun` knows, which takes a while.
 */
export function furtherCases(flows: readonly Flow[] = CATALOGUE): readonly FurtherCase[] {
  const known = new Set([...namedCases(flows)].flatMap(({ flow, inputs }) => [...tried(flow, inputs).passes]));
  const ways = shortestWays(flows, known);
  const simple = [...ways].map(([key, candidate]) => simplest(candidate, key));
  const chosen = needed(simple, new Set(ways.keys()));
  return chosen.toSorted((a, b) => flows.indexOf(a.flow) - flows.indexOf(b.flow)).map(asCommitted);
}

/** A list of further cases as it is committed: one in a line. */
export const printCases = (cases: readonly FurtherCase[]): string =>
  `[\n${cases.map((each) => `  ${JSON.stringify(each)}`).join(',\n')}\n]\n`;

/** For each function that is not known, the shortest run that passes it. */
function shortestWays(flows: readonly Flow[], known: ReadonlySet<string>): ReadonlyMap<string, Candidate> {
  const ways = new Map<string, Candidate>();
  for (const flow of flows)
    for (const run of everyRun(flow, {})) {
      const candidate = candidateOf(run);
      for (const key of candidate.passes)
        if (!known.has(key) && candidate.steps < (ways.get(key)?.steps ?? Infinity)) ways.set(key, candidate);
    }
  return ways;
}

/** The same way with all that it does not need taken away: stimuli, and parameters that are not as by default. */
function simplest(candidate: Candidate, key: string): Candidate {
  for (const inputs of simplerInputs(candidate)) {
    const simpler = tried(candidate.flow, inputs);
    if (simpler.passes.has(key)) return simplest(simpler, key);
  }
  return candidate;
}

function* simplerInputs({ flow, inputs }: Candidate): Generator<Inputs> {
  const { parameters, stimuli } = inputs;
  for (const one of stimuli) yield { ...inputs, stimuli: stimuli.filter((other) => other !== one) };
  for (const { name, default: usual } of otherwise(flow, parameters)) yield { ...inputs, parameters: { ...parameters, [name]: usual } };
}

/** The candidates without those whose functions the others pass as well; the longest go first. */
function needed(candidates: readonly Candidate[], wanted: ReadonlySet<string>): readonly Candidate[] {
  let kept = candidates.toSorted((a, b) => a.steps - b.steps);
  for (const one of kept.toReversed()) {
    const others = kept.filter((other) => other !== one);
    const isNeeded = [...one.passes].some((key) => wanted.has(key) && !others.some(({ passes }) => passes.has(key)));
    if (!isNeeded) kept = others;
  }
  return kept;
}

const tried = (flow: Flow, inputs: Inputs): Candidate => candidateOf(simulate(flow, inputs));

const candidateOf = (run: FlowRun): Candidate => ({
  flow: run.flow,
  inputs: run.inputs,
  steps: run.journal.length,
  passes: new Set([...passagesOf(run).keys()].map(functionKey)),
});

const asCommitted = ({ flow, inputs: { parameters, stimuli } }: Candidate): FurtherCase => ({
  flow: flow.id,
  parameters: Object.fromEntries(otherwise(flow, parameters).map(({ name }) => [name, parameters[name]])),
  stimuli,
});
