import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { FlowRun } from '../flows/flow';
import { withoutPictures } from '../flows/markdown';
import type { Note } from '../flows/scenario/format';
import { placeOf } from '../flows/scenario/moments';
import { allNotes, findNotes, notesOn, type FoundNote } from '../flows/scenario/notes';
import type { Session } from '../flows/session';
import { commentedLines, type CommentedLine, type Line, type NotedLine } from './commentLines';
import { showError } from './errors';
import { locate } from './locate';
import type { Notes } from './notes';
import { OUTLINE_SCHEME, type Outlines } from './outline';
import type { SourceTrees } from './sourceTrees';

/**
 * What is said beside lines of source: on the step that the session stands on its annotation, and under it the notes of a scenario’s author and of
 * the reader, who answers by another one; on other lines the notes that the run comes to.
 */
export interface StepComments extends vscode.Disposable {
  /** Shows the thread of the step that the session stands on. */
  show(uri: vscode.Uri, line: number, annotation: vscode.MarkdownString): void;
  /** Adds a note to the step that the session stands on: what was typed under its annotation, a text, or what the reader is asked for. */
  add(given: unknown): Promise<void>;
  edit(comment: unknown): void;
  save(comment: unknown): Promise<void>;
  /** Leaves a note as it is. */
  cancel(comment: unknown): void;
  remove(comment: unknown): Promise<void>;
  /** Goes to the first step of the notes in a thread. */
  goToStep(thread: unknown): void;
}

/** A comment that is a reader's note. */
class NoteComment implements vscode.Comment {
  readonly author = { name: t('Note') };
  readonly contextValue = 'note';
  mode = vscode.CommentMode.Preview;
  /** VS Code puts here what is written. */
  body: vscode.MarkdownString;

  constructor(readonly note: Note) {
    this.body = new vscode.MarkdownString(withoutPictures(note.text));
  }

  edit(): void {
    this.body = new vscode.MarkdownString(this.note.text);
    this.mode = vscode.CommentMode.Editing;
  }
}

/** A thread with what it shows. */
interface Thread {
  readonly thread: vscode.CommentThread;
  shown: CommentedLine;
}

/** Where the session stands, and in which run. */
interface Stand extends Omit<CommentedLine, 'notes'> {
  readonly run: FlowRun;
}

