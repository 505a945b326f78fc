import * as vscode from 'vscode';
import type { Mistake } from '../flows/scenario/json';
import { readScenario } from '../flows/scenario/scenario';

/** What is wrong with scenarios, in the Problems view: what their schema says already is left to the editor that has it. */
export interface ScenarioProblems extends vscode.Disposable {
  /** Shows what a run has found out about a document, until it changes. */
  show(document: vscode.TextDocument, found: readonly Found[]): void;
}

/** Something to tell of a part of a document. */
export type Found = Pick<Mistake, 'message' | 'offset' | 'length'>;

/** Documents that are scenarios. */
export const SCENARIOS: vscode.DocumentFilter = { pattern: '**/*.virtflow.json' };

/** Whether a document is a scenario. */
export const isScenario = (document: vscode.TextDocument): boolean => vscode.languages.match(SCENARIOS, document) > 0;

/** Looks at each scenario that is open as it is typed. */
export function registerScenarioProblems(): ScenarioProblems {
  const problems = vscode.languages.createDiagnosticCollection('virtflow');

  function show(document: vscode.TextDocument, found: readonly Found[]): void {
    problems.set(
      document.uri,
      found.map(({ message, offset, length }) => {
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
    show(document, read.kind === 'malformed' ? read.mistakes.filter(({ kind }) => kind === 'meaning') : []);
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
