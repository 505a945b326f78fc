import * as vscode from 'vscode';
import { equal, ok, until } from './assert';
import { memoryTree, type MemoryTree } from './memoryTree';

/** Beside an extension that knows C, as clangd's: VS Code shows everybody's hovers, but asks only one for the call hierarchy. */

const INTRS = 'drivers/vfio/pci/vfio_pci_intrs.c';
const EVENTFD = 'include/linux/eventfd.h';

/** Code of our own, with upstream's names. */
const FILES: Readonly<Record<string, string>> = {
  Makefile: 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n',
  [INTRS]: 'static irqreturn_t vfio_msihandler(int irq, void *arg)\n{\n\teventfd_signal(arg);\n\treturn 0;\n}\n',
  [EVENTFD]: '/* ours */\n\nstatic inline void eventfd_signal(struct eventfd_ctx *ctx)\n{\n}\n',
};

/** On the name that is defined in the first line. */
const NAME = new vscode.Position(0, 25);

/** Knows of each word that it is one. */
function registerOther(): vscode.Disposable {
  const files: vscode.DocumentSelector = { pattern: '**/*.{c,h}' };
  return vscode.Disposable.from(
    vscode.languages.registerHoverProvider(files, { provideHover: () => new vscode.Hover('theirs') }),
    vscode.languages.registerCallHierarchyProvider(files, {
      prepareCallHierarchy({ uri }, position) {
        const range = new vscode.Range(position, position);
        return new vscode.CallHierarchyItem(vscode.SymbolKind.Function, 'theirs', '', uri, range, range);
      },
      provideCallHierarchyIncomingCalls: () => [],
      provideCallHierarchyOutgoingCalls: () => [],
    }),
  );
}

suite('beside another extension that knows C', () => {
  let tree: MemoryTree;
  let other: vscode.Disposable | undefined;
  const setTree = (root: string | undefined) =>
    vscode.workspace.getConfiguration('virtflow').update('sources.linux', root, vscode.ConfigurationTarget.Global);
  const prepared = async (): Promise<readonly string[]> =>
    (await vscode.commands.executeCommand<vscode.CallHierarchyItem[]>('vscode.prepareCallHierarchy', tree.uriOf(INTRS), NAME)).map(
      ({ name }) => name,
    );

  suiteSetup(async function () {
    this.timeout(30_000);
    tree = memoryTree('virtflow-test-beside', FILES);
    await setTree(tree.root);
    const editor = await vscode.window.showTextDocument(tree.uriOf(INTRS));
    editor.selection = new vscode.Selection(NAME, NAME);
    other = registerOther();
  });

  suiteTeardown(async () => {
    other?.dispose();
    await setTree(undefined);
    await tree.close();
  });

  test('both hovers are shown', async function () {
    this.timeout(30_000);
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', tree.uriOf(INTRS), NAME);
    const texts = hovers.map(({ contents }) => contents.map((part) => (typeof part === 'string' ? part : part.value)).join('\n'));
    equal(texts.filter((text) => text === 'theirs').length, 1);
    equal(texts.filter((text) => text.startsWith('**`vfio_msihandler`**')).length, 1);
  });

  test('a lens is there all the same', async () => {
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', tree.uriOf(INTRS));
    equal(lenses.length, 1);
  });

  test('VS Code’s call hierarchy is theirs, and ours is a command and a view of its own', async function () {
    this.timeout(30_000);
    equal(await prepared(), ['theirs']);
    await vscode.commands.executeCommand('virtflow.showCallHierarchy');
    await until('the callee, opened from the view', async () => {
      for (const command of ['virtflow.callHierarchy.focus', 'list.focusFirst', 'list.focusDown', 'list.select'])
        await vscode.commands.executeCommand(command);
      return vscode.window.visibleTextEditors.find(({ document }) => document.uri.path.endsWith(EVENTFD));
    });
  });

  test('without the other, VS Code’s call hierarchy is ours', async () => {
    other?.dispose();
    await until('our answer', async () => (await prepared()).includes('vfio_msihandler'));
    ok(!(await prepared()).includes('theirs'), 'the other still answers');
  });
});
