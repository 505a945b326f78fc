import * as vscode from 'vscode';
import { requireFlow } from '../../flows/catalogue';
import type { Session } from '../../flows/session';
import { attributesOf } from './attributes';
import { ask, attachTo, configurationOf, DEBUG_TYPE } from './configuration';

/** What the debugger can do besides what VS Code has commands of its own for. */

/**
 * Debugs a flow without any `launch.json`: the run that the reader has of it, else a new one.
 * @param of the flow's id, or its node in the tree; else that of the run
 */
export async function debugFlow(session: Session, of: unknown): Promise<void> {
  const id = typeof of === 'string' ? of : attributesOf(attributesOf(of)['flow'])['id'];
  const flow = typeof id === 'string' ? requireFlow(id) : session.run?.flow;
  const configuration = flow === undefined ? await ask() : session.run?.flow === flow ? attachTo(session.run.flow) : configurationOf(flow);
  if (configuration) await vscode.debug.startDebugging(undefined, configuration);
}

/** Has the debugger go back, in the thread that is chosen in the call stack. `request` is one of the adapter's. */
export async function reverse(request: 'reverseNext' | 'stepBack' | 'reverseStepOut'): Promise<void> {
  const debug = vscode.debug.activeDebugSession;
  if (debug?.type !== DEBUG_TYPE) return;
  await debug.customRequest(request, { threadId: vscode.debug.activeStackItem?.threadId });
}
