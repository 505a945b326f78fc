import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { CATALOGUE } from '../../flows/catalogue';
import type { Flow } from '../../flows/flow';
import type { Session } from '../../flows/session';
import { showError } from '../errors';
import { attributesOf } from './attributes';
import { readLaunch } from './launch';

/** Launch configurations: offered, completed, and refused before a session begins where they are wrong. */

export const DEBUG_TYPE = 'virtflow';

/** Serves `launch.json`, the list of “Run and Debug”, and F5 without either. */
export function registerConfigurations(session: Session): vscode.Disposable {
  const { Initial, Dynamic } = vscode.DebugConfigurationProviderTriggerKind;
  return vscode.Disposable.from(
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, { resolveDebugConfiguration: (_, given) => resolve(session, given) }),
    vscode.debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      { provideDebugConfigurations: () => [configurationOf(session.run?.flow ?? CATALOGUE[0]!)] },
      Initial,
    ),
    vscode.debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      { provideDebugConfigurations: () => CATALOGUE.flatMap((flow) => [configurationOf(flow), ...presetsOf(flow)]) },
      Dynamic,
    ),
  );
}

/** Debugs a flow from its beginning. */
export const configurationOf = (flow: Flow): vscode.DebugConfiguration => ({
  type: DEBUG_TYPE,
  request: 'launch',
  name: t(flow.title),
  flow: flow.id,
  stopOnEntry: true,
});

const presetsOf = (flow: Flow): readonly vscode.DebugConfiguration[] =>
  flow.presets.map(({ id, title }) => ({ ...configurationOf(flow), name: `${t(flow.title)}: ${t(title)}`, preset: id }));

/** Debugs the run that there is. */
export const attachTo = (flow: Flow): vscode.DebugConfiguration => ({ type: DEBUG_TYPE, request: 'attach', name: t(flow.title) });

/** @returns undefined to go no further, as the reader has been told why or has chosen nothing */
async function resolve(session: Session, given: vscode.DebugConfiguration): Promise<vscode.DebugConfiguration | undefined> {
  // F5 without a configuration comes with none of its attributes.
  if (!given.type && !given.request) return session.run ? attachTo(session.run.flow) : ask();
  try {
    if (given.request === 'launch') readLaunch(attributesOf(given));
    else if (session.run === undefined) throw new Error(t('there is no run to attach to: choose “Explore Flow…” first, or launch one'));
    return given;
  } catch (error) {
    showError(error, t('Virtflow cannot start “{0}”', given.name));
    return undefined;
  }
}

/** Asks for a flow to debug. */
export async function ask(): Promise<vscode.DebugConfiguration | undefined> {
  const items = CATALOGUE.map((flow) => ({ label: t(flow.title), description: flow.id, detail: t(flow.summary), flow }));
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Debug Flow'),
    placeHolder: t('Which way of an interrupt?'),
    matchOnDetail: true,
  });
  return picked && configurationOf(picked.flow);
}
