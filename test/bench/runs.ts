import { requireFlow } from '../../src/flows/catalogue';
import { defaults, simulate, type FlowRun, type Inputs } from '../../src/flows/flow';

/** Runs of chosen lengths: of a flow that does the same for each of its device's interrupts. */

const flow = requireFlow('vfio-intx');

const inputs = (interrupts: number): Inputs => ({ parameters: { ...defaults(flow), interrupts }, stimuli: [], seed: 0 });

const lengthOf = (interrupts: number): number => simulate(flow, inputs(interrupts)).journal.length;

/** Makes a run of about `steps` steps. `recording`: whether it keeps a journal. */
export function runOf(steps: number, recording = true): FlowRun {
  perInterrupt ??= (lengthOf(110) - lengthOf(10)) / 100;
  return simulate(flow, inputs(Math.max(1, Math.round((steps - lengthOf(0)) / perInterrupt))), recording);
}

let perInterrupt: number | undefined;
