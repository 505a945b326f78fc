import * as vscode from 'vscode';

/** Files of a source tree that change on disk: another version is checked out, a patch applied, while no editor is open on them. */
export interface FollowedFolders extends vscode.Disposable {
  /** From now on changes of what is in a file's folder are told. The path is relative to the root. */
  follow(path: string): void;
}

/**
 * Follows folders below a root one by one, as they are asked for: a kernel tree as a whole has thousands.
 * @param changed is called with the path of a file that has changed, come or gone
 */
export function followFolders(root: vscode.Uri, changed: (path: string) => void): FollowedFolders {
  const watchers = new Map<string, vscode.Disposable>();
  const tell = (uri: vscode.Uri): void => changed(uri.path.slice(root.path.replace(/\/$/, '').length + 1));

  function watch(folder: string): vscode.Disposable {
    const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.joinPath(root, folder), '*'));
    return vscode.Disposable.from(watcher, watcher.onDidChange(tell), watcher.onDidCreate(tell), watcher.onDidDelete(tell));
  }

  return {
    follow(path) {
      const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (!watchers.has(folder)) watchers.set(folder, watch(folder));
    },
    dispose() {
      for (const watcher of watchers.values()) watcher.dispose();
      watchers.clear();
    },
  };
}
