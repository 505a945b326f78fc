import { createCursor, type Cursor } from '../engine/timeline';
import { chapterSteps, defaults, resolveParameters, simulate, type ChapterStart, type Flow, type FlowRun } from './flow';

/**
 * A session: one run and one position in it. Trees, panel, editor marks and terminal are views of it and steer it;
 * none keeps a position of its own.
 */

/** What just happened to a session: another run, or another position in the same one. */
export type Change = 'run' | 'position';

export interface Session {
  readonly run: FlowRun | undefined;
  /** The step that the reader stands on; -1 when there is no run. */
  readonly position: number;
  /** Where the run's chapters begin. */
  readonly chapters: readonly ChapterStart[];
  /** The state at the position. */
  readonly cursor: Cursor | undefined;
  /** Starts a flow, at its first step. */
  explore(flow: Flow, parameters?: Readonly<Record<string, unknown>>, stimuli?: FlowRun['inputs']['stimuli'], position?: number): void;
  /** Runs the flow again with another value of a parameter, and stands at the first step. */
  setParameters(changes: Readonly<Record<string, unknown>>): void;
  /** Does something to the machine at the position: later stimuli are dropped, the past stays as it is. */
  inject(stimulus: string): void;
  seek(step: number): void;
  /** Goes to the next place in source; `return` steps are passed over. Says whether there was one. */
  step(): boolean;
  stepBack(): boolean;
  /** Goes on until another execution context runs. */
  runToNextContext(): boolean;
  restart(): void;
  /** Calls `listener` after every change; the result stops that. */
  onDidChange(listener: (change: Change) => void): () => void;
}

/** Makes a session without a run. */
export function createSession(): Session {
  const listeners = new Set<(change: Change) => void>();
  let run: FlowRun | undefined;
  let cursor: Cursor | undefined;
  let chapters: readonly ChapterStart[] = [];

  const announce = (change: Change): void => {
    for (const listener of [...listeners]) listener(change);
  };

  function begin(next: FlowRun, position: number): void {
    run = next;
    chapters = chapterSteps(next);
    cursor = createCursor(next);
    cursor.seek(position);
    announce('run');
  }

  function seek(step: number): void {
    if (run === undefined || cursor === undefined) return;
    const target = Math.max(0, Math.min(Math.trunc(step), run.journal.length - 1));
    if (target === cursor.position) return;
    cursor.seek(target);
    announce('position');
  }

  /** Looks for a step to stand on, from the position in one direction. */
  function go(direction: 1 | -1, wanted: (step: number) => boolean): boolean {
    if (run === undefined || cursor === undefined) return false;
    for (let step = cursor.position + direction; step >= 0 && step < run.journal.length; step += direction) {
      if (run.journal.kind(step) === 'return' || !wanted(step)) continue;
      seek(step);
      return true;
    }
    return false;
  }

  return {
    get run() {
      return run;
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
    explore(flow, parameters = {}, stimuli = [], position = 0) {
      begin(simulate(flow, { parameters: resolveParameters(flow, parameters), stimuli, seed: 0 }), position);
    },
    setParameters(changes) {
      if (run === undefined) return;
      const parameters = resolveParameters(run.flow, { ...defaults(run.flow), ...run.inputs.parameters, ...changes });
      begin(simulate(run.flow, { ...run.inputs, parameters, stimuli: [] }), 0);
    },
    inject(name) {
      if (run === undefined || cursor === undefined) return;
      const { position } = cursor;
      const stimuli = [...run.inputs.stimuli.filter(({ at }) => at <= position), { at: position + 1, name }];
      begin(simulate(run.flow, { ...run.inputs, stimuli }), position);
    },
    seek,
    step: () => go(1, () => true),
    stepBack: () => go(-1, () => true),
    runToNextContext() {
      const here = run?.journal.thread(cursor?.position ?? 0);
      return go(1, (step) => run?.journal.thread(step) !== here);
    },
    restart: () => seek(0),
    onDidChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
