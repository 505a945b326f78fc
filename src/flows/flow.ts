import { t } from '@vscode/l10n';
import { NO_STEP } from '../engine/journal';
import { createMachine, type MachineOptions, type Parameters, type Run as Coroutine, type Stimulus } from '../engine/machine';
import type { Project } from '../engine/reference';
import { finished, type Run } from '../engine/timeline';
import { intervention, type Edit } from './edits';
import type { Topology } from './topology';

/** What a flow is: a topology, parameters that the models branch on, stimuli, and chapters of prose. */

/** A parameter: what it may be and what it is unless the reader says otherwise. */
export type ParameterSpec = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
} & (
  | { readonly kind: 'boolean'; readonly default: boolean }
  | { readonly kind: 'choice'; readonly default: string; readonly choices: readonly { readonly value: string; readonly title: string }[] }
  | { readonly kind: 'number'; readonly default: number; readonly minimum: number; readonly maximum: number }
);

/** Something that may happen to the machine from outside, at any step. `W` is the flow's topology. */
export interface StimulusSpec<W> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The thread that it happens on. */
  readonly thread: string;
  readonly body: (world: W) => Coroutine<unknown>;
}

/** A part of a flow. It begins where `starts` is first entered after the previous one began. */
export interface Chapter {
  readonly title: string;
  readonly prose: string;
  readonly starts: string;
}

/** A case worth seeing: inputs that lead to it, and what to look at. A real defect of the hardware's or upstream's is told this way. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  /** What goes wrong (or right), why, and where in the run to look. */
  readonly prose: string;
  /** Values of parameters; the others are as by default. */
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly stimuli?: FlowStimuli;
}

/** A name that older texts use for something that has another name, or another form, today. */
export interface HistoricalName {
  readonly name: string;
  readonly project: Project;
  /** Where it was: a version and, if known, a file. */
  readonly was: string;
  /** The functions that do its work today, as the models name them. */
  readonly today: readonly string[];
  /** Since when, and what became of it. */
  readonly since: string;
}

/** Stimuli by name, each with the step before which it happens. */
export type FlowStimuli = readonly { readonly at: number; readonly name: string }[];

/** A catalogue entry. */
export interface Flow<W = unknown> {
  readonly id: string;
  /** The system of the catalogue that it belongs to. */
  readonly system: string;
  readonly title: string;
  readonly summary: string;
  readonly parameters: readonly ParameterSpec[];
  readonly stimuli: readonly StimulusSpec<W>[];
  readonly chapters: readonly Chapter[];
  readonly presets: readonly Preset[];
  readonly historical: readonly HistoricalName[];
  /** Simulated milliseconds that a run takes at most: afterwards only timers that re-arm themselves would go on. */
  readonly duration: (parameters: Parameters) => number;
  /** The parts and wires that a picture of it shows. */
  readonly topology: Topology;
  /** Builds the topology in the running machine. */
  readonly setUp: (parameters: Parameters) => W;
}

/** Hides the topology's type, which only the flow itself needs. */
export const flow = <W>(definition: Flow<W>): Flow => definition as unknown as Flow;

/** Everything that determines a run. */
export interface Inputs {
  readonly parameters: Parameters;
  readonly stimuli: FlowStimuli;
  /** What the reader set by hand. */
  readonly edits?: readonly Edit[];
  readonly seed: number;
}

/** A run of a flow with what determined it. */
export interface FlowRun extends Run {
  readonly flow: Flow;
  readonly inputs: Inputs;
}

export const STEP_LIMIT = 2_000_000;

/** The parameters of a flow as they are by default. */
export const defaults = ({ parameters }: Flow): Parameters => Object.fromEntries(parameters.map((spec) => [spec.name, spec.default]));

/** The parameters that have another value than by default. */
export const otherwise = (of: Flow, values: Parameters): readonly ParameterSpec[] =>
  of.parameters.filter((spec) => values[spec.name] !== spec.default);

/** A parameter's value that was not understood: which one, what was given, and what is expected. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/**
 * Completes given values with the defaults.
 * @throws ParameterError for an unknown name or a value out of range, naming both and what would be right
 */
export function resolveParameters(of: Flow, given: Readonly<Record<string, unknown>>): Parameters {
  const unknown = Object.keys(given).find((name) => !of.parameters.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw new ParameterError(
      t('flow {0} has no parameter "{1}"; it has {2}', of.id, unknown, of.parameters.map(({ name }) => name).join(', ')),
    );
  }
  return Object.fromEntries(
    of.parameters.map((spec) => [spec.name, spec.name in given ? readValue(spec, given[spec.name]) : spec.default]),
  );
}

function readValue(spec: ParameterSpec, value: unknown): string | number | boolean {
  const refuse = (expected: string): never => {
    throw new ParameterError(t('parameter {0} is {1}, expected {2}', spec.name, JSON.stringify(value), expected));
  };
  switch (spec.kind) {
    case 'boolean':
      if (value === true || value === 'true' || value === 'on') return true;
      if (value === false || value === 'false' || value === 'off') return false;
      return refuse(t('on or off'));
    case 'choice':
      return (
        spec.choices.find((choice) => choice.value === String(value))?.value ??
        refuse(t('one of {0}', spec.choices.map((choice) => choice.value).join(', ')))
      );
    case 'number': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      const fits = typeof number === 'number' && Number.isInteger(number) && number >= spec.minimum && number <= spec.maximum;
      return fits ? number : refuse(t('a whole number from {0} to {1}', spec.minimum, spec.maximum));
    }
  }
}

