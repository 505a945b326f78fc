import * as vscode from 'vscode';

/** Whether files of the reader's are annotated at all. */

const SETTING = 'virtflow.annotateSource';

/** The files that modelled functions are in, in whatever language the editor takes them for. */
export const SOURCE_FILES: vscode.DocumentSelector = { pattern: '**/*.{c,h,S}' };

/** Whether lenses and hovers are shown. */
export const annotatesSource = (): boolean => vscode.workspace.getConfiguration().get(SETTING, true);

/** Calls `listener` when the reader switches that on or off. */
export const onDidChangeAnnotating = (listener: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration(SETTING) && listener());
