import * as vscode from 'vscode';
import { readPlace } from '../../src/flows/export/link';
import { acceptingAll } from './accepting';
import { equal, ok, until } from './assert';

/** What a reader does, through commands: explore, step, step back; without any source tree it all stands on outlines. */

const active = () => vscode.window.visibleTextEditors.find(({ document }) => document.uri.scheme === 'virtflow-outline');

suite('a flow in the editor', () => {
  test('exploring opens the outline of the first step’s file, and no upstream code', async function () {
    this.timeout(20_000);
    await vscode.commands.executeCommand('virtflow.exploreFlow', 'vfio-intx', 'The device raises its line');
    const editor = await until('an outline is open', active);
    equal(editor.document.languageId, 'c');
    ok(editor.document.getText().includes('An outline of'), 'the outline says what it is');
  });

  test('stepping moves to the line of the next place, stepping back returns', async function () {
    this.timeout(20_000);
    // The editor follows a move when the file is open; revealing is over when it has.
    const place = async () => {
      await vscode.commands.executeCommand('virtflow.revealSource');
      return `${active()?.document.uri.path}:${active()?.selection.active.line}`;
    };
    const before = await place();
    let moved = 0;
    while ((await place()) === before && moved < 20) {
      await vscode.commands.executeCommand('virtflow.step');
      moved++;
    }
    ok((await place()) !== before, 'no step moved the editor');
    while (moved-- > 0) await vscode.commands.executeCommand('virtflow.stepBack');
    equal(await place(), before);
  });

  test('the current line is where the outline names the function or anchor', async function () {
    this.timeout(20_000);
    await vscode.commands.executeCommand('virtflow.exploreFlow', 'vfio-intx', 'A worker drives the guest’s I/O APIC');
    const editor = await until('the irqfd outline is open', () =>
      active()?.document.uri.path.endsWith('virt/kvm/eventfd.c') ? active() : undefined,
    );
    const line = editor.document.lineAt(editor.selection.active.line).text;
    ok(line.includes('irqfd_inject'), `the line is "${line}"`);
  });

  test('a link reopens the flow with its parameters at the step', async function () {
    this.timeout(20_000);
    await vscode.commands.executeCommand('virtflow.copyLink');
    const link = await vscode.env.clipboard.readText();
    const query = new URLSearchParams(vscode.Uri.parse(link).query);
    equal(query.get('flow'), 'vfio-intx');
    ok(Number(query.get('step')) > 0, link);
    equal(query.get('set.kvm-intx'), 'true');
    const place = readPlace(vscode.Uri.parse(link).query);
    ok(place.kind === 'place' && place.step === Number(query.get('step')), 'the link is read as it was written');
  });

  test('a run is exported to an editor by accepting what is proposed', async function () {
    this.timeout(20_000);
    const exported = () => vscode.workspace.textDocuments.find(({ isUntitled }) => isUntitled);
    // A pick is dismissed when an editor takes the focus, as one may that still follows the step before: then once more.
    const document = await until('an untitled document is open', async () => {
      await acceptingAll('virtflow.export');
      return exported();
    });
    ok(document.getText().startsWith('sequenceDiagram\n'), document.getText().slice(0, 40));
    ok(document.getText().includes('participant T0 as device'), 'the threads take part');
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });

  test('opening a link goes there, unless it says nonsense', async function () {
    this.timeout(20_000);
    const link = async () => {
      await vscode.commands.executeCommand('virtflow.copyLink');
      return vscode.Uri.parse(await vscode.env.clipboard.readText());
    };
    const before = await link();
    for (const query of ['', 'v=1&flow=nothing', 'v=1&flow=pic&step=-1', '%', '__proto__=1', 'v=1&flow=pic&inject=x@1'])
      await vscode.commands.executeCommand('vscode.open', before.with({ query }));
    equal((await link()).query, before.query);
    await vscode.commands.executeCommand('vscode.open', before.with({ query: 'v=1&flow=pic&step=77' }));
    await until('the link’s step', async () => /flow=pic&step=77&/.test((await link()).query));
  });

  const place = async () => {
    await vscode.commands.executeCommand('virtflow.copyLink');
    return new URLSearchParams(vscode.Uri.parse(await vscode.env.clipboard.readText()).query);
  };

  test('who wrote a value, from the palette: the last write is a choice away', async function () {
    this.timeout(20_000);
    await vscode.commands.executeCommand('virtflow.exploreFlow', 'vfio-intx', 'The device raises its line');
    const before = Number((await place()).get('step'));
    // The value that was written last is proposed first, and of its writes the last one.
    await acceptingAll('virtflow.whoWrote');
    const step = Number((await place()).get('step'));
    ok(step >= 0 && step <= before, `from step ${before} to ${step}`);
  });

  test('a run of the palette’s choice stands beside this one without disturbing it', async function () {
    this.timeout(20_000);
    const before = await place();
    await acceptingAll('virtflow.compareWith');
    equal((await place()).toString(), before.toString());
  });

  test('a note is gone to from a flow that comes there, and from one that does not', async function () {
    this.timeout(60_000);
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    ok(folder, 'a folder is open');
    const file = vscode.Uri.joinPath(folder.uri, '.vscode/virtflow-notes.json');
    try {
      await vscode.commands.executeCommand('virtflow.exploreFlow', 'vfio-intx', 'A worker drives the guest’s I/O APIC');
      await vscode.commands.executeCommand('virtflow.addNote', 'Ask Paolo.');
      equal(JSON.parse(new TextDecoder().decode(await vscode.workspace.fs.readFile(file))), {
        version: 1,
        notes: [{ at: { function: 'irqfd_inject' }, text: 'Ask Paolo.' }],
      });
      for (const flow of ['mdev-mtty', 'vfio-msi']) {
        await vscode.commands.executeCommand('virtflow.exploreFlow', flow);
        // A pick is dismissed when an editor takes the focus: then once more.
        await until('the note’s line', async () => {
          await acceptingAll('virtflow.goToNote');
          const editor = active();
          return editor?.document.lineAt(editor.selection.active.line).text.startsWith('irqfd_inject(');
        });
        equal((await place()).get('flow') === flow, flow === 'mdev-mtty');
      }
    } finally {
      await vscode.workspace.fs.delete(file);
    }
  });
});
