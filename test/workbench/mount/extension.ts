/** A built-in extension of the test workbench: shows the folders that its server serves, as `mount:/name/...`. */
import * as vscode from 'vscode';

export function activate(context: vscode.ExtensionContext): void {
  const server = context.extensionUri.with({ path: '/mount', query: '', fragment: '' }).toString();
  context.subscriptions.push(vscode.workspace.registerFileSystemProvider('mount', mountedFolders(server), { isCaseSensitive: true }));
}

/** Reads come from the server. Writes stay in memory and go with the page: nobody's tree is ever changed. */
function mountedFolders(server: string): vscode.FileSystemProvider {
  const written = new Map<string, { readonly content: Uint8Array; readonly mtime: number }>();
  const changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();

  async function ask(uri: vscode.Uri, question: string): Promise<Response> {
    const path = uri.path.split('/').map(encodeURIComponent).join('/');
    const response = await fetch(`${server}${path}${question}`);
    if (!response.ok) throw vscode.FileSystemError.FileNotFound(uri);
    return response;
  }

  return {
    onDidChangeFile: changes.event,
    watch: () => new vscode.Disposable(() => undefined),
    async stat(uri) {
      const edited = written.get(uri.path);
      if (edited) return { type: vscode.FileType.File, ctime: edited.mtime, mtime: edited.mtime, size: edited.content.length };
      return (await (await ask(uri, '?stat')).json()) as vscode.FileStat;
    },
    async readDirectory(uri) {
      const entries = (await (await ask(uri, '?readdir')).json()) as readonly { name: string; type: vscode.FileType }[];
      const added = [...written.keys()].filter((path) => path.slice(0, path.lastIndexOf('/')) === uri.path);
      const names = new Map(entries.map(({ name, type }) => [name, type]));
      for (const path of added) names.set(path.slice(path.lastIndexOf('/') + 1), vscode.FileType.File);
      return [...names];
    },
    async readFile(uri) {
      return written.get(uri.path)?.content ?? new Uint8Array(await (await ask(uri, '')).arrayBuffer());
    },
    writeFile(uri, content) {
      written.set(uri.path, { content, mtime: Date.now() });
      changes.fire([{ type: vscode.FileChangeType.Changed, uri }]);
    },
    delete(uri) {
      if (!written.delete(uri.path)) throw vscode.FileSystemError.NoPermissions(uri);
      changes.fire([{ type: vscode.FileChangeType.Deleted, uri }]);
    },
    // A directory exists as soon as something is written into it.
    createDirectory: () => undefined,
    rename(from) {
      throw vscode.FileSystemError.NoPermissions(from);
    },
  };
}
