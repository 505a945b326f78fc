import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mermaid } from '../../../../src/flows/export/mermaid';
import { wholeRun } from '../../../../src/flows/export/range';
import type { FlowRun } from '../../../../src/flows/flow';
import { nameOf, rangesOf, RUNS } from './runs';

/** Mermaid is not at hand, so its grammar is: the statements of `sequenceDiagram` that are used, as its documentation has them. */

/** Mermaid refuses longer diagrams unless it is told otherwise. */
const MAX_TEXT_SIZE = 50_000;

/** A text ends at `;` and at the end of the line, `#` begins a comment or a code, `%%{` a directive: of these only codes may be left. */
const TEXT = String.raw`(?:[^#;%<>{}:\x00-\x1f]|#\d+;|<br/>)+`;
const STATEMENTS: Readonly<Record<string, RegExp>> = {
  title: new RegExp(`^title ${TEXT}$`),
  description: new RegExp(`^accDescr: ${TEXT}$`),
  participant: new RegExp(`^participant (T\\d+) as ${TEXT}$`),
  message: new RegExp(`^(T\\d+)(?:->>|-\\))(T\\d+): ${TEXT}$`),
  note: new RegExp(`^Note (?:over|right of) (T\\d+)(?:,(T\\d+))?: ${TEXT}$`),
  activate: /^activate (T\d+)$/,
  deactivate: /^deactivate (T\d+)$/,
  loop: new RegExp(`^loop ${TEXT}$`),
  end: /^end$/,
};

/** Reads a diagram as Mermaid would; the number of its messages. */
function read(diagram: string): number {
  const [first, ...lines] = diagram.trimEnd().split('\n');
  assert.equal(first, 'sequenceDiagram');
  const participants = new Set<string>();
  const active = new Set<string>();
  let loops = 0;
  let messages = 0;
  for (const line of lines.map((one) => one.trimStart())) {
    const [kind, match] = statement(line);
    const actors = match.slice(1).filter((actor) => actor !== undefined);
    if (kind === 'participant') participants.add(actors[0]!);
    else
      assert.ok(
        actors.every((actor) => participants.has(actor)),
        `a participant of "${line}" was not declared`,
      );
    if (kind === 'activate') assert.ok(active.size === 0 && active.add(actors[0]!), line);
    if (kind === 'deactivate') assert.ok(active.delete(actors[0]!), line);
    if (kind === 'loop') loops++;
    if (kind === 'end') assert.ok(loops-- > 0);
    if (kind === 'message') messages++;
  }
  assert.equal(active.size, 0);
  assert.equal(loops, 0);
  return messages;
}

function statement(line: string): readonly [string, RegExpMatchArray] {
  for (const [kind, pattern] of Object.entries(STATEMENTS)) {
    const match = pattern.exec(line);
    if (match !== null) return [kind, match];
  }
  return assert.fail(`no statement of Mermaid's: ${line}`);
}

for (const run of RUNS) {
  test(`${nameOf(run)} becomes a diagram that Mermaid reads`, () => {
    for (const range of rangesOf(run)) {
      const diagram = [...mermaid(run, range)].join('');
      assert.ok(diagram.length < MAX_TEXT_SIZE, `${diagram.length} characters`);
      const messages = read(diagram);
      const handOvers = Array.from({ length: range.end - range.first }, (_, n) => run.journal.step(range.first + n)).filter(
        ({ cause }) => cause >= range.first,
      );
      // What repeats is drawn once.
      if (/^ *loop |are left out/m.test(diagram)) assert.ok(messages < handOvers.length);
      else assert.equal(messages, handOvers.length);
    }
  });
}

test('no text of a flow can break or add a statement', () => {
  const [run] = RUNS;
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom(
      'a;b',
      'end',
      'x\nend\ny',
      '%%{init: {"theme":"dark"}}%%',
      '<script>',
      '#35;',
      'T0->>T1: x',
      'wrap:',
      '$$x$$',
      '\u2028',
      '\u202E',
      'style:x#1;',
    ),
  );
  fc.assert(
    fc.property(hostile, (title) => {
      const threads = run!.threads.map((thread) => ({ ...thread, title }));
      const spoiled: FlowRun = { ...run!, threads, flow: { ...run!.flow, title, summary: title } };
      read([...mermaid(spoiled, wholeRun(spoiled))].join(''));
    }),
    { numRuns: 40 },
  );
});
