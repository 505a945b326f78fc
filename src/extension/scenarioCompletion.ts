import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { suggestionsAt } from '../flows/scenario/completion';
import { editorKnowsSchemas, SCENARIOS } from './scenarioProblems';

/** Completes scenarios: names of functions and of identifiers in them; all else too, where the editor has nobody who reads their schema. */
export const registerScenarioCompletion = (): vscode.Disposable =>
  vscode.languages.registerCompletionItemProvider(
    SCENARIOS,
    {
      async provideCompletionItems(document, position) {
        const from = (await editorKnowsSchemas()) ? 'models' : 'schema';
        const { offset, length, suggestions } = suggestionsAt(document.getText(), document.offsetAt(position), from);
        const range = new vscode.Range(document.positionAt(offset), document.positionAt(offset + length));
        return suggestions.map(({ kind, text, detail }) => {
          const { Property, Value } = vscode.CompletionItemKind;
          const item = new vscode.CompletionItem(text.replace(/: $/, ''), kind === 'property' ? Property : Value);
          item.range = range;
          item.insertText = text;
          item.filterText = text;
          if (detail !== undefined) item.documentation = t(detail);
          return item;
        });
      },
    },
    '"',
  );
