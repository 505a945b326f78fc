import { config } from '@vscode/l10n';
import * as vscode from 'vscode';
import { createSession, type Session } from '../flows/session';
import { registerCode } from './code/register';
import { registerCommands } from './commands';
import { createComparing } from './comparison';
import { registerDebugger } from './debug/register';
import { registerNotes } from './notes';
import { registerOutlines } from './outline';
import { registerPanel } from './panel';
import { pause, registerProgress } from './progress';
import { registerReveal } from './reveal';
import { registerSavedPlace } from './savedPlace';
import { registerScenarioCompletion } from './scenarioCompletion';
import { registerScenarioProblems } from './scenarioProblems';
import { registerScenarios } from './scenarios';
import { registerSourceCheck } from './sourceCheck';
import { createSourceTrees } from './sourceTrees';
import { registerStepComments } from './stepComments';
import { registerChainTree, registerFlowsTree } from './trees';
import { registerLinks } from './links';

/** Wires the one session to its views. Everything else is in the modules that it names. */
export function activate(context: vscode.ExtensionContext): void {
  config({ contents: vscode.l10n.bundle ?? {} });
  const session = createSession(pause);
  const sources = createSourceTrees();
  const outlines = registerOutlines(session);
  const notes = registerNotes(context.workspaceState);
  const comments = registerStepComments(session, notes, sources, outlines);
  const reveal = registerReveal(session, sources, outlines, comments);
  const problems = registerScenarioProblems();
  const scenarios = registerScenarios(session, problems);
  const comparing = createComparing(session);
  const savedPlace = registerSavedPlace(session, scenarios, context.workspaceState);
  const panel = registerPanel(context, session, comparing, notes, savedPlace);
  const code = registerCode(session, sources, outlines);
  const sourceCheck = registerSourceCheck(sources);
  context.subscriptions.push(
    sources,
    sourceCheck,
    outlines,
    notes,
    comments,
    reveal,
    problems,
    registerScenarioCompletion(),
    scenarios,
    comparing,
    savedPlace,
    panel,
    code,
    registerFlowsTree(session),
    registerChainTree(session),
    registerDebugger(session, sources, outlines),
    registerLinks(session),
    registerProgress(session),
    ...registerCommands({ session, sources, reveal, panel, comparing, code, scenarios, notes, comments, sourceCheck }),
    { dispose: session.onDidChange(() => setContext(session)) },
  );
}

function setContext({ run, base, scenario }: Session): void {
  void vscode.commands.executeCommand('setContext', 'virtflow.hasRun', run !== undefined);
  void vscode.commands.executeCommand('setContext', 'virtflow.hasBase', base !== undefined);
  void vscode.commands.executeCommand('setContext', 'virtflow.hasScenario', scenario !== undefined);
}
