import { t } from '@vscode/l10n';
import { requireFlow } from '../../flows/catalogue';
import { presetInputs, resolveParameters, type Flow, type FlowRun, type FlowStimuli, type Inputs } from '../../flows/flow';
import { ArgumentError, optionalFlag, optionalRecord, optionalText, records, text, whole, type Attributes } from './attributes';

/** What a launch configuration asks for. */
export interface Launch {
  readonly flow: Flow;
  readonly inputs: Inputs;
  readonly stopOnEntry: boolean;
}

/**
 * Reads a launch configuration. Attributes that are not ours are passed over: clients add their own.
 * @throws ArgumentError or ParameterError naming what is wrong and what would be right
 */
export function readLaunch(args: Attributes): Launch {
  const flow = requireFlow(text(args, 'flow'));
  const preset = optionalText(args, 'preset');
  const basis: Inputs = preset === undefined ? { parameters: {}, stimuli: [], seed: 0 } : presetInputs(flow, preset);
  const parameters = resolveParameters(flow, { ...basis.parameters, ...optionalRecord(args, 'parameters') });
  const stimuli = args['stimuli'] === undefined ? basis.stimuli : readStimuli(flow, records(args, 'stimuli'));
  return { flow, inputs: { parameters, stimuli, seed: basis.seed }, stopOnEntry: optionalFlag(args, 'stopOnEntry') ?? true };
}

function readStimuli(flow: Flow, given: readonly Attributes[]): FlowStimuli {
  return given.map((item) => {
    const name = text(item, 'name');
    if (!flow.stimuli.some((stimulus) => stimulus.name === name))
      throw new ArgumentError(
        t('flow {0} has no stimulus "{1}"; it has {2}', flow.id, name, flow.stimuli.map((stimulus) => stimulus.name).join(', ')),
      );
    return { at: whole(item, 'at'), name };
  });
}

/** Whether a run is the very one that a launch asks for. */
export function isRunOf({ flow, inputs }: Launch, run: FlowRun): boolean {
  const { parameters, stimuli, seed, edits } = run.inputs;
  return run.flow === flow && !edits?.length && JSON.stringify({ parameters, stimuli, seed }) === JSON.stringify(inputs);
}