export function registerStepComments(session: Session, notes: Notes, sources: SourceTrees, outlines: Outlines): StepComments {
  const controller = vscode.comments.createCommentController('virtflow', 'Virtflow');
  controller.options = { prompt: t('Add a note on this step…'), placeHolder: t('A note, in Markdown') };
  const threads = new Set<Thread>();
  let stand: Stand | undefined;
  let found: readonly FoundNote[] = [];
  let noted: readonly NotedLine[] = [];

  function commentsOf({ annotation, notes: shown }: CommentedLine): readonly vscode.Comment[] {
    const author = { name: session.scenario?.content.title ?? '' };
    const comments = shown.map((note) =>
      notes.all.includes(note)
        ? new NoteComment(note)
        : { author, mode: vscode.CommentMode.Preview, body: new vscode.MarkdownString(withoutPictures(note.text)) },
    );
    return annotation === undefined ? comments : [annotation, ...comments];
  }

  function open(shown: CommentedLine): Thread {
    const { uri, step, annotation } = shown;
    const thread = controller.createCommentThread(vscode.Uri.parse(uri), rangeOf(shown), [...commentsOf(shown)]);
    if (annotation === undefined || stand === undefined) {
      thread.canReply = false;
      thread.contextValue = 'notes';
      thread.label = t('Step {0}', step);
      thread.collapsibleState = vscode.CommentThreadCollapsibleState.Collapsed;
    } else {
      thread.canReply = placeOf(stand.run, step) !== undefined;
      thread.contextValue = 'step';
      thread.label = t('Step {0} of {1}', step, stand.run.journal.length - 1);
      thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
    }
    return { thread, shown };
  }

  /** A thread that stays keeps what the reader does in it, unless its notes have changed. */
  function draw(): void {
    const all = found.map(({ note }) => note);
    const lines = new Set(commentedLines(stand && { ...stand, notes: notesOn(stand.run, stand.step, all) }, noted));
    for (const each of threads) {
      const shown = [...lines].find((line) => continues(each.shown, line));
      if (shown === undefined) {
        close(each);
        continue;
      }
      update(each, shown);
      lines.delete(shown);
    }
    for (const shown of lines) threads.add(open(shown));
  }

  function update(each: Thread, shown: CommentedLine): void {
    const { thread, shown: before } = each;
    if (shown.line !== before.line) thread.range = rangeOf(shown);
    if (!sameNotes(shown, before)) thread.comments = commentsOf(shown);
    each.shown = shown;
  }

  function close(each: Thread): void {
    each.thread.dispose();
    threads.delete(each);
  }

  /** Files change while lines are looked for: only the latest counts. */
  let latest = 0;
  async function place(): Promise<void> {
    const mine = ++latest;
    const lines = await linesOf(found);
    if (mine !== latest) return;
    noted = lines;
    draw();
  }
  const follow = (): void => void place().catch(showError);

  async function linesOf(those: readonly FoundNote[]): Promise<readonly NotedLine[]> {
    const lines: NotedLine[] = [];
    for (const each of those) {
      if (each.kind === 'elsewhere' || each.site === undefined) continue;
      const { note, step, site } = each;
      const target = await locate(sources, outlines, site);
      if (target !== undefined) lines.push({ uri: target.uri.toString(), line: target.line, step, note });
    }
    return lines;
  }

  function find(): void {
    found = findNotes(session.run, allNotes(session.scenario, notes.all));
    follow();
  }

  function followEdit({ document: { uri } }: vscode.TextDocumentChangeEvent): void {
    // VS Code moves threads with their lines. An outline that is of another run now has none of these.
    if (uri.scheme === OUTLINE_SCHEME) [...threads].filter(({ shown }) => shown.uri === uri.toString()).forEach(close);
    follow();
  }

  const threadOf = (comment: vscode.Comment): vscode.CommentThread | undefined =>
    [...threads].find(({ thread }) => thread.comments.includes(comment))?.thread;

  const subscriptions = [
    controller,
    notes.onDidChange(find),
    { dispose: session.onDidChange((change) => change === 'run' && find()) },
    sources.onDidChange(follow),
    vscode.workspace.onDidChangeTextDocument(followEdit),
    vscode.workspace.onDidCloseTextDocument(follow),
  ];
  return {
    show(uri, line, body) {
      const { run, position } = session;
      if (run === undefined) return;
      const annotation = { author: { name: 'Virtflow' }, mode: vscode.CommentMode.Preview, body };
      stand = { run, uri: uri.toString(), line, step: position, annotation };
      draw();
    },
    async add(given) {
      const { run, position } = session;
      const at = run && placeOf(run, position);
      if (at === undefined) throw new Error(t('nothing in source stands for this step: a note needs a place'));
      const text = textOf(given) ?? (await vscode.window.showInputBox({ title: t('Add Note'), prompt: t('A note, in Markdown') }));
      if (text !== undefined && text.trim() !== '') await notes.change({ kind: 'add', note: { at, text } });
    },
    edit(comment) {
      if (!(comment instanceof NoteComment)) return;
      comment.edit();
      const thread = threadOf(comment);
      if (thread !== undefined) thread.comments = [...thread.comments];
    },
    async save(comment) {
      if (comment instanceof NoteComment) await notes.change({ kind: 'rewrite', note: comment.note, text: comment.body.value });
    },
    cancel(comment) {
      if (!(comment instanceof NoteComment)) return;
      const thread = threadOf(comment);
      if (thread !== undefined) thread.comments = thread.comments.map((each) => (each === comment ? new NoteComment(comment.note) : each));
    },
    async remove(comment) {
      if (comment instanceof NoteComment) await notes.change({ kind: 'remove', note: comment.note });
    },
    goToStep(given) {
      const known = [...threads].find(({ thread }) => thread === given);
      if (known !== undefined) session.seek(known.shown.step);
    },
    dispose: () => subscriptions.forEach((subscription) => subscription.dispose()),
  };
}

const rangeOf = ({ line }: Line): vscode.Range => new vscode.Range(line, 0, line, 0);

const sameNotes = (one: CommentedLine, other: CommentedLine): boolean => JSON.stringify(one.notes) === JSON.stringify(other.notes);

/** Whether the thread of one line is that of the other: its notes have changed, or it has moved with them. */
const continues = (one: CommentedLine, other: CommentedLine): boolean =>
  one.uri === other.uri &&
  one.step === other.step &&
  one.annotation === other.annotation &&
  (one.line === other.line || sameNotes(one, other));

/** The text of a reply, or one that is given as such. */
function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  return typeof given === 'object' && given !== null && 'text' in given && typeof given.text === 'string' ? given.text : undefined;
}
