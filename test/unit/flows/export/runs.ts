import { CATALOGUE } from '../../../../src/flows/catalogue';
import { chapterSteps, presetInputs, resolveParameters, simulate, type FlowRun } from '../../../../src/flows/flow';
import { chapterRange, stepsBetween, wholeRun, type StepRange } from '../../../../src/flows/export/range';

/** Runs to export: every flow as it is by default, and with the stimuli of its presets. */
export const RUNS: readonly FlowRun[] = CATALOGUE.flatMap((flow) => [
  simulate(flow, { parameters: resolveParameters(flow, {}), stimuli: [], seed: 0 }),
  ...flow.presets
    .filter(({ stimuli }) => stimuli !== undefined)
    .slice(0, 2)
    .map(({ id }) => simulate(flow, presetInputs(flow, id))),
]);

export const nameOf = ({ flow, inputs }: FlowRun): string => `${flow.id} with ${inputs.stimuli.length} stimuli`;

/** Parts of a run: all, each chapter, and some that begin and end anywhere, or nowhere. */
export function rangesOf(run: FlowRun): readonly StepRange[] {
  const { length } = run.journal;
  return [
    wholeRun(run),
    ...chapterSteps(run).map(({ chapter }) => chapterRange(run, chapter.title)),
    ...[0.1, 0.37, 0.5, 0.81].map((at) => stepsBetween(run, Math.floor(length * at), Math.floor(length * at) + 150)),
    stepsBetween(run, length - 1, length + 100),
    stepsBetween(run, 7, 3),
  ];
}
