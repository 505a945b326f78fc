import * as vscode from 'vscode';
import { equal, until } from './assert';

/** Scenarios as they are written in VS Code, whoever of it knows their schema. */

/** Opens a scenario that is nowhere but in its editor. `|` is where the cursor will be. */
async function opened(name: string, marked: string): Promise<{ readonly document: vscode.TextDocument; readonly cursor: vscode.Position }> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(`untitled:/${name}.virtflow.json`));
  const edit = new vscode.WorkspaceEdit();
  edit.insert(document.uri, new vscode.Position(0, 0), marked.replace('|', ''));
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(document);
  return { document, cursor: document.positionAt(marked.indexOf('|')) };
}

const labelsAt = async ({ document, cursor }: Awaited<ReturnType<typeof opened>>): Promise<readonly string[]> => {
  const list = await vscode.commands.executeCommand<vscode.CompletionList>('vscode.executeCompletionItemProvider', document.uri, cursor);
  return list.items.map(({ label }) => (typeof label === 'string' ? label : label.label).replaceAll('"', ''));
};

suite('a scenario in the editor', () => {
  teardown(() => vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor'));

  test('its flow is completed, once', async function () {
    this.timeout(20_000);
    const at = await opened('flow', '{ "version": 1, "title": "x", "flow": "|" }');
    await until('the flows', async () => (await labelsAt(at)).includes('vfio-intx'));
    equal((await labelsAt(at)).filter((label) => label === 'vfio-intx').length, 1);
  });

  test('functions and the identifiers in them are completed, which no schema lists', async () => {
    const chapter = await opened('function', '{ "flow": "vfio-intx", "chapters": [{ "at": { "function": "|" } }] }');
    equal((await labelsAt(chapter)).filter((label) => label === 'vfio_intx_handler').length, 1);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    const note = await opened('anchor', '{ "notes": [{ "at": { "function": "irqfd_wakeup", "anchor": "|" } }] }');
    equal((await labelsAt(note)).includes('schedule_work'), true);
  });

  test('a flow that there is not is told at its place, once', async function () {
    this.timeout(20_000);
    const { document } = await opened('wrong', '{ "version": 1, "title": "x", "flow": "vfio-intxx|" }');
    const there = new vscode.Position(0, 38);
    const told = () => vscode.languages.getDiagnostics(document.uri).filter(({ range }) => range.start.isEqual(there));
    await until('a problem', () => told().length > 0);
    equal(told().length, 1);
  });
});
