import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { readPlace, writePlace } from '../flows/export/link';
import type { FlowRun } from '../flows/flow';
import type { Session } from '../flows/session';
import { showError } from './errors';

/** Links to a step: they reopen the flow with its parameters and stimuli, and stand on the step. */

const EXTENSION_ID = 'virtflow.virtflow';

/** The link to a step of a run. */
export const linkToStep = ({ flow, inputs }: FlowRun, step: number): vscode.Uri =>
  vscode.Uri.from({ scheme: vscode.env.uriScheme, authority: EXTENSION_ID, path: '/step', query: writePlace({ flow, inputs, step }) });

/** Opens such links. */
export function registerLinks(session: Session): vscode.Disposable {
  return vscode.window.registerUriHandler({
    handleUri(uri) {
      try {
        openPlace(session, uri.query);
        void vscode.commands.executeCommand('virtflow.openPanel');
      } catch (error) {
        showError(error, t('Virtflow cannot open this link'));
      }
    },
  });
}

/** @throws Error saying what is wrong with the link */
function openPlace(session: Session, text: string): void {
  const place = readPlace(text);
  if (place.kind === 'malformed') throw new Error(place.problem);
  const { flow, inputs, step } = place;
  session.explore(flow, inputs, step);
}
