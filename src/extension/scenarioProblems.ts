import * as vscode from 'vscode';
import type { Mistake } from '../flows/scenario/json';
import { readScenario } from '../flows/scenario/scenario';

/** What is wrong with scenarios, in the Problems view: what their schema says already is left to the editor, where it holds JSON against schemas. */
export interface ScenarioProblems extends vscode.Disposable {
  /** Shows the mistakes of a document, and whatever a run has found out about it, until it changes. */
  show(document: vscode.TextDocument, mistakes: readonly Mistake[], found?: readonly Found[]): Promise<void>;
}

/** Something to tell of a part of a document. */
export type Found = Pick<Mistake, 'message' | 'offset' | 'length'>;

/** Documents that are scenarios. */
export const SCENARIOS: vscode.DocumentFilter = { pattern: '**/*.virtflow.json' };

/** Whether a document is a scenario. */
export const isScenario = (document: vscode.TextDocument): boolean => vscode.languages.match(SCENARIOS, document) > 0;

/** VS Code's own, which also says what is no JSON. Editors that are made of VS Code may lack it, or have it and cannot start it in a browser. */
export async function editorKnowsSchemas(): Promise<boolean> {
  try {
    const extension = vscode.extensions.getExtension('vscode.json-language-features');
    await extension?.activate();
    return extension !== undefined;
  } catch {
    return false;
  }
}

/** Looks at each scenario that is open as it is typed. */
export function registerScenarioProblems(): ScenarioProblems {
  const problems = vscode.languages.createDiagnosticCollection('virtflow');

  async function show(document: vscode.TextDocument, mistakes: readonly Mistake[], found: readonly Found[] = []): Promise<void> {
    const { version } = document;
    const told = [...((await editorKnowsSchemas()) ? mistakes.filter(({ kind }) => kind === 'meaning') : mistakes), ...found];
    if (document.isClosed || document.version !== version) return;
    problems.set(
      document.uri,
      told.map(({ message, offset, length }) => {
        const range = new vscode.Range(document.positionAt(offset), document.positionAt(offset + length));
        const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
        diagnostic.source = 'virtflow';
        return diagnostic;
      }),
    );
  }

  function look(document: vscode.TextDocument): void {
    if (!isScenario(document)) return;
    const read = readScenario(document.getText());
    void show(document, read.kind === 'malformed' ? read.mistakes : []);
  }

  vscode.workspace.textDocuments.forEach(look);
  const subscriptions = [
    problems,
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => contentChanges.length > 0 && look(document)),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => problems.delete(uri)),
  ];
  return { show, dispose: () => subscriptions.forEach((subscription) => subscription.dispose()) };
}
