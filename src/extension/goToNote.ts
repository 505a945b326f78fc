import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';
import { placeText, stepOf } from '../flows/scenario/moments';
import { allNotes, findNotes, type FoundNote } from '../flows/scenario/notes';
import type { Session } from '../flows/session';
import type { Code } from './code/register';
import type { Notes } from './notes';
import { section } from './picks';

interface NoteItem extends vscode.QuickPickItem {
  readonly found?: FoundNote;
}

/**
 * *Go to Note*: asks which of all notes, the reader's own and those of the scenario's author. What the run does not come to leads into another.
 * @returns whether the session stands there now
 */
export async function goToNote(session: Session, notes: Notes, code: Code): Promise<boolean> {
  const found = findNotes(session.run, allNotes(session.scenario, notes.all));
  if (found.length === 0) {
    void vscode.window.showInformationMessage(t('Virtflow: there are no notes yet. Write one with “Add Note…”.'));
    return false;
  }
  const picked = await vscode.window.showQuickPick(itemsOf(found, session, notes), {
    title: t('Go to Note'),
    placeHolder: t('Which note?'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (picked?.found === undefined) return false;
  if (picked.found.kind === 'elsewhere') return goElsewhere(session, code, picked.found);
  session.seek(picked.found.step);
  return true;
}

function itemsOf(found: readonly FoundNote[], session: Session, notes: Notes): readonly NoteItem[] {
  const authorOf = (note: Note): string => (notes.all.includes(note) ? '' : (session.scenario?.content.title ?? ''));
  const item = (each: FoundNote): NoteItem => ({
    label: firstLine(each.note.text),
    description: [whereText(each), authorOf(each.note)].filter(Boolean).join(' · '),
    ...(each.kind === 'here' || each.problem === undefined ? {} : { detail: `$(circle-slash) ${each.problem}` }),
    found: each,
  });
  const here = found.filter(({ kind }) => kind === 'here').map(item);
  const elsewhere = found.filter(({ kind }) => kind === 'elsewhere').map(item);
  return [...section(t('This run'), here), ...section(t('Other runs'), elsewhere)];
}

/** `Step 412 · irqfd_wakeup › schedule_work` */
function whereText(found: FoundNote): string {
  const { at } = found.note;
  if ('step' in at) return t('Step {0}', at.step);
  return found.kind === 'here' ? `${t('Step {0}', found.step)} · ${placeText(at)}` : placeText(at);
}

const firstLine = (text: string): string => text.trim().split('\n')[0]!;

/** Into a run that comes to the note's place; the reader is told if there is none. */
async function goElsewhere(session: Session, code: Code, found: FoundNote): Promise<boolean> {
  const { at } = found.note;
  const options = { location: vscode.ProgressLocation.Window, title: t('Looking for flows that come to the note…') };
  const went = 'step' in at ? undefined : await vscode.window.withProgress(options, async () => code.goToPlace(at));
  if (went === undefined) void vscode.window.showInformationMessage(t('Virtflow: no run is known that comes to {0}.', whereText(found)));
  // Of the times that the run comes there, the note may mean another one than the first.
  const step = went && session.run ? stepOf(session.run, at) : undefined;
  if (step !== undefined) session.seek(step);
  return went ?? false;
}
