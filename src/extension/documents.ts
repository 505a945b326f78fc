import { t } from '@vscode/l10n';
import * as vscode from 'vscode';

/** Opens a file as text. @throws Error naming it if that is not possible */
export async function openText(file: vscode.Uri): Promise<vscode.TextDocument> {
  try {
    return await vscode.workspace.openTextDocument(file);
  } catch (cause) {
    throw new Error(t('{0} is gone, or cannot be read', vscode.workspace.asRelativePath(file)), { cause });
  }
}

/** Gives a document another text and saves it: through the editor, so that it can be undone and nothing that is typed there is lost. */
export async function replaceText(document: vscode.TextDocument, text: string): Promise<void> {
  if (document.getText() !== text) {
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), text);
    if (!(await vscode.workspace.applyEdit(edit)))
      throw new Error(t('{0} cannot be changed', vscode.workspace.asRelativePath(document.uri)));
  }
  if (!(await document.save())) throw new Error(t('{0} cannot be saved', vscode.workspace.asRelativePath(document.uri)));
}
