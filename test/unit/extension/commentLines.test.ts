import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { commentedLines, type CommentedLine, type NotedLine } from '../../../src/extension/commentLines';
import type { Note } from '../../../src/flows/scenario/format';

/** Notes beside lines: nothing is lost, nothing is said twice, and no two threads share a line. */

const someLine = fc.record({ uri: fc.constantFrom('file:///a.c', 'file:///b.c'), line: fc.nat(3) });

/** Notes beside lines, in the order of their steps, and perhaps a step that the session stands on, which some of them, and others, are on. */
const scene = fc
  .tuple(
    fc.array(fc.tuple(someLine, fc.nat(99), fc.boolean()), { maxLength: 8 }),
    fc.option(fc.tuple(someLine, fc.nat(99), fc.nat(2)), { nil: undefined }),
  )
  .map(([beside, at]) => {
    const note = (text: string): Note => ({ at: { function: 'irqfd_wakeup' }, text });
    const all = beside
      .map(([line, step, isOnStep], n) => ({ noted: { ...line, step, note: note(`${n}`) }, isOnStep }))
      .toSorted((a, b) => a.noted.step - b.noted.step);
    const noted: readonly NotedLine[] = all.map((each) => each.noted);
    const onStep = all.filter(({ isOnStep }) => isOnStep).map((each) => each.noted.note);
    const stand: CommentedLine | undefined = at && {
      ...at[0],
      step: at[1],
      annotation: { body: 'It wakes the waiters.', mode: 1, author: { name: 'Virtflow' } },
      notes: [...onStep, ...Array.from({ length: at[2] }, (_, n) => note(`nowhere in source ${n}`))],
    };
    return { noted, stand };
  });

type Law = (
  lines: readonly CommentedLine[],
  given: { readonly noted: readonly NotedLine[]; readonly stand: CommentedLine | undefined },
) => void;

function law(name: string, holds: Law): void {
  test(name, () => fc.assert(fc.property(scene, (given) => holds(commentedLines(given.stand, given.noted), given))));
}

law('each note is shown exactly once', (lines, { noted, stand }) => {
  const shown = lines.flatMap(({ notes }) => notes);
  assert.equal(shown.length, new Set(shown).size);
  assert.deepEqual(new Set(shown), new Set([...noted.map(({ note }) => note), ...(stand?.notes ?? [])]));
});

law('no line has two threads, and none but the step’s own is empty', (lines) => {
  assert.equal(new Set(lines.map(({ uri, line }) => `${uri}:${line}`)).size, lines.length);
  for (const { annotation, notes } of lines) assert.ok(annotation !== undefined || notes.length > 0);
});

law('the step that one stands on is annotated on its line, and shows all notes on it', (lines, { stand }) => {
  const annotated = lines.filter(({ annotation }) => annotation !== undefined);
  assert.equal(annotated.length, stand === undefined ? 0 : 1);
  if (stand === undefined) return;
  const [{ notes, ...own }, { notes: onStep, ...wanted }] = [annotated[0]!, stand];
  assert.deepEqual(own, wanted);
  assert.deepEqual(notes.slice(0, onStep.length), onStep);
});

law('a note that is not on the step is beside its line, in the thread of the first step there', (lines, { noted, stand }) => {
  for (const { uri, line, note } of noted.filter((each) => !stand?.notes.includes(each.note))) {
    const shown = lines.find(({ notes }) => notes.includes(note))!;
    assert.deepEqual([shown.uri, shown.line], [uri, line]);
    if (shown.annotation !== undefined) continue;
    assert.equal(shown.step, Math.min(...noted.filter((each) => shown.notes.includes(each.note)).map(({ step }) => step)));
  }
});
