import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';
import { lineAndColumn, type Mistake } from '../flows/scenario/json';
import { changeNotes, NO_NOTES, readNotes, type NotesChange } from '../flows/scenario/notes';
import { replaceText } from './documents';
import { showError } from './errors';

/**
 * The reader's notes: in a file of the first workspace folder, to be shared with it, or, where no folder is open or it cannot be written, in
 * what VS Code remembers of the workspace.
 */
export interface Notes extends vscode.Disposable {
  readonly all: readonly Note[];
  /** @throws Error if the notes that are there cannot be read, which are left as they are, or cannot be written */
  change(change: NotesChange): Promise<void>;
  readonly onDidChange: vscode.Event<void>;
}

const FILE = '.vscode/virtflow-notes.json';
const KEY = 'virtflow.notes';

/** Reads the notes, and again whenever their file changes. */
export function registerNotes(memory: vscode.Memento): Notes {
  const changed = new vscode.EventEmitter<void>();
  let all: readonly Note[] = [];

  /** Reading may take longer than the next change: only the latest counts. */
  let latest = 0;
  async function reload(): Promise<void> {
    const mine = ++latest;
    const file = notesFile();
    const text = file === undefined ? memory.get<string>(KEY) : await textOf(file);
    if (mine !== latest) return;
    const read = readNotes(text ?? NO_NOTES);
    all = read.kind === 'notes' ? read.notes : [];
    changed.fire();
    if (read.kind === 'malformed') showError(new Error(problemOf(text ?? '', read.mistakes)));
  }
  const begin = (): void => void reload().catch(showError);

  const watcher = vscode.workspace.createFileSystemWatcher(`**/${FILE}`);
  const subscriptions = [
    changed,
    watcher,
    watcher.onDidChange(begin),
    watcher.onDidCreate(begin),
    watcher.onDidDelete(begin),
    vscode.workspace.onDidSaveTextDocument(({ uri }) => uri.toString() === notesFile()?.toString() && begin()),
    vscode.workspace.onDidChangeWorkspaceFolders(begin),
  ];
  begin();

  return {
    get all() {
      return all;
    },
    async change(change) {
      const file = notesFile();
      if (file === undefined) await memory.update(KEY, changedText(memory.get<string>(KEY) ?? NO_NOTES, change));
      else {
        if ((await textOf(file)) === undefined) await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(NO_NOTES));
        const document = await vscode.workspace.openTextDocument(file);
        await replaceText(document, changedText(document.getText(), change));
      }
      await reload();
    },
    onDidChange: changed.event,
    dispose: () => subscriptions.forEach((subscription) => subscription.dispose()),
  };
}

/** Where notes are kept, if not in memory. */
function notesFile(): vscode.Uri | undefined {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  if (folder === undefined || vscode.workspace.fs.isWritableFileSystem(folder.uri.scheme) === false) return undefined;
  return vscode.Uri.joinPath(folder.uri, FILE);
}

async function textOf(file: vscode.Uri): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return undefined;
    throw error;
  }
}

/** @throws Error naming the mistake of notes that cannot be read: they are not written over */
function changedText(text: string, change: NotesChange): string {
  const read = readNotes(text);
  if (read.kind === 'malformed') throw new Error(problemOf(text, read.mistakes));
  return changeNotes(text, change);
}

/** The first mistake with its place. */
function problemOf(text: string, [first]: readonly Mistake[]): string {
  const { line, column } = lineAndColumn(text, first?.offset ?? 0);
  return t('{0}:{1}:{2}: {3}; your notes are left as they are', FILE, line, column, first?.message ?? '');
}
