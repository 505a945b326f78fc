import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';
import { placeOf } from '../flows/scenario/moments';
import { notesOn } from '../flows/scenario/notes';
import type { Session } from '../flows/session';
import type { Notes } from './notes';

/** What is said beside a step’s line: its annotation, and under it the notes of a scenario’s author and of the reader, who answers by another one. */
export interface StepComments extends vscode.Disposable {
  /** Shows the thread of the step that the session stands on. */
  show(uri: vscode.Uri, line: number, annotation: vscode.MarkdownString): void;
  /** Adds a note to the step that the session stands on: what was typed under its annotation, a text, or what the reader is asked for. */
  add(given: unknown): Promise<void>;
  edit(comment: unknown): void;
  save(comment: unknown): Promise<void>;
  /** Leaves a note as it is. */
  cancel(): void;
  remove(comment: unknown): Promise<void>;
}

/** A comment that is a reader's note. */
class NoteComment implements vscode.Comment {
  readonly author = { name: t('Note') };
  readonly contextValue = 'note';
  readonly body: vscode.MarkdownString;
  mode = vscode.CommentMode.Preview;

  constructor(readonly note: Note) {
    this.body = new vscode.MarkdownString(note.text);
  }
}

export function registerStepComments(session: Session, notes: Notes): StepComments {
  const controller = vscode.comments.createCommentController('virtflow', 'Virtflow');
  controller.options = { prompt: t('Add a note on this step…'), placeHolder: t('A note, in Markdown') };
  let thread: vscode.CommentThread | undefined;
  let annotation: vscode.Comment | undefined;

  /** The annotation and the notes on the step. */
  function comments(body: vscode.Comment): readonly vscode.Comment[] {
    const { run, position, scenario } = session;
    if (run === undefined) return [body];
    const author = { name: scenario?.content.title ?? '' };
    const told = notesOn(run, position, scenario?.content.notes ?? []).map(({ text }): vscode.Comment => ({
      author,
      mode: vscode.CommentMode.Preview,
      body: new vscode.MarkdownString(text),
    }));
    return [body, ...told, ...notesOn(run, position, notes.all).map((note) => new NoteComment(note))];
  }

  function refresh(): void {
    if (thread !== undefined && annotation !== undefined) thread.comments = comments(annotation);
  }

  const stop = notes.onDidChange(refresh);
  return {
    show(uri, line, body) {
      thread?.dispose();
      annotation = { author: { name: 'Virtflow' }, mode: vscode.CommentMode.Preview, body };
      thread = controller.createCommentThread(uri, new vscode.Range(line, 0, line, 0), [...comments(annotation)]);
      thread.canReply = session.run !== undefined && placeOf(session.run, session.position) !== undefined;
      thread.contextValue = 'virtflow';
      thread.label = t('Step {0} of {1}', session.position, (session.run?.journal.length ?? 1) - 1);
      thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
    },
    async add(given) {
      const { run, position } = session;
      const at = run && placeOf(run, position);
      if (at === undefined) throw new Error(t('nothing in source stands for this step: a note needs a place'));
      const text = textOf(given) ?? (await vscode.window.showInputBox({ title: t('Add Note'), prompt: t('A note, in Markdown') }));
      if (text !== undefined && text.trim() !== '') await notes.change({ kind: 'add', note: { at, text } });
    },
    edit(comment) {
      if (thread === undefined || !(comment instanceof NoteComment)) return;
      comment.mode = vscode.CommentMode.Editing;
      thread.comments = [...thread.comments];
    },
    async save(comment) {
      if (comment instanceof NoteComment) await notes.change({ kind: 'rewrite', note: comment.note, text: comment.body.value });
    },
    cancel: refresh,
    async remove(comment) {
      if (comment instanceof NoteComment) await notes.change({ kind: 'remove', note: comment.note });
    },
    dispose() {
      stop.dispose();
      controller.dispose();
    },
  };
}

/** The text of a reply, or one that is given as such. */
function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  return typeof given === 'object' && given !== null && 'text' in given && typeof given.text === 'string' ? given.text : undefined;
}
