import { NO_STEP } from '../engine/journal';
import { createCursor, type Cursor } from '../engine/timeline';
import { cellToEdit, STEPS_TO_EDIT } from './edits';
import {
  begin,
  chapterSteps,
  defaults,
  resolveParameters,
  type ChapterStart,
  type Flow,
  type FlowRun,
  type Inputs,
  type Simulation,
} from './flow';
import { cellKey } from './names';
import { nextContext, stepIn, type Direction } from './navigate';
import { chaptersOf, type Scenario } from './scenario/scenario';

/**
 * A session: one run and one position in it. Trees, panel, editor marks and terminal are views of it and steer it;
 * none keeps a position of its own.
 */

/** What just happened to a session: another run, or another position in the same one. */
export type Change = 'run' | 'position';

/** Inputs as somebody gives them: parameters are still to be checked, and what is left out is as by default. */
export type GivenInputs = Partial<Omit<Inputs, 'parameters'>> & { readonly parameters?: Readonly<Record<string, unknown>> };

/** The run that a fork was made from, and where they part. */
export interface Base {
  readonly run: FlowRun;
  /** The last step up to which both are the same; -1 if they differ from the start. */
  readonly step: number;
}

/** What became of a run that took long: the session stands in it, or has stayed where it was. */
export type Outcome =
  | { readonly kind: 'finished' }
  /** Somebody cancelled it, or asked for something else. */
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** A run that takes longer than a moment. Meanwhile the session stays where it is. */
export interface Work {
  readonly simulation: Simulation;
  readonly outcome: Promise<Outcome>;
}

export interface Session {
  readonly run: FlowRun | undefined;
  /** The run that is being made, if that takes long. */
  readonly work: Work | undefined;
  /** What the run is a fork of: however often it was forked, the run that was explored first. */
  readonly base: Base | undefined;
  /** What is told of the run, if it is a scenario's or a fork of it. */
  readonly scenario: Scenario | undefined;
  /** The step that the reader stands on; -1 when there is no run. */
  readonly position: number;
  /** Where the run's chapters begin. */
  readonly chapters: readonly ChapterStart[];
  /** The state at the position. */
  readonly cursor: Cursor | undefined;
  /**
   * Starts a flow with whatever is given of its inputs, at its first step or at `position`.
   * @param scenario tells of the run, instead of the flow itself
   * @throws ParameterError or EditError for inputs that the flow does not have
   */
  explore(flow: Flow, inputs?: GivenInputs, position?: number, scenario?: Scenario): void;
  /** Forks the run with another value of a parameter, and stands at the first step. */
  setParameters(changes: Readonly<Record<string, unknown>>): void;
  /** Forks the run by a stimulus at the position. The past stays as it is; what was injected or set later is dropped. */
  inject(stimulus: string): void;
  /**
   * Forks the run by setting a cell as if between the position and the next step, and stands where it was set. The past stays as it is; what
   * was injected or set later is dropped.
   * @param cell its name, as `names.ts` has it, or its number in the run
   * @throws EditError if there is no such cell at the position, or the value does not fit
   */
  edit(cell: string | number, value: number): void;
  /** Goes back to the run that this one is a fork of, to where they part at the latest. */
  returnToBase(): void;
  /** Takes the fork for the run that is explored: there is no base any more. */
  keepFork(): void;
  /** Gives up the run that is being made. */
  cancel(): void;
  seek(step: number): void;
  /** Goes to the next place in source; `return` steps are passed over. Says whether there was one. */
  step(): boolean;
  stepBack(): boolean;
  /** Goes on until another execution context runs. */
  runToNextContext(): boolean;
  restart(): void;
  /** Calls `listener` after every change; the result stops that. */
  onDidChange(listener: (change: Change) => void): () => void;
  /** Calls `listener` when a run begins to take long; the result stops that. */
  onDidBeginWork(listener: (work: Work) => void): () => void;
}

/** How the session stands in a run that it goes to. */
interface Stand extends Pick<Session, 'base' | 'scenario'> {
  readonly position: number;
}

/** A run of so many steps is made at once, and of a longer one so many at a time: some ten milliseconds. */
const SLICE = 20_000;

/**
 * Makes a session without a run.
 * @param pause lets others do something between two slices of a long run; without, every run is made at once
 */
