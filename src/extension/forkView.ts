import type { FlowRun, Inputs, ParameterSpec } from '../flows/flow';
import { cellsNamed } from '../flows/names';
import type { Base } from '../flows/session';
import { endingText, settingText, stimulusTitle, valueText } from '../flows/text';
import type { ForkView } from '../webview/protocol';

/** What a fork is to those who look at it: what was changed, and up to where it is the run that it came from. */
export function forkView(run: FlowRun, base: Base): ForkView {
  const { stimuli, edits = [] } = run.inputs;
  const past = base.run.inputs;
  const isNew = <T extends { readonly at: number }>(of: readonly T[]) => {
    const known = new Set(of.map((each) => JSON.stringify(each)));
    return (each: T): boolean => !known.has(JSON.stringify(each));
  };
  const stopsShort = run.ending.kind === 'fault' || run.ending.kind === 'limit';
  return {
    ...(base.step < 0 ? {} : { step: base.step }),
    ...(stopsShort ? { ending: endingText(run) } : {}),
    changes: [
      ...run.flow.parameters.flatMap((spec) => parameterChange(spec, run.inputs, past)),
      ...stimuli.filter(isNew(past.stimuli)).map(({ name }) => stimulusTitle(run.flow, name)),
      ...edits.filter(isNew(past.edits ?? [])).map(({ cell, value }) => `${cell} = ${cellValue(run, cell, value)}`),
    ],
  };
}

function parameterChange(spec: ParameterSpec, now: Inputs, past: Inputs): readonly string[] {
  const value = now.parameters[spec.name];
  if (value === past.parameters[spec.name]) return [];
  return [settingText(spec, value)];
}

function cellValue(run: FlowRun, name: string, value: number): string {
  const cell = run.cells[cellsNamed(run, name)[0] ?? -1];
  return cell ? valueText(run, cell, value) : String(value);
}
