import * as vscode from 'vscode';
import { flowById } from '../flows/catalogue';
import type { FlowRun } from '../flows/flow';
import type { Session } from '../flows/session';
import { showError } from './errors';

/** Links to a step: they reopen the flow with its parameters and stimuli, and stand on the step. */

const EXTENSION_ID = 'virtflow.virtflow';
const MAX_STIMULI = 64;

/** The link to a step of a run. */
export function linkToStep({ flow, inputs }: FlowRun, step: number): vscode.Uri {
  const query = new URLSearchParams({ flow: flow.id, step: String(step) });
  for (const [name, value] of Object.entries(inputs.parameters)) query.append(`set.${name}`, String(value));
  for (const { at, name } of inputs.stimuli) query.append('inject', `${name}@${at}`);
  return vscode.Uri.from({ scheme: vscode.env.uriScheme, authority: EXTENSION_ID, path: '/step', query: query.toString() });
}

/** Opens such links. What a link says is data from anywhere: each part is checked, and refused by name. */
export function registerLinks(session: Session): vscode.Disposable {
  return vscode.window.registerUriHandler({
    handleUri(uri) {
      try {
        openLink(session, uri);
        void vscode.commands.executeCommand('virtflow.openPanel');
      } catch (error) {
        showError(error, 'Virtflow cannot open this link');
      }
    },
  });
}

/** Does what a link says. Throws with the part that is wrong. */
export function openLink(session: Session, uri: vscode.Uri): void {
  const query = new URLSearchParams(uri.query);
  const id = query.get('flow') ?? '';
  const flow = flowById(id);
  if (flow === undefined) throw new Error(`it names the flow "${id.slice(0, 40)}", which there is not`);
  const step = query.get('step') ?? '0';
  if (!/^\d{1,9}$/.test(step)) throw new Error('its step is not a number');
  const parameters = Object.fromEntries([...query].filter(([key]) => key.startsWith('set.')).map(([key, value]) => [key.slice(4), value]));
  const stimuli = query
    .getAll('inject')
    .slice(0, MAX_STIMULI)
    .map((text) => {
      const match = /^([\w-]{1,64})@(\d{1,9})$/.exec(text);
      if (match === null) throw new Error('its stimulus is not of the form NAME@STEP');
      return { name: match[1]!, at: Number(match[2]) };
    });
  session.explore(flow, parameters, stimuli, Number(step));
}
