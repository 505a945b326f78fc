import type { Parameters } from '../engine/machine';
import { resolveParameters, simulate, type Flow, type FlowRun } from '../flows/flow';
import { deviations, valuesOf } from '../flows/places';
import { align, type Alignment, type Way } from './align';

/** Which run of a flow a recording shows: nobody who records writes down what the flow calls its parameters. */

export interface Fit {
  readonly parameters: Parameters;
  readonly alignment: Alignment;
}

/**
 * Lines a flow up with a recording: `given` parameters stay as they are, each of the other switches and choices gets
 * the value that fits best. Stimuli may have happened at any time.
 * @throws ParameterError for a parameter that the flow has not
 */
export function alignBest(flow: Flow, given: Readonly<Record<string, unknown>>, lines: () => Iterable<string>): Fit {
  const start = resolveParameters(flow, given);
  const others = [...deviations(flow, start)];
  const known = new Map<string, Fit>();
  const fit = (parameters: Parameters): Fit => {
    const key = JSON.stringify(parameters);
    const found = known.get(key) ?? { parameters, alignment: align(waysOf(flow, parameters, false), others, lines, ENOUGH_TO_CHOOSE) };
    known.set(key, found);
    return found;
  };
  // A preset is a situation that several parameters make together, which is not found one by one.
  const starts = [start, ...flow.presets.map(({ parameters }) => resolveParameters(flow, { ...parameters, ...given }))].map(fit);
  let [best] = starts as [Fit, ...Fit[]];
  for (const each of starts.toSorted((a, b) => compare(b.alignment, a.alignment)).slice(0, STARTS)) {
    if (best.alignment.score === 1) break;
    const top = climb(flow, given, each, fit);
    if (compare(top.alignment, best.alignment) > 0) best = top;
  }
  return { parameters: best.parameters, alignment: align(waysOf(flow, best.parameters, true), others, lines) };
}

/** Changes one parameter at a time for the better, and again, since which value of one fits may depend on another. */
function climb(flow: Flow, given: Readonly<Record<string, unknown>>, start: Fit, fit: (parameters: Parameters) => Fit): Fit {
  let best = start;
  for (let before: Fit | undefined; before !== best;) {
    before = best;
    for (const spec of flow.parameters) {
      if (spec.name in given) continue;
      for (const value of valuesOf(spec)) {
        const other = fit({ ...best.parameters, [spec.name]: value });
        if (compare(other.alignment, best.alignment) > 0) best = other;
      }
    }
  }
  return best;
}

/** From so many situations the best is looked for. */
const STARTS = 3;

/** Entries of a recording by which runs are told apart. */
const ENOUGH_TO_CHOOSE = 4_000;

/** Positive if `a` fits better. */
const compare = (a: Alignment, b: Alignment): number => a.score - b.score || a.matched - b.matched;

/** A run, and what the stimuli bring about when all has come to rest, one after the other and, if `each`, alone too. */
function waysOf(flow: Flow, parameters: Parameters, each: boolean): readonly Way[] {
  const run = (names: readonly string[], at: number): FlowRun =>
    simulate(flow, { parameters, stimuli: names.map((name, index) => ({ at: at + index, name })), seed: 0 });
  const plain = run([], 0);
  const { length } = plain.journal;
  const names = flow.stimuli.map(({ name }) => name);
  const after = (chosen: readonly string[]): Way => ({ run: run(chosen, length), from: length });
  return [{ run: plain, from: 0 }, ...(each ? names.map((name) => after([name])) : []), ...(names.length > 0 ? [after(names)] : [])];
}
