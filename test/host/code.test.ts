import * as vscode from 'vscode';
import { acceptingAll } from './accepting';
import { equal, ok, until } from './assert';
import { memoryTree, type MemoryTree } from './memoryTree';

/** From code to flow as VS Code asks for it, in a tree that is nowhere but in this test. */

const INTRS = 'drivers/vfio/pci/vfio_pci_intrs.c';
const EVENTFD = 'fs/eventfd.c';
const SVM = 'arch/x86/kvm/svm/svm.c';
const IOAPIC = 'arch/x86/kvm/ioapic.c';
const SLAB = 'mm/slab.c';

/** Code of our own, with upstream's names. */
const FILES: Readonly<Record<string, string>> = {
  Makefile: 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n',
  [INTRS]:
    '/* ours */\n\nstatic irqreturn_t vfio_msihandler(int irq, void *arg)\n{\n\teventfd_signal(arg);\n\t/* no eventfd_signal */\n\treturn 0;\n}\n\nstatic void nobody_models_this(void)\n{\n}\n',
  [EVENTFD]: 'void eventfd_signal_mask(struct eventfd_ctx *ctx, __poll_t mask)\n{\n\twake_up_locked_poll(&ctx->wqh, mask);\n}\n',
  [SVM]: '/* ours */\n\nstatic void svm_vcpu_put(struct kvm_vcpu *vcpu)\n{\n}\n',
  [IOAPIC]: '/* ours */\n\nstatic void rtc_irq_eoi_tracking_reset(struct kvm_ioapic *ioapic)\n{\n}\n',
  [SLAB]: 'void *kmalloc(int size)\n{\n\treturn 0;\n}\n',
};

let tree: MemoryTree;
const uriOf = (file: string): vscode.Uri => tree.uriOf(file);
const settings = () => vscode.workspace.getConfiguration('virtflow');
const lensesOf = (uri: vscode.Uri) => vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri);

async function hoverAt(file: string, line: number, character: number): Promise<string> {
  const at = new vscode.Position(line, character);
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', uriOf(file), at);
  return hovers.flatMap(({ contents }) => contents.map((part) => (typeof part === 'string' ? part : part.value))).join('\n');
}

/** Does what a lens offers, and takes the first step that is offered then. Returns what determines the run that is explored now. */
async function follow({ command }: vscode.CodeLens): Promise<URLSearchParams> {
  await acceptingAll(command!.command, ...(command!.arguments as unknown[]));
  await vscode.commands.executeCommand('virtflow.copyLink');
  return new URLSearchParams(vscode.Uri.parse(await vscode.env.clipboard.readText()).query);
}

/** Waits until the source of the explored step is shown. */
async function untilShown(file: string, line: number): Promise<void> {
  const editor = await until('the source', () => vscode.window.visibleTextEditors.find(({ document }) => document.uri.path.endsWith(file)));
  await until('the line', () => editor.selection.active.line === line);
}

