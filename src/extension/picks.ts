import * as vscode from 'vscode';

/** Items of a quick pick under a heading; nothing where there are none. */
export const section = <T extends vscode.QuickPickItem>(label: string, items: readonly T[]): readonly (T | Heading)[] =>
  items.length === 0 ? [] : [{ label, kind: vscode.QuickPickItemKind.Separator }, ...items];

type Heading = vscode.QuickPickItem & { readonly kind: vscode.QuickPickItemKind.Separator };
