import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Session, Work } from '../flows/session';
import { showError } from './errors';

/** Runs that take long: a notification says how far they are, and can cancel them. */

/** A run that takes no longer shows nothing. */
const PATIENCE_MS = 400;
const REPORT_INTERVAL_MS = 200;

/** Gives the host its turn. */
export const pause = (): Promise<void> => delay(0);

/** Shows the progress of each run that takes long. */
export function registerProgress(session: Session): vscode.Disposable {
  return { dispose: session.onDidBeginWork((work) => void show(session, work)) };
}

async function show(session: Session, work: Work): Promise<void> {
  await Promise.race([work.outcome, delay(PATIENCE_MS)]);
  if (session.work === work) await notify(session, work);
  const outcome = await work.outcome;
  if (outcome.kind === 'failed') showError(outcome.error);
}

async function notify(session: Session, work: Work): Promise<void> {
  const { simulation } = work;
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: t('Running “{0}”', t(simulation.flow.title)),
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => session.work === work && session.cancel());
    let reported = 0;
    const report = (): void => {
      const percent = simulation.progress * 100;
      progress.report({ message: t('{0} steps', simulation.steps.toLocaleString('en')), increment: percent - reported });
      reported = percent;
    };
    const timer = setInterval(report, REPORT_INTERVAL_MS);
    report();
    await work.outcome;
    clearInterval(timer);
  });
}

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
