import * as vscode from 'vscode';
import { equal, ok, until } from './assert';

/** *Check Sources* over a tree that is nowhere but in this test. */

const ROOT = 'virtflow-checked-tree://trees/linux';

/** Code of our own, with upstream's names. */
const FILES: Readonly<Record<string, string>> = {
  Makefile: 'VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 1\n',
  kernel: '',
  'fs/eventfd.c': '\n\n__u64 eventfd_signal_mask_v2(struct eventfd_ctx *ctx)\n{\n}\n',
  'virt/kvm/eventfd.c': '\nstatic void\nirqfd_inject(struct work_struct *work)\n{\n\tint unrelated;\n}\n',
};

const textOf = ({ path }: vscode.Uri): string => {
  const text = FILES[path.replace('/linux/', '')];
  if (text === undefined) throw vscode.FileSystemError.FileNotFound(path);
  return text;
};

const no = (): never => {
  throw vscode.FileSystemError.NoPermissions();
};

const provider: vscode.FileSystemProvider = {
  onDidChangeFile: new vscode.EventEmitter<vscode.FileChangeEvent[]>().event,
  watch: () => new vscode.Disposable(() => undefined),
  stat: (uri) => ({ type: vscode.FileType.File, ctime: 0, mtime: 0, size: new TextEncoder().encode(textOf(uri)).length }),
  readFile: (uri) => new TextEncoder().encode(textOf(uri)),
  readDirectory: no,
  createDirectory: no,
  writeFile: no,
  delete: no,
  rename: no,
};

const settings = () => vscode.workspace.getConfiguration('virtflow');
const problemsIn = (file: string) => vscode.languages.getDiagnostics(vscode.Uri.parse(`${ROOT}/${file}`));

suite('checking the sources', () => {
  let registered: vscode.Disposable | undefined;

  suiteSetup(async function () {
    this.timeout(30_000);
    registered = vscode.workspace.registerFileSystemProvider('virtflow-checked-tree', provider);
    await settings().update('sources.linux', ROOT, vscode.ConfigurationTarget.Global);
  });

  suiteTeardown(async () => {
    await settings().update('sources.linux', undefined, vscode.ConfigurationTarget.Global);
    registered?.dispose();
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
