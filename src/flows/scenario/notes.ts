import { t } from '@vscode/l10n';
import type { FlowRun } from '../flow';
import type { Place as Site } from '../sites';
import { notesShape, VERSION, type Note } from './format';
import { readAs, readJson, type Mistake } from './json';
import { isMoment, problemOfMoment, problemOfPlace, siteOf, stepOf } from './moments';
import type { Scenario } from './scenario';
import { changed } from './write';

/** Notes: what readers write on steps, kept by function and identifier in a file of their workspace. */

/** What was read of a notes file. */
export type ReadNotes =
  { readonly kind: 'notes'; readonly notes: readonly Note[] } | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] };

/** The text of a file without notes. */
export const NO_NOTES = `${JSON.stringify({ version: VERSION, notes: [] }, undefined, 2)}\n`;

/** Reads the text of a notes file. Never throws. */
export function readNotes(text: string): ReadNotes {
  const { value, mistakes } = readAs(notesShape, readJson(text));
  return value === undefined || mistakes.length > 0 ? { kind: 'malformed', mistakes } : { kind: 'notes', notes: value.notes };
}

/** All notes that are told with a run: those of its scenario's author, then the reader's own. */
export const allNotes = (scenario: Scenario | undefined, own: readonly Note[]): readonly Note[] => [
  ...(scenario?.content.notes ?? []),
  ...own,
];

/** A note, and where it is in a run: the first of its steps, and the place in source that it names there; or why the run, if there is one, does not come to it. */
export type FoundNote =
  | { readonly kind: 'here'; readonly note: Note; readonly step: number; readonly site: Site | undefined }
  | { readonly kind: 'elsewhere'; readonly note: Note; readonly problem: string | undefined };

/** Looks for each note in a run: those that are there in the order of its steps, then the others. */
export function findNotes(run: FlowRun | undefined, notes: readonly Note[]): readonly FoundNote[] {
  const found = notes.map((note) => findNote(run, note));
  const order = (each: FoundNote): number => (each.kind === 'here' ? each.step : Infinity);
  return found.toSorted((a, b) => (order(a) === order(b) ? 0 : order(a) - order(b)));
}

function findNote(run: FlowRun | undefined, note: Note): FoundNote {
  const { at } = note;
  if (run === undefined) return { kind: 'elsewhere', note, problem: 'step' in at ? undefined : problemOfPlace(at)?.message };
  const step = stepOf(run, at);
  if (step === undefined) return { kind: 'elsewhere', note, problem: problemOfMoment(run, at)?.message };
  return { kind: 'here', note, step, site: siteOf(run, step, at) };
}

/** The notes on a step of a run: those on its place, and those on this time that the run comes there. */
export const notesOn = (run: FlowRun, step: number, notes: readonly Note[]): readonly Note[] =>
  notes.filter(({ at }) => isMoment(run, step, at));

/** What is to be done to a file's notes; a note is the very object that was read of it, or an equal one. */
export type NotesChange =
  | { readonly kind: 'add'; readonly note: Note }
  | { readonly kind: 'rewrite'; readonly note: Note; readonly text: string }
  | { readonly kind: 'remove'; readonly note: Note };

/**
 * The text of a notes file with a change made: everything else in it stays as it is, comments too.
 * @throws Error if the file does not read as notes, or does not have the note
 */
export function changeNotes(text: string, change: NotesChange): string {
  const read = readNotes(text);
  if (read.kind === 'malformed') throw new Error(t('the file is malformed'));
  const { notes } = read;
  if (change.kind === 'add') return changed(text, ['notes', notes.length], change.note);
  const index = notes.findIndex((note) => JSON.stringify(note) === JSON.stringify(change.note));
  if (index < 0) throw new Error(t('the note is not there any more'));
  return change.kind === 'rewrite' ? changed(text, ['notes', index, 'text'], change.text) : changed(text, ['notes', index], undefined);
}