suite('from code to flow', () => {
  suiteSetup(async function () {
    this.timeout(30_000);
    tree = memoryTree('virtflow-test-tree', FILES);
    await settings().update('sources.linux', tree.root, vscode.ConfigurationTarget.Global);
  });

  suiteTeardown(async () => {
    await settings().update('sources.linux', undefined, vscode.ConfigurationTarget.Global);
    await settings().update('annotateSource', undefined, vscode.ConfigurationTarget.Global);
    await tree.close();
  });

  test('a modelled function has a lens, another one has none', async function () {
    this.timeout(30_000);
    await vscode.window.showTextDocument(uriOf(INTRS));
    const lenses = await lensesOf(uriOf(INTRS));
    equal(
      lenses.map(({ range }) => range.start.line),
      [2],
    );
    ok(/^1 flow passes here · \d+ steps$/.test(lenses[0]?.command?.title ?? ''), lenses[0]?.command?.title ?? 'no title');
  });

  test('a file that no reference names is not even read', async () => {
    await vscode.workspace.openTextDocument(uriOf(SLAB));
    const before = tree.read.filter((file) => file === SLAB).length;
    equal((await lensesOf(uriOf(SLAB))).length, 0);
    equal(tree.read.filter((file) => file === SLAB).length, before);
  });

  test('a hover says what a function does, at its definition and where it is called', async () => {
    ok((await hoverAt(INTRS, 2, 25)).includes('Comes from `__handle_irq_event_percpu`'), 'the definition');
    ok((await hoverAt(INTRS, 4, 4)).startsWith('**`eventfd_signal`**'), 'the call');
    equal(await hoverAt(INTRS, 5, 12), '');
    equal(await hoverAt(INTRS, 9, 15), '');
  });

  test('a modelled function that no run passes has a lens and a hover that say so, and who calls it', async () => {
    await vscode.workspace.openTextDocument(uriOf(IOAPIC));
    const [lens] = await lensesOf(uriOf(IOAPIC));
    equal(lens?.command?.title, 'Modelled · no run at hand comes here');
    equal(lens?.command?.command, 'virtflow.showCallHierarchy');
    const hover = await hoverAt(IOAPIC, 2, 14);
    ok(hover.includes('Comes from `kvm_ioapic_inject_all`') && hover.includes('no run at hand comes here'), hover);
  });

  test('VS Code’s call hierarchy leads from vfio_msihandler to the guest’s handler', async function () {
    this.timeout(60_000);
    type Item = vscode.CallHierarchyItem;
    const [start] = await vscode.commands.executeCommand<Item[]>('vscode.prepareCallHierarchy', uriOf(INTRS), new vscode.Position(2, 25));
    ok(start, 'nothing to start from');
    const reached = new Map<string, string>([[start.name, start.detail ?? '']]);
    for (let items = [start]; items.length > 0 && !reached.has('edu_msi_handler');) {
      const next: Item[] = [];
      for (const item of items)
        for (const { to } of await vscode.commands.executeCommand<vscode.CallHierarchyOutgoingCall[]>(
          'vscode.provideOutgoingCalls',
          item,
        )) {
          if (reached.has(to.name)) continue;
          reached.set(to.name, to.detail ?? '');
          next.push(to);
        }
      items = next;
    }
    ok(reached.has('edu_msi_handler'), `reached ${reached.size} functions`);
    equal(reached.get('irqfd_wakeup')?.split(' ')[0], 'eventfd');
    const [call] = await vscode.commands.executeCommand<vscode.CallHierarchyIncomingCall[]>('vscode.provideIncomingCalls', start);
    equal(call?.from.name, '__handle_irq_event_percpu');
    ok(call?.from.detail?.startsWith('function pointer'), call?.from.detail ?? 'no caller');
  });

  test('a function that only a run with other parameters reaches has its lens, which starts that run', async function () {
    this.timeout(30_000);
    await vscode.workspace.openTextDocument(uriOf(SVM));
    const [lens, ...others] = await lensesOf(uriOf(SVM));
    equal(others.length, 0);
    ok(/^\d+ flows? pass(es)? here · \d+ steps?$/.test(lens?.command?.title ?? ''), lens?.command?.title ?? 'no lens');
    equal((await follow(lens!)).get('set.lapic'), 'svm-x2apic');
    await untilShown(SVM, 2);
  });

  test('what is typed above moves the lens, unsaved', async () => {
    const editor = await vscode.window.showTextDocument(uriOf(INTRS));
    // The file system cannot write: this stays unsaved.
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), '/* one\n * more\n */\n'));
    const lenses = await lensesOf(uriOf(INTRS));
    equal(
      lenses.map(({ range }) => range.start.line),
      [5],
    );
  });

  test('a lens leads to a step of its flow, in the file and line that the reader came from', async function () {
    this.timeout(30_000);
    const [lens] = await lensesOf(uriOf(INTRS));
    equal((await follow(lens!)).get('flow'), 'vfio-msi');
    await untilShown(INTRS, 5);
  });

  test('a file that changes on disk while no editor is open on it is read anew, and so is a tree that becomes another version', async function () {
    this.timeout(30_000);
    const { line } = (await lensesOf(uriOf(INTRS)))[0]!.range.start;
    const [start] = await vscode.commands.executeCommand<vscode.CallHierarchyItem[]>(
      'vscode.prepareCallHierarchy',
      uriOf(INTRS),
      new vscode.Position(line, 25),
    );
    const callee = async (of: vscode.CallHierarchyItem, name: string): Promise<vscode.CallHierarchyItem> => {
      const calls = await vscode.commands.executeCommand<vscode.CallHierarchyOutgoingCall[]>('vscode.provideOutgoingCalls', of);
      const found = calls.find(({ to }) => to.name === name)?.to;
      ok(found, `${of.name} does not lead to ${name}`);
      return found;
    };
    const signal = await callee(start!, 'eventfd_signal');
    const lineOfMask = async (): Promise<number> => (await callee(signal, 'eventfd_signal_mask')).selectionRange.start.line;
    equal(await lineOfMask(), 0);
    tree.change({ [EVENTFD]: `\n\n${FILES[EVENTFD]}` });
    await until('the new line', async () => (await lineOfMask()) === 2);

    ok(!(await hoverAt(INTRS, line, 25)).includes('was not checked'), 'a version that was checked');
    tree.change({ Makefile: 'VERSION = 9\nPATCHLEVEL = 42\nSUBLEVEL = 0\n' });
    await until('the new version', async () => (await hoverAt(INTRS, line, 25)).includes('Linux 9.42 was not checked'));
  });

  test('one setting switches it off', async () => {
    await settings().update('annotateSource', false, vscode.ConfigurationTarget.Global);
    await until('no lens', async () => (await lensesOf(uriOf(INTRS))).length === 0);
  });
});