/**
 * The inputs of a flow's preset.
 * @throws ParameterError if there is no such preset, naming those that are
 */
export function presetInputs(of: Flow, id: string): Inputs {
  const preset = of.presets.find((candidate) => candidate.id === id);
  if (preset === undefined)
    throw new ParameterError(
      of.presets.length === 0
        ? t('flow {0} has no preset "{1}"; it has none', of.id, id)
        : t('flow {0} has no preset "{1}"; it has {2}', of.id, id, of.presets.map((one) => one.id).join(', ')),
    );
  return { parameters: resolveParameters(of, preset.parameters), stimuli: preset.stimuli ?? [], seed: 0 };
}

/** The preset that a run shows: the one with the same inputs. */
export function presetOf({ flow: of, inputs }: FlowRun): Preset | undefined {
  const same = (a: Inputs, b: Inputs): boolean =>
    of.parameters.every(({ name }) => a.parameters[name] === b.parameters[name]) &&
    a.stimuli.length === b.stimuli.length &&
    a.stimuli.every(({ at, name }, index) => at === b.stimuli[index]?.at && name === b.stimuli[index].name);
  if ((inputs.edits ?? []).length > 0) return undefined;
  return of.presets.find(({ id }) => same(presetInputs(of, id), inputs));
}

/** A run in the making. */
export interface Simulation {
  readonly flow: Flow;
  readonly inputs: Inputs;
  /** The steps made so far. */
  readonly steps: number;
  /** How far it has come, from 0 to 1, measured by the time or the steps that it may take: it may end long before. */
  readonly progress: number;
  /**
   * Goes on for about so many steps.
   * @returns the run, once it has ended
   */
  proceed(steps: number): FlowRun | undefined;
}

/**
 * Runs a flow: a pure function of the flow and its inputs.
 * @throws ParameterError for a stimulus, EditError for an edit, that this flow or run does not have
 */
export const simulate = (of: Flow, inputs: Inputs, recording = true): FlowRun => begin(of, inputs, recording).proceed(Infinity)!;

/** How a run ends that comes to rest, or to its limit, before step `at`; undefined if it has more steps by then. */
export function endedBefore(of: Flow, inputs: Inputs, at: number): (Pick<FlowRun, 'ending'> & { readonly steps: number }) | undefined {
  const simulation = begin(of, inputs, false);
  const run = simulation.proceed(at + 1);
  return run !== undefined && simulation.steps < at ? { ending: run.ending, steps: simulation.steps } : undefined;
}

/**
 * Makes ready what `simulate` does at once, to be done in slices of any length.
 * @param onEnter hears of every call as it is made
 * @throws ParameterError for a stimulus that this flow does not have; `proceed` throws EditError for an edit
 */
export function begin(of: Flow, inputs: Inputs, recording = true, onEnter?: MachineOptions['onEnter']): Simulation {
  let world: unknown;
  const stimuli: Stimulus[] = inputs.stimuli.map(({ at, name }) => {
    const spec = of.stimuli.find((stimulus) => stimulus.name === name);
    if (spec === undefined)
      throw new ParameterError(
        t('flow {0} has no stimulus "{1}"; it has {2}', of.id, name, of.stimuli.map((stimulus) => stimulus.name).join(', ')),
      );
    return { at, thread: spec.thread, body: () => spec.body(world) };
  });
  const { parameters, seed, edits = [] } = inputs;
  const interventions = edits.map(intervention);
  const timeLimit = of.duration(parameters);
  const machine = createMachine(
    { parameters, stimuli, interventions, seed, stepLimit: STEP_LIMIT, timeLimit, recording, ...(onEnter ? { onEnter } : {}) },
    () => {
      world = of.setUp(parameters);
    },
  );
  return {
    flow: of,
    inputs,
    get steps() {
      return machine.steps;
    },
    get progress() {
      return Math.min(1, Math.max(machine.steps / STEP_LIMIT, machine.now / timeLimit));
    },
    proceed(steps) {
      const ending = machine.runFor(steps);
      return ending && { ...finished(machine, ending), flow: of, inputs };
    },
  };
}

/** A chapter and the step of a run at which it begins. */
export interface ChapterStart {
  readonly chapter: Chapter;
  readonly step: number;
}

/** The step at which each chapter of a run begins; a chapter that this run does not reach is left out. */
export function chapterSteps({ flow: { chapters }, journal }: FlowRun): readonly ChapterStart[] {
  const entries = new Map(chapters.map(({ starts }) => [starts, [] as number[]]));
  const entriesOf = journal.sites.map(({ fn, anchor }) => (anchor === undefined ? entries.get(fn.name) : undefined));
  for (let n = 0; n < journal.length; n++) if (journal.kind(n) === 'enter') entriesOf[journal.siteId(n)]?.push(n);
  let last = NO_STEP;
  return chapters.flatMap((chapter) => {
    const step = entries.get(chapter.starts)?.find((entry) => entry > last);
    if (step === undefined) return [];
    last = step;
    return [{ chapter, step }];
  });
}
