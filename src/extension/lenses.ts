import * as vscode from 'vscode';

/** VS Code waits some tenths of a second before it asks for lenses; by then it has. */
const REMINDER_MS = 1000;

/**
 * Registers lenses. An editor that loses the focus while VS Code waits to ask for its lenses is forgotten, and has none until it gets the focus
 * again: VS Code is reminded of it.
 * @param changed when to ask again
 */
export function registerLenses(
  selector: vscode.DocumentSelector,
  provideCodeLenses: (document: vscode.TextDocument) => vscode.ProviderResult<vscode.CodeLens[]>,
  changed = new vscode.EventEmitter<void>(),
): vscode.Disposable {
  const asked = new WeakSet<vscode.TextDocument>();
  let reminder: ReturnType<typeof setTimeout> | undefined;

  const isForgotten = ({ document }: vscode.TextEditor): boolean => vscode.languages.match(selector, document) > 0 && !asked.has(document);
  function remindLater(): void {
    clearTimeout(reminder);
    reminder = setTimeout(() => vscode.window.visibleTextEditors.some(isForgotten) && changed.fire(), REMINDER_MS);
  }
  remindLater();

  return vscode.Disposable.from(
    changed,
    vscode.languages.registerCodeLensProvider(selector, {
      onDidChangeCodeLenses: changed.event,
      provideCodeLenses(document) {
        asked.add(document);
        return provideCodeLenses(document);
      },
    }),
    vscode.window.onDidChangeVisibleTextEditors(remindLater),
    { dispose: () => clearTimeout(reminder) },
  );
}
