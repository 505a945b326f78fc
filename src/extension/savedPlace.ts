import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { readPlace, writePlace } from '../flows/export/link';
import type { Flow } from '../flows/flow';
import type { Scenario } from '../flows/scenario/scenario';
import type { Session } from '../flows/session';
import { showError } from './errors';
import type { Scenarios } from './scenarios';

/** Where the session stands, kept with the workspace: what a panel shows again when its window has been reloaded. */
export interface SavedPlace extends vscode.Disposable {
  /**
   * Goes there, unless the session stands somewhere already. The reader is told of a scenario that cannot be read any more; its run comes back
   * all the same.
   * @throws Error saying what is wrong with what was kept
   */
  restore(): Promise<void>;
}

interface Saved {
  /** The run and the step, as a link says them. */
  readonly place: string;
  /** The file of the scenario that tells of the run. */
  readonly scenario: string | undefined;
}

const KEY = 'virtflow.place';

/** Keeps the place after every move. */
export function registerSavedPlace(session: Session, scenarios: Scenarios, memory: vscode.Memento): SavedPlace {
  const stop = session.onDidChange(() => {
    const { run, position } = session;
    if (run === undefined) return;
    const saved: Saved = { place: writePlace({ ...run, step: position }), scenario: scenarios.file?.toString() };
    void memory.update(KEY, saved);
  });

  async function scenarioOf(file: string, flow: Flow): Promise<Scenario | undefined> {
    try {
      const scenario = await scenarios.read(vscode.Uri.parse(file, true));
      if (scenario.flow === flow) return scenario;
      throw new Error(t('it is of the flow {0} now, not of {1}', scenario.flow.id, flow.id));
    } catch (error) {
      showError(error, t('Virtflow has restored the run without its scenario'));
      return undefined;
    }
  }

  return {
    async restore() {
      const saved = memory.get<Saved>(KEY);
      if (saved?.place === undefined) return;
      const place = readPlace(saved.place);
      if (place.kind === 'malformed') throw new Error(place.problem);
      const { flow, inputs, step } = place;
      const scenario = saved.scenario === undefined ? undefined : await scenarioOf(saved.scenario, flow);
      if (session.run === undefined && session.work === undefined) session.explore(flow, inputs, step, scenario);
    },
    dispose: stop,
  };
}