export function createSession(pause?: () => Promise<void>): Session {
  const listeners = new Set<(change: Change) => void>();
  const workListeners = new Set<(begun: Work) => void>();
  let work: Work | undefined;
  let run: FlowRun | undefined;
  let cursor: Cursor | undefined;
  let chapters: readonly ChapterStart[] = [];
  let base: Base | undefined;
  let scenario: Scenario | undefined;

  const announce = (change: Change): void => {
    for (const listener of [...listeners]) listener(change);
  };

  /** Makes a run and goes there; whatever else is being made is given up. */
  function make(flow: Flow, inputs: Inputs, stand: Stand): void {
    const simulation = begin(flow, inputs);
    const made = simulation.proceed(pause === undefined ? Infinity : SLICE);
    if (made !== undefined) return enter(made, stand);
    const begun: Work = { simulation, outcome: finish(simulation, (late) => enter(late, stand)) };
    work = begun;
    for (const listener of [...workListeners]) listener(begun);
  }

  async function finish(simulation: Simulation, arrive: (made: FlowRun) => void): Promise<Outcome> {
    try {
      for (;;) {
        await pause?.();
        if (work?.simulation !== simulation) return { kind: 'cancelled' };
        const made = simulation.proceed(SLICE);
        if (made === undefined) continue;
        arrive(made);
        return { kind: 'finished' };
      }
    } catch (error) {
      if (work?.simulation === simulation) work = undefined;
      return { kind: 'failed', error };
    }
  }

  function enter(next: FlowRun, stand: Stand): void {
    work = undefined;
    run = next;
    ({ base, scenario } = stand);
    chapters = scenario ? chaptersOf(next, scenario) : chapterSteps(next);
    cursor = createCursor(next);
    cursor.seek(stand.position);
    announce('run');
  }

  function seek(step: number): void {
    if (run === undefined || cursor === undefined) return;
    const target = Math.max(0, Math.min(Math.trunc(step), run.journal.length - 1));
    if (target === cursor.position) return;
    cursor.seek(target);
    announce('position');
  }

  /** Goes where a step leads from the position. */
  function go(find: typeof stepIn, direction: Direction): boolean {
    const target = run && cursor && find(run, cursor.position, direction);
    if (target !== undefined) seek(target);
    return target !== undefined;
  }

  /** Another future from the position on: what was injected and set up to there, and `more`. */
  function fork(of: FlowRun, at: number, more: Partial<Inputs>, position: number): void {
    const isPast = (each: { readonly at: number }): boolean => each.at <= at;
    const { inputs } = of;
    const stimuli = [...inputs.stimuli.filter(isPast), ...(more.stimuli ?? [])];
    const edits = [...(inputs.edits ?? []).filter(isPast), ...(more.edits ?? [])];
    const parting = { run: base?.run ?? of, step: Math.min(base?.step ?? at, at) };
    make(of.flow, { ...inputs, stimuli, edits }, { position, base: parting, scenario });
  }

  return {
    get run() {
      return run;
    },
    get work() {
      return work;
    },
    get base() {
      return base;
    },
    get scenario() {
      return scenario;
    },
    get position() {
      return cursor?.position ?? -1;
    },
    get chapters() {
      return chapters;
    },
    get cursor() {
      return cursor;
    },
    explore(flow, { parameters = {}, stimuli = [], seed = 0, ...others } = {}, position = 0, told?: Scenario) {
      const inputs = { ...others, parameters: resolveParameters(flow, parameters), stimuli, seed };
      make(flow, inputs, { position, base: undefined, scenario: told });
    },
    setParameters(changes) {
      if (run === undefined) return;
      const parameters = resolveParameters(run.flow, { ...defaults(run.flow), ...run.inputs.parameters, ...changes });
      const parting = { run: base?.run ?? run, step: NO_STEP };
      make(run.flow, { parameters, stimuli: [], seed: run.inputs.seed }, { position: 0, base: parting, scenario });
    },
    inject(name) {
      if (run === undefined || cursor === undefined) return;
      const { position } = cursor;
      fork(run, position, { stimuli: [{ at: position + 1, name }] }, position);
    },
    edit(cell, value) {
      if (run === undefined || cursor === undefined) return;
      const at = cursor.position + 1;
      const { id } = cellToEdit(run, typeof cell === 'number' ? cellKey(run, cell) : cell, value, at);
      fork(run, cursor.position, { edits: [{ at, cell: cellKey(run, id), value }] }, at + STEPS_TO_EDIT);
    },
    returnToBase() {
      if (base === undefined || cursor === undefined) return;
      enter(base.run, { position: Math.max(0, Math.min(base.step, cursor.position)), base: undefined, scenario });
    },
    keepFork() {
      if (base === undefined) return;
      work = undefined;
      base = undefined;
      announce('run');
    },
    cancel() {
      work = undefined;
    },
    seek,
    step: () => go(stepIn, 1),
    stepBack: () => go(stepIn, -1),
    runToNextContext: () => go(nextContext, 1),
    restart: () => seek(0),
    onDidChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onDidBeginWork(listener) {
      workListeners.add(listener);
      return () => workListeners.delete(listener);
    },
  };
}
