import type * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';

/** What is said beside lines of source: at most one thread of comments on each, and each note in one of them. */

export interface Line {
  /** Of the file. */
  readonly uri: string;
  readonly line: number;
}

/** A line that a note stands beside, with the first step of the run that the note is on. */
export interface NotedLine extends Line {
  readonly step: number;
  readonly note: Note;
}

/** What a thread of comments shows. */
export interface CommentedLine extends Line {
  readonly step: number;
  /** Of the step that the session stands on: on other lines there are only notes. */
  readonly annotation?: vscode.Comment | undefined;
  readonly notes: readonly Note[];
}

/**
 * What each line shows. Notes on the step that the session stands on are shown there and nowhere else.
 * @param stand where the session stands, with all notes on that step
 * @param noted in the order of their steps
 */
export function commentedLines(stand: CommentedLine | undefined, noted: readonly NotedLine[]): readonly CommentedLine[] {
  const lines = new Map<string, CommentedLine>(stand && [[keyOf(stand), stand]]);
  for (const { note, ...at } of noted) {
    if (stand?.notes.includes(note)) continue;
    const known = lines.get(keyOf(at)) ?? { ...at, notes: [] };
    lines.set(keyOf(at), { ...known, notes: [...known.notes, note] });
  }
  return [...lines.values()];
}

const keyOf = ({ uri, line }: Line): string => `${line} ${uri}`;
