import * as vscode from 'vscode';

/** A source tree that is nowhere but in a test. Nothing in it can be written. */
export interface MemoryTree extends vscode.Disposable {
  /** As `virtflow.sources.linux` names it. */
  readonly root: string;
  uriOf(file: string): vscode.Uri;
  /** The files that were read, in order. */
  readonly read: readonly string[];
}

/** Serves files, by their paths in the tree, under a scheme of their own. */
export function memoryTree(scheme: string, files: Readonly<Record<string, string>>): MemoryTree {
  const root = `${scheme}://trees/linux`;
  const read: string[] = [];
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
    onDidChangeFile: new vscode.EventEmitter<vscode.FileChangeEvent[]>().event,
    watch: () => new vscode.Disposable(() => undefined),
    stat: (uri) =>
      isFolder(uri)
        ? { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 }
        : { type: vscode.FileType.File, ctime: 0, mtime: 0, size: bytesOf(uri).length },
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
  return { root, read, uriOf: (file) => vscode.Uri.parse(`${root}/${file}`), dispose: () => registered.dispose() };
}
