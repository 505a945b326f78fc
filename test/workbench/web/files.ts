import { createReadStream, type ReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { MountedFolder } from '../folders';

/** VS Code's own numbers for kinds of files. */
export const FileType = { unknown: 0, file: 1, directory: 2, symbolicLink: 64 } as const;
type FileType = (typeof FileType)[keyof typeof FileType];

/** What a request for `?stat` is answered with; times in milliseconds since 1970, size in bytes. */
export interface FileStat {
  readonly type: FileType;
  readonly ctime: number;
  readonly mtime: number;
  readonly size: number;
}

/** One line of the answer to `?readdir`. */
export interface DirectoryEntry {
  readonly name: string;
  readonly type: FileType;
}

/** The bytes of a file, as a stream, with their number. */
export interface OpenFile {
  readonly size: number;
  readonly stream: ReadStream;
}

/** Files are looked at one request at a time: a kernel tree is never walked. All reject when there is no such file within the root. */
export interface FileTree {
  stat(relative: string): Promise<FileStat>;
  readDirectory(relative: string): Promise<readonly DirectoryEntry[]>;
  open(relative: string): Promise<OpenFile>;
}

/** The files below one folder. No path leads out of it, neither by `..` nor by a symbolic link. */
export function folderTree(root: string): FileTree {
  return {
    async stat(relative) {
      const found = await stat(await within(root, relative));
      return { type: kindOf(found), ctime: found.ctimeMs, mtime: found.mtimeMs, size: found.size };
    },
    async readDirectory(relative) {
      const entries = await readdir(await within(root, relative), { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, type: kindOf(entry) }));
    },
    async open(relative) {
      const file = await within(root, relative);
      const found = await stat(file);
      // Opening a named pipe would wait for its writer.
      if (!found.isFile()) throw new Error(`not a file: ${relative}`);
      return { size: found.size, stream: createReadStream(file, { end: Math.max(found.size - 1, 0) }) };
    },
  };
}

/** Folders side by side, each below a directory of its name. */
export function mountedTree(folders: readonly MountedFolder[]): FileTree {
  const mounts = new Map(folders.map((folder) => [folder.name, folderTree(folder.path)]));
  const locate = (relative: string): readonly [FileTree, string] => {
    const [name = '', ...rest] = relative.split('/').filter((part) => part !== '');
    const tree = mounts.get(name);
    if (!tree) throw new Error(`nothing is mounted as "${name}"`);
    return [tree, rest.join('/')];
  };
  const isRoot = (relative: string) => /^\/*$/.test(relative);
  return {
    async stat(relative) {
      if (isRoot(relative)) return { type: FileType.directory, ctime: 0, mtime: 0, size: 0 };
      const [tree, rest] = locate(relative);
      return tree.stat(rest);
    },
    async readDirectory(relative) {
      if (isRoot(relative)) return folders.map(({ name }) => ({ name, type: FileType.directory }));
      const [tree, rest] = locate(relative);
      return tree.readDirectory(rest);
    },
    async open(relative) {
      const [tree, rest] = locate(relative);
      return tree.open(rest);
    },
  };
}

async function within(root: string, relative: string): Promise<string> {
  const [base, file] = await Promise.all([realpath(root), realpath(path.join(root, relative))]);
  if (file !== base && !file.startsWith(base + path.sep)) throw new Error(`outside of the served folder: ${relative}`);
  return file;
}

interface Kind {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(entry: Kind): FileType {
  if (entry.isFile()) return FileType.file;
  if (entry.isDirectory()) return FileType.directory;
  return entry.isSymbolicLink() ? FileType.symbolicLink : FileType.unknown;
}
