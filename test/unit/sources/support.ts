import type { FileStat, SourceFiles } from '../../../src/sources/files';
import type { Definition } from '../../../src/sources/scanner';
import type { Tree } from '../../../src/sources/tree';

export const LINUX: Tree = { project: 'linux', version: '6.1.192' };

/** A tree in memory; `reads` lists every read in order. */
export interface MemoryFiles extends SourceFiles {
  readonly reads: string[];
}

/** Directories are there by what is in them. The texts may be changed afterwards. */
export function memoryFiles(texts: Record<string, string | Uint8Array>): MemoryFiles {
  const reads: string[] = [];
  return {
    reads,
    stat: (path) => Promise.resolve(statOf(path)),
    read: (path) => {
      reads.push(path);
      return Promise.resolve(bytesOf(texts[path] ?? ''));
    },
  };

  function statOf(path: string): FileStat | undefined {
    const content = texts[path];
    if (content !== undefined) return { type: 'file', size: bytesOf(content).length };
    const isDirectory = Object.keys(texts).some((name) => name.startsWith(`${path}/`));
    return isDirectory ? { type: 'directory', size: 0 } : undefined;
  }
}

/** What definitions say for people to compare: `function irq_handler`. */
export function names(definitions: readonly Definition[]): readonly string[] {
  return definitions.map(({ kind, name }) => `${kind} ${name}`);
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
}
