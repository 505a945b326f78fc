import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { createCursor } from '../engine/timeline';
import { compare } from '../flows/compare';
import { begin, defaults, presetInputs, type Flow, type FlowRun, type Inputs } from '../flows/flow';
import { valuesOf } from '../flows/places';
import type { Session } from '../flows/session';
import { settingText } from '../flows/text';
import type { ComparisonView, StateComparisonView } from '../webview/protocol';
import { comparisonView, stateComparisonView, type Pair } from './comparisonView';
import { section } from './picks';
import { pause } from './progress';

/** The run beside the session's: what it was forked from, unless the reader has chosen another one. */
export interface Comparing extends vscode.Disposable {
  /** Asks which run to compare with, and makes it. */
  choose(): Promise<void>;
  /** Goes back to what the run was forked from. */
  chooseBase(): void;
  /** The two runs; undefined while there is nothing to compare with. */
  view(): ComparisonView | undefined;
  /** What differs in state where the session stands. */
  stateView(): StateComparisonView | undefined;
  /** Calls `listener` when the reader has chosen a run; the result stops that. */
  onDidChoose(listener: () => void): () => void;
}

/** A run to compare with. */
interface Other {
  readonly title: string;
  readonly run: FlowRun;
}

const SLICE = 20_000;

/** Compares whatever run the session has. Nothing is lined up before somebody looks. */
export function createComparing(session: Session): Comparing {
  const listeners = new Set<() => void>();
  let chosen: Other | undefined;
  /** What the run was forked from when the reader chose: a new fork is compared with its own base. */
  let base: FlowRun | undefined;
  let pair: Pair | undefined;

  function choose(other: Other | undefined): void {
    chosen = other;
    base = session.base?.run;
    for (const listener of [...listeners]) listener();
  }

  function other(): Other | undefined {
    const isNewFork = session.base !== undefined && session.base.run !== base;
    if (isNewFork || chosen?.run.flow !== session.run?.flow) chosen = undefined;
    return chosen ?? (session.base && { title: t('Original run'), run: session.base.run });
  }

  function current(): Pair | undefined {
    const { run } = session;
    const beside = other();
    if (run === undefined || beside === undefined) return undefined;
    if (pair?.comparison.a !== run || pair.run !== beside.run)
      pair = { ...beside, comparison: compare(run, beside.run), cursor: createCursor(beside.run) };
    return pair;
  }

  return {
    async choose() {
      const { run } = session;
      if (run === undefined) return;
      const items = choicesOf(run.flow, run.inputs);
      const original: Choice[] = session.base ? [{ label: t('Original run'), description: t('what this run is a fork of') }] : [];
      const picked = await vscode.window.showQuickPick([...original, ...items], {
        title: t('Compare With…'),
        placeHolder: t('Which run shall stand beside this one?'),
        matchOnDescription: true,
        matchOnDetail: true,
      });
      if (picked === undefined) return;
      const made = picked.inputs && (await make(run.flow, picked.inputs, picked.label));
      if (picked.inputs && made === undefined) return;
      choose(made && { title: picked.label, run: made });
    },
    chooseBase: () => choose(undefined),
    view() {
      const shown = current();
      return shown && comparisonView(shown);
    },
    stateView() {
      const shown = current();
      return shown && stateComparisonView(session, shown);
    },
    onDidChoose(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispose: () => listeners.clear(),
  };
}

interface Choice extends vscode.QuickPickItem {
  readonly inputs?: Inputs;
}

/** The flow as by default and its presets, and this run with one parameter otherwise. */
function choicesOf(flow: Flow, now: Inputs): readonly Choice[] {
  const plain: Inputs = { parameters: defaults(flow), stimuli: [], seed: 0 };
  return [
    { label: t('Default parameters'), description: t('nothing injected, nothing set'), inputs: plain },
    ...section(
      t('Presets'),
      flow.presets.map(({ id, title, prose }): Choice => ({ label: t(title), detail: t(prose), inputs: presetInputs(flow, id) })),
    ),
    ...section(
      t('This run with one parameter otherwise'),
      flow.parameters.flatMap((spec) =>
        valuesOf(spec)
          .filter((value) => value !== now.parameters[spec.name])
          .map((value): Choice => ({
            label: settingText(spec, value),
            description: spec.name,
            inputs: { ...now, parameters: { ...now.parameters, [spec.name]: value } },
          })),
      ),
    ),
  ];
}

/** Makes a run, which may take long; undefined if the reader has cancelled it. */
async function make(flow: Flow, inputs: Inputs, title: string): Promise<FlowRun | undefined> {
  const simulation = begin(flow, inputs);
  const made = simulation.proceed(SLICE);
  if (made !== undefined) return made;
  const options = { location: vscode.ProgressLocation.Notification, title: t('Running “{0}”', title), cancellable: true };
  return vscode.window.withProgress(options, async (_progress, token) => {
    for (;;) {
      await pause();
      if (token.isCancellationRequested) return undefined;
      const late = simulation.proceed(SLICE);
      if (late !== undefined) return late;
    }
  });
}
