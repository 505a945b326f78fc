import * as vscode from 'vscode';
import { until } from './assert';

/** Does something that asks, and accepts what is proposed until it is over. */
export async function acceptingAll(command: string, ...args: readonly unknown[]): Promise<void> {
  let over = false;
  const done = Promise.resolve(vscode.commands.executeCommand(command, ...args)).then(() => (over = true));
  await until(`${command} is over`, async () => {
    if (!over) await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
    return over || undefined;
  });
  await done;
}
