import { t } from '@vscode/l10n';

/**
 * One source tree as the resolver sees it. Paths are relative to the tree's root and '/'-separated; how they
 * are read (node:fs, VS Code's workspace.fs, a map in a test) is the implementer's business.
 */

export interface FileStat {
  readonly type: 'file' | 'directory' | 'other';
  /** In bytes. */
  readonly size: number;
}

export interface SourceFiles {
  /** `undefined` when nothing is there; rejects when what is there may not be used, such as a link out of the tree. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Rejects when the file cannot be read. */
  read(path: string): Promise<Uint8Array>;
}

export type FileText =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'absent' } | { readonly kind: 'refused'; readonly message: string };

/** The largest upstream C file with code in it is under 2 MiB; the larger ones are generated register lists. */
export const MAX_SOURCE_BYTES = 8 * 1024 * 1024;

// Every host has it, but the pure ES library does not declare it.
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string };

/**
 * Reads a source file as UTF-8; bytes that are not UTF-8 become U+FFFD, as in VS Code, so that columns agree.
 * Never rejects: whatever cannot be read as source text is `refused`, with a message that names the path.
 */
export async function readText(files: SourceFiles, path: string): Promise<FileText> {
  try {
    const stat = await files.stat(path);
    if (stat === undefined) return { kind: 'absent' };
    if (stat.type !== 'file') return refused(t('{0} is not a regular file', path));
    if (stat.size > MAX_SOURCE_BYTES) return tooLarge(path, stat.size);
    return decode(path, await files.read(path));
  } catch (error) {
    return refused(error instanceof Error ? error.message : t('{0} cannot be read: {1}', path, String(error)));
  }
}

function decode(path: string, bytes: Uint8Array): FileText {
  // The file may have grown since it was measured.
  if (bytes.length > MAX_SOURCE_BYTES) return tooLarge(path, bytes.length);
  if (bytes.includes(0)) return refused(t('{0} is binary (it has a NUL byte), expected source text', path));
  return { kind: 'text', text: new TextDecoder('utf-8').decode(bytes) };
}

function tooLarge(path: string, size: number): FileText {
  return refused(t('{0} has {1} bytes, more than the {2} that are read as source text', path, size, MAX_SOURCE_BYTES));
}

function refused(message: string): FileText {
  return { kind: 'refused', message };
}
