import { config } from '@vscode/l10n';
import * as vscode from 'vscode';
import { createSession, type Session } from '../flows/session';
import { registerCode } from './code/register';
import { registerCommands } from './commands';
import { createComparing } from './comparison';
import { registerDebugger } from './debug/register';
import { registerOutlines } from './outline';
import { registerPanel } from './panel';
import { pause, registerProgress } from './progress';
import { registerReveal } from './reveal';
import { createSourceTrees } from './sourceTrees';
import { registerChainTree, registerFlowsTree } from './trees';
import { registerLinks } from './links';

/** Wires the one session to its views. Everything else is in the modules that it names. */
export function activate(context: vscode.ExtensionContext): void {
  config({ contents: vscode.l10n.bundle ?? {} });
  const session = createSession(pause);
  const sources = createSourceTrees();
  const outlines = registerOutlines(session);
  const reveal = registerReveal(session, sources, outlines);
  const comparing = createComparing(session);
  const panel = registerPanel(context, session, comparing);
  const code = registerCode(session, sources, outlines);
  context.subscriptions.push(
    sources,
    outlines,
    reveal,
    comparing,
    panel,
    code,
    registerFlowsTree(session),
    registerChainTree(session),
    registerDebugger(session, sources, outlines),
    registerLinks(session),
    registerProgress(session),
    ...registerCommands({ session, sources, reveal, panel, comparing, code }),
    { dispose: session.onDidChange(() => setContext(session)) },
  );
}

function setContext({ run, base }: Session): void {
  void vscode.commands.executeCommand('setContext', 'virtflow.hasRun', run !== undefined);
  void vscode.commands.executeCommand('setContext', 'virtflow.hasBase', base !== undefined);
}
