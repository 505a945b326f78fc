import { PROJECTS, type Project } from '../engine/reference';
import { CATALOGUE } from './catalogue';
import committed from './furtherCases.json';
import { writePlace } from './export/link';
import { defaults, presetInputs, resolveParameters, type Flow, type FlowRun, type FlowStimuli, type Inputs, type Preset } from './flow';
import { valuesOf } from './places';

/** The runs that flows are known by: together they pass every function that any run passes. */

export interface Case {
  readonly flow: Flow;
  /** Undefined for what is no preset: the flow as it is by default, or otherwise. */
  readonly preset: Preset | undefined;
  readonly inputs: Inputs;
}

/** What is not as by default in a case that is known for the functions that no other case passes. */
export interface FurtherCase {
  /** The flow's id. */
  readonly flow: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly stimuli: FlowStimuli;
}

/** Chosen by `furtherCases`, which takes too long for an editor. */
const FURTHER: readonly FurtherCase[] = committed;

/** All cases: those that have a name, then those without which some functions would not be known. */
export function* casesOf(flows: readonly Flow[] = CATALOGUE): Generator<Case> {
  yield* namedCases(flows);
  for (const flow of flows)
    for (const { parameters, stimuli } of FURTHER.filter((further) => further.flow === flow.id))
      yield { flow, preset: undefined, inputs: { parameters: resolveParameters(flow, parameters), stimuli, seed: 0 } };
}

/** The flows as they are by default, then as other versions have them, then the presets. */
export function* namedCases(flows: readonly Flow[]): Generator<Case> {
  for (const flow of flows) yield { flow, preset: undefined, inputs: { parameters: defaults(flow), stimuli: [], seed: 0 } };
  for (const flow of flows) yield* otherVersions(flow);
  for (const flow of flows) for (const preset of flow.presets) yield { flow, preset, inputs: presetInputs(flow, preset.id) };
}

function* otherVersions(flow: Flow): Generator<Case> {
  const parameters = defaults(flow);
  for (const spec of flow.parameters) {
    if (!PROJECTS.includes(spec.name as Project)) continue;
    for (const value of valuesOf(spec))
      if (value !== spec.default)
        yield { flow, preset: undefined, inputs: { parameters: { ...parameters, [spec.name]: value }, stimuli: [], seed: 0 } };
  }
}

/** Whether a run is that of a case. */
export const isCase = ({ flow, inputs }: FlowRun, of: Case): boolean =>
  flow === of.flow && writePlace({ flow, inputs, step: 0 }) === writePlace({ flow, inputs: of.inputs, step: 0 });
