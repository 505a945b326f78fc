import * as vscode from 'vscode';
import { equal, ok } from './assert';

interface Manifest {
  readonly contributes?: { readonly commands?: readonly { readonly command: string }[] };
}

suite('activation', () => {
  test('the extension activates', async () => {
    const extension = vscode.extensions.getExtension('virtflow.virtflow');
    ok(extension, 'virtflow.virtflow is not installed');
    await extension.activate();
    ok(extension.isActive, 'virtflow.virtflow is not active');
  });

  test('every command of the manifest is registered', async () => {
    const manifest = vscode.extensions.getExtension('virtflow.virtflow')?.packageJSON as Manifest;
    const registered = new Set(await vscode.commands.getCommands(true));
    const missing = (manifest.contributes?.commands ?? []).map(({ command }) => command).filter((command) => !registered.has(command));
    equal(missing, []);
  });
});
