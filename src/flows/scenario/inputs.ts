import { createCursor } from '../../engine/timeline';
import { cellToEdit, EditError, type Edit } from '../edits';
import { evaluate } from '../expressions';
import { begin, resolveParameters, type FlowRun, type Inputs, type Simulation } from '../flow';
import { cellsNamed } from '../names';
import { isProblem, type Problem } from '../syntax';
import type { Moment, ScenarioFile } from './format';
import { meaning, type JsonFile, type Mistake, type Path } from './json';
import { stepOf } from './moments';
import { mistakenMoment, type Scenario } from './scenario';

/**
 * What determines a scenario's run. What happens from outside is said by moments, and those lie in the run that everything before leads to: so
 * the earliest that is not yet placed is looked for in the run of those that are, one after the other.
 */

/** Inputs, or why there are none. */
export type ReadInputs =
  { readonly kind: 'inputs'; readonly inputs: Inputs } | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] };

/** So many steps of a run are made before others get a turn. */
const SLICE = 20_000;

/** Something that happens from outside, and where its scenario says so. */
type Event = { readonly path: Path; readonly after: Moment | undefined } & (
  | { readonly kind: 'stimulus'; readonly name: string }
  | { readonly kind: 'edit'; readonly cell: string; readonly value: number | boolean | string }
);

/** Finds the inputs of a scenario. Pauses where its runs take long, for others to have a turn. */
export function* inputsOf(scenario: Scenario): Generator<void, ReadInputs> {
  const { flow, content, file } = scenario;
  const { parameters = {}, seed = 0 } = content;
  let inputs: Inputs = { parameters: resolveParameters(flow, parameters), stimuli: [], seed };
  let waiting = eventsOf(content);
  while (waiting.length > 0) {
    const run = yield* simulated(begin(flow, inputs));
    const next = earliest(run, waiting);
    if (next === undefined) return { kind: 'malformed', mistakes: waiting.flatMap((event) => neverHappens(run, file, event)) };
    const { event, step } = next;
    switch (event.kind) {
      case 'stimulus':
        inputs = { ...inputs, stimuli: [...inputs.stimuli, { at: step + 1, name: event.name }] };
        break;
      case 'edit': {
        const edit = editOf(run, file, event, Math.min(step, run.journal.length - 1));
        if ('message' in edit) return { kind: 'malformed', mistakes: [edit] };
        inputs = { ...inputs, edits: [...(inputs.edits ?? []), edit] };
      }
    }
    waiting = waiting.filter((other) => other !== event);
  }
  return { kind: 'inputs', inputs };
}

function* simulated(simulation: Simulation): Generator<void, FlowRun> {
  for (;;) {
    const run = simulation.proceed(SLICE);
    if (run !== undefined) return run;
    yield;
  }
}

const eventsOf = ({ stimuli = [], edits = [] }: ScenarioFile): readonly Event[] => [
  ...stimuli.map(({ name, after }, index): Event => ({ kind: 'stimulus', path: ['stimuli', index], name, after })),
  ...edits.map(({ cell, value, after }, index): Event => ({ kind: 'edit', path: ['edits', index], cell, value, after })),
];

/**
 * What happens first of what is waiting, and the step after which; when nothing else does, what waits for the end. That is behind the last step:
 * a stimulus after it would not wait until the thread that made it rests, too.
 */
function earliest(run: FlowRun, waiting: readonly Event[]): { readonly event: Event; readonly step: number } | undefined {
  const placed = waiting.flatMap((event) => {
    const step = event.after && stepOf(run, event.after);
    return step === undefined ? [] : [{ event, step }];
  });
  const [first] = placed.toSorted((a, b) => a.step - b.step);
  if (first !== undefined) return first;
  const event = waiting.find(({ after }) => after === undefined);
  return event && { event, step: run.journal.length };
}

const neverHappens = (run: FlowRun, file: JsonFile, { path, after }: Event): readonly Mistake[] =>
  after === undefined ? [] : mistakenMoment(run, file, [...path, 'after'], after);

/** An edit of a run after a step, or what is wrong with its cell or its value there. */
function editOf(
  run: FlowRun,
  file: JsonFile,
  { path, cell, value: given }: Event & { readonly kind: 'edit' },
  step: number,
): Edit | Mistake {
  const value = typeof given === 'string' ? valueAt(run, step, given) : Number(given);
  if (typeof value !== 'number') return meaning(file, [...path, 'value'], value.problem, value.offset);
  try {
    cellToEdit(run, cell, value, step + 1);
    return { at: step + 1, cell, value };
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    return meaning(file, [...path, cellsNamed(run, cell).length > 0 ? 'value' : 'cell'], error.message);
  }
}

function valueAt(run: FlowRun, step: number, text: string): number | Problem {
  const cursor = createCursor(run);
  cursor.seek(step);
  const value = evaluate(run, cursor, text);
  return isProblem(value) ? value : value.value;
}
