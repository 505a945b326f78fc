import * as vscode from 'vscode';

/** What went wrong, in words. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Tells the reader what went wrong; `what` says what Virtflow was about, if the message alone does not. */
export function showError(error: unknown, what = 'Virtflow'): void {
  void vscode.window.showErrorMessage(`${what}: ${messageOf(error)}`);
}
