import { readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { t } from '@vscode/l10n';
import type { SourceFiles } from '../sources/files';

/**
 * The source tree in a directory. Links are followed inside the tree only: one that leads out of it or in a
 * circle makes `stat` and `read` reject with a message that names it; so does a path such as '../x'.
 */
export function nodeFiles(root: string): SourceFiles {
  return {
    async stat(path) {
      const real = await locate(root, path);
      if (real === undefined) return undefined;
      const stats = await stat(real);
      const type = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
      return { type, size: stats.size };
    },
    async read(path) {
      const real = await locate(root, path);
      if (real === undefined) throw new Error(t('there is no {0} in {1}', path, root));
      // Opening a FIFO would wait for a writer for ever.
      if (!(await stat(real)).isFile()) throw new Error(t('{0} in {1} is not a regular file', path, root));
      return readFile(real);
    },
  };
}

/** The absolute path behind all links, or `undefined` if nothing is there. */
async function locate(root: string, path: string): Promise<string | undefined> {
  const realRoot = await realPath(root, root);
  if (realRoot === undefined) throw new Error(t('there is no directory {0}', root));
  const full = join(realRoot, path);
  if (!isWithin(realRoot, full)) throw new Error(t('{0} leads out of {1}', path, root));
  const real = await realPath(full, path);
  if (real === undefined || isWithin(realRoot, real)) return real;
  throw new Error(t('{0} is a link that leads out of {1}, to {2}', path, root, real));
}

async function realPath(full: string, name: string): Promise<string | undefined> {
  try {
    return await realpath(full);
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        return undefined;
      case 'ELOOP':
        throw new Error(t('{0} is a link that leads in a circle', name), { cause: error });
      default:
        throw new Error(t('{0} cannot be read: {1}', name, String(error)), { cause: error });
    }
  }
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Why a file cannot be read or written, in words. */
export function problemOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return t('there is no such file or directory');
    case 'EISDIR':
      return t('this is a directory, expected a file');
    case 'EACCES':
    case 'EPERM':
      return t('permission denied');
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
