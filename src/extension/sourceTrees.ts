import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { PROJECTS, type Project, type Reference } from '../engine/reference';
import type { SourceFiles } from '../sources/files';
import { createResolver, type Resolution, type Resolver } from '../sources/resolver';
import { recogniseTree, versionFileOf, type Tree } from '../sources/tree';
import { followFolders } from './followFolders';

/** The reader's own source trees: named in the settings, or found among the workspace folders. */

/** A tree that steps can be resolved in. */
export interface BoundTree {
  readonly tree: Tree;
  readonly root: vscode.Uri;
  readonly resolver: Resolver;
  /** It follows its files on disk until then. */
  readonly dispose: () => void;
}

/** What a tree says to a reference; `uri` is the file that it was found in, or missed in. */
export interface Resolved {
  readonly tree: Tree;
  readonly uri: vscode.Uri;
  readonly resolution: Resolution;
}

/** A file of a bound tree. */
export interface TreeFile extends BoundTree {
  /** Its path in the tree. */
  readonly path: string;
}

export interface SourceTrees extends vscode.Disposable {
  /** The tree of a project, if the reader has one. */
  bound(project: Project): Promise<BoundTree | undefined>;
  /** All trees of the reader's. */
  all(): Promise<readonly BoundTree[]>;
  /** Which file of a bound tree this is, if it is one. */
  fileOf(uri: vscode.Uri): Promise<TreeFile | undefined>;
  /** A reference's place in the reader's tree; undefined when there is no tree of its project. */
  resolve(reference: Reference): Promise<Resolved | undefined>;
  /** Looks at a folder: which tree it is, or why it is none. */
  inspect(folder: vscode.Uri): ReturnType<typeof recogniseTree>;
  readonly onDidChange: vscode.Event<void>;
}

/** Binds trees on first use, and again when folders or settings change, or when a tree becomes another version: somebody checked one out. */
export function createSourceTrees(): SourceTrees {
  const changed = new vscode.EventEmitter<void>();
  let trees: Promise<ReadonlyMap<Project, BoundTree>> | undefined;

  const forget = (): void => {
    disposeAll();
    trees = undefined;
    changed.fire();
  };
  const disposeAll = (): void => void trees?.then((bound) => bound.forEach((tree) => tree.dispose()));
  const subscriptions = [
    vscode.workspace.onDidChangeWorkspaceFolders(forget),
    vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration('virtflow.sources') && forget()),
    vscode.workspace.onDidChangeTextDocument(({ document }) => void invalidate(document.uri)),
    vscode.workspace.onDidSaveTextDocument(({ uri }) => void invalidate(uri)),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => void invalidate(uri)),
  ];

  async function invalidate(uri: vscode.Uri): Promise<void> {
    if (trees === undefined) return;
    const file = await fileOf(uri);
    file?.resolver.invalidate(file.path);
  }

  async function all(): Promise<readonly BoundTree[]> {
    trees ??= bindAll(forget);
    return [...(await trees).values()];
  }

  async function bound(project: Project): Promise<BoundTree | undefined> {
    return (await all()).find(({ tree }) => tree.project === project);
  }

  async function fileOf({ scheme, authority, path }: vscode.Uri): Promise<TreeFile | undefined> {
    const tree = (await all()).find(
      ({ root }) => scheme === root.scheme && authority === root.authority && path.startsWith(`${root.path}/`),
    );
    return tree && { ...tree, path: path.slice(tree.root.path.length + 1) };
  }

  return {
    bound,
    all,
    fileOf,
    async resolve(reference) {
      const tree = await bound(reference.project);
      if (tree === undefined) return undefined;
      const resolution = await tree.resolver.resolve(reference);
      return { tree: tree.tree, uri: vscode.Uri.joinPath(tree.root, resolution.path), resolution };
    },
    inspect: (folder) => recogniseTree(workspaceFiles(folder)),
    onDidChange: changed.event,
    dispose() {
      disposeAll();
      changed.dispose();
      subscriptions.forEach((subscription) => subscription.dispose());
    },
  };
}

/** A tree, and where it is. */
type Rooted = Pick<BoundTree, 'tree' | 'root'>;

async function bindAll(outdated: () => void): Promise<ReadonlyMap<Project, BoundTree>> {
  const found = new Map<Project, Rooted>();
  for (const project of PROJECTS) {
    const root = configuredFolder(project);
    if (root === undefined) continue;
    const recognition = await recogniseTree(workspaceFiles(root));
    if (recognition.kind === 'tree' && recognition.tree.project === project) {
      found.set(project, { tree: recognition.tree, root });
    } else {
      const why = recognition.kind === 'unknown' ? recognition.message : otherProject(recognition.tree);
      void vscode.window.showErrorMessage(
        t('Virtflow: the setting virtflow.sources.{0} names {1}: {2}', project, root.toString(true), why),
      );
    }
  }
  for (const { uri: root } of vscode.workspace.workspaceFolders ?? []) {
    const recognition = await recogniseTree(workspaceFiles(root));
    if (recognition.kind === 'unknown') continue;
    const { tree } = recognition;
    if (!found.has(tree.project)) found.set(tree.project, { tree, root });
  }
  return new Map([...found].map(([project, rooted]) => [project, bind(rooted, outdated)]));
}

const otherProject = ({ project, version }: Tree): string => t('it is a tree of {0} {1}', project, version);

/** @param outdated is called when the tree has become another version */
function bind({ tree, root }: Rooted, outdated: () => void): BoundTree {
  const files = workspaceFiles(root);
  const versionFile = versionFileOf(tree.project);
  const folders = followFolders(root, (path) => (path === versionFile ? outdated() : resolver.invalidate(path)));
  const resolver = createResolver(tree, {
    stat: (path) => (folders.follow(path), files.stat(path)),
    read: (path) => files.read(path),
  });
  folders.follow(versionFile);
  return { tree, root, resolver, dispose: () => folders.dispose() };
}

/** The folder that a setting names: an absolute path or a URI. */
function configuredFolder(project: Project): vscode.Uri | undefined {
  const value = vscode.workspace.getConfiguration('virtflow.sources').get<unknown>(project);
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(value) ? vscode.Uri.parse(value) : vscode.Uri.file(value);
}

/** The files under a folder, through the editor's own file systems: on the desktop, remote, or virtual. What is being edited is read as it stands there. */
function workspaceFiles(root: vscode.Uri): SourceFiles {
  const within = (path: string): vscode.Uri => {
    const uri = vscode.Uri.joinPath(root, path);
    if (uri.path !== root.path && !uri.path.startsWith(root.path.replace(/\/?$/, '/')))
      throw new Error(t('{0} leads out of {1}', path, root.path));
    return uri;
  };
  return {
    async stat(path) {
      try {
        const { type, size } = await vscode.workspace.fs.stat(within(path));
        const plain = type & ~vscode.FileType.SymbolicLink;
        return { type: plain === vscode.FileType.File ? 'file' : plain === vscode.FileType.Directory ? 'directory' : 'other', size };
      } catch (error) {
        if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return undefined;
        throw error;
      }
    },
    async read(path) {
      const uri = within(path);
      const edited = vscode.workspace.textDocuments.find((document) => document.isDirty && document.uri.toString() === uri.toString());
      return edited ? new TextEncoder().encode(edited.getText()) : vscode.workspace.fs.readFile(uri);
    },
  };
}
