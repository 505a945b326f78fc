import * as vscode from 'vscode';
import { equal, ok, until } from './assert';
import { memoryTree, type MemoryTree } from './memoryTree';

/** *Check Sources* over a tree that is nowhere but in this test. */

/** Code of our own, with upstream's names. */
const FILES: Readonly<Record<string, string>> = {
  Makefile: 'VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 1\n',
  'fs/eventfd.c': '\n\n__u64 eventfd_signal_mask_v2(struct eventfd_ctx *ctx)\n{\n}\n',
  'virt/kvm/eventfd.c': '\nstatic void\nirqfd_inject(struct work_struct *work)\n{\n\tint unrelated;\n}\n',
};

let tree: MemoryTree;

const settings = () => vscode.workspace.getConfiguration('virtflow');
const problemsIn = (file: string) => vscode.languages.getDiagnostics(tree.uriOf(file));

suite('checking the sources', () => {
  suiteSetup(async function () {
    this.timeout(30_000);
    tree = memoryTree('virtflow-checked-tree', FILES);
    await settings().update('sources.linux', tree.root, vscode.ConfigurationTarget.Global);
  });

  suiteTeardown(async () => {
    await settings().update('sources.linux', undefined, vscode.ConfigurationTarget.Global);
    await tree.close();
  });

  test('tells what is gone where it was, and of files that are not there at the one that names the version', async function () {
    this.timeout(60_000);
    await vscode.commands.executeCommand('virtflow.checkSources', 'vfio-intx');
    const inside = problemsIn('virt/kvm/eventfd.c').find(({ message }) =>
      /irqfd_inject in virt\/kvm\/eventfd\.c does not contain/.test(message),
    );
    equal(inside?.range.start.line, 2);
    equal(inside?.severity, vscode.DiagnosticSeverity.Warning);
    const renamed = problemsIn('fs/eventfd.c').find(({ message }) => /fs\/eventfd\.c does not define eventfd_signal_mask/.test(message));
    equal(renamed?.range.start.line, 0);
    ok(
      problemsIn('Makefile').some(({ message }) => /there is no drivers\/vfio\//.test(message)),
      'a file that is not there is told of',
    );
    ok(
      [...problemsIn('Makefile'), ...problemsIn('fs/eventfd.c')].every(({ source }) => source === 'Virtflow'),
      'the problems say whose they are',
    );
  });

  test('problems go when the trees are others', async function () {
    this.timeout(30_000);
    await settings().update('sources.linux', undefined, vscode.ConfigurationTarget.Global);
    await until('an empty Problems view', () => problemsIn('Makefile').length === 0 || undefined);
  });
});
