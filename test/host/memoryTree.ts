import * as vscode from 'vscode';
import { until } from './assert';

/** A source tree that is nowhere but in a test. No editor can write in it. */
export interface MemoryTree {
  /** As `virtflow.sources.linux` names it. */
  readonly root: string;
  uriOf(file: string): vscode.Uri;
  /** Gives files another text, behind the editor's back, as a checkout does. */
  change(texts: Readonly<Record<string, string>>): void;
  /** The files that were read, in order. */
  readonly read: readonly string[];
  /** Ends the tree and, before it, the editors on its files, whichever of them are unsaved or have the focus. */
  close(): Promise<void>;
}

/** Serves files, by their paths in the tree, under a scheme of their own. */
export function memoryTree(scheme: string, initial: Readonly<Record<string, string>>): MemoryTree {
  const root = `${scheme}://trees/linux`;
  const files: Record<string, string> = { ...initial };
  const changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  let mtime = 0;
  const read: string[] = [];
  const uriOf = (file: string): vscode.Uri => vscode.Uri.parse(`${root}/${file}`);
  const pathOf = ({ path }: vscode.Uri): string => path.replace(/^\/linux\/?/, '');
  const bytesOf = (uri: vscode.Uri): Uint8Array => {
    const text = files[pathOf(uri)];
    if (text === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    return new TextEncoder().encode(text);
  };
  const isFolder = (uri: vscode.Uri): boolean => Object.keys(files).some((file) => file.startsWith(`${pathOf(uri)}/`));
  const no = (): never => {
    throw vscode.FileSystemError.NoPermissions();
  };
  const registered = vscode.workspace.registerFileSystemProvider(scheme, {
    onDidChangeFile: changed.event,
    watch: () => new vscode.Disposable(() => undefined),
    stat: (uri) =>
      isFolder(uri)
        ? { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 }
        : { type: vscode.FileType.File, ctime: 0, mtime, size: bytesOf(uri).length },
    readFile(uri) {
      read.push(pathOf(uri));
      return bytesOf(uri);
    },
    readDirectory: no,
    createDirectory: no,
    writeFile: no,
    delete: no,
    rename: no,
  });
  return {
    root,
    read,
    uriOf,
    change(texts) {
      Object.assign(files, texts);
      mtime++;
      changed.fire(Object.keys(texts).map((file) => ({ type: vscode.FileChangeType.Changed, uri: uriOf(file) })));
    },
    async close() {
      await closeEditors(scheme);
      registered.dispose();
    },
  };
}

/** A file that stays unsaved would keep VS Code from debugging ever after: it saves first, and asks where to. */
async function closeEditors(scheme: string): Promise<void> {
  for (const document of vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === scheme))
    await until(`${document.uri.path} as it was`, async () => {
      if (!document.isDirty) return true;
      await vscode.window.showTextDocument(document);
      await vscode.commands.executeCommand('workbench.action.files.revert');
      return !document.isDirty;
    });
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  await vscode.window.tabGroups.close(tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === scheme));
}
