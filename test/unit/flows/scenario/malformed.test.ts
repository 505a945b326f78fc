import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { lineAndColumn, LONGEST, readJson } from '../../../../src/flows/scenario/json';
import { readScenario } from '../../../../src/flows/scenario/scenario';

/** Files with mistakes: each is told at its line, and says what was expected. A line of a fixture says its own mistakes behind “✗”. */

const folder = 'test/fixtures/scenarios/malformed';
const files = readdirSync(folder).map((file) => path.join(folder, file));

interface Told {
  readonly file: string;
  readonly mistakes: readonly { readonly line: number; readonly column: number; readonly message: string }[];
}

const { status, stdout } = spawnSync(process.execPath, ['dist/cli.js', 'run', ...files, '--json'], { encoding: 'utf8' });
const told = stdout
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Told);

for (const file of files) {
  test(`${path.basename(file)}: every mistake is told at its line`, () => {
    const lines = readFileSync(file, 'utf8').split('\n');
    const expected = lines.flatMap((line, index) =>
      line
        .split(' // ✗ ')
        .slice(1)
        .map((message) => ({ line: index + 1, message })),
    );
    assert.ok(expected.length > 0, 'the fixture says what is wrong with it');
    const found = told.find((each) => each.file === file)?.mistakes;
    assert.deepEqual(
      found?.map(({ line, message }) => ({ line, message })),
      expected,
    );
  });
}

test('the exit status says that files were malformed', () => assert.equal(status, 2));

test('for people, each mistake is a line of the form FILE:LINE:COLUMN: MESSAGE', () => {
  const file = path.join(folder, 'no-such-flow.virtflow.json');
  const { stderr } = spawnSync(process.execPath, ['dist/cli.js', 'run', file], { encoding: 'utf8' });
  assert.ok(stderr.startsWith(`${file}:4:11: there is no such flow: expected one of "mdev-mtty"`), stderr);
});

/** The mistakes of a text that must have some. */
function mistakesOf(text: string): readonly string[] {
  const read = readScenario(text);
  assert.equal(read.kind, 'malformed');
  return read.kind === 'malformed' ? read.mistakes.map(({ message }) => message) : [];
}

test('what is no object, empty, huge or deep is refused, and nothing hangs', () => {
  assert.deepEqual(mistakesOf(''), ['expected a value']);
  assert.deepEqual(mistakesOf('[]'), ['expected an object, not an array of 0']);
  assert.deepEqual(mistakesOf(' '.repeat(LONGEST + 1)), [`the file is longer than ${LONGEST} characters`]);
  assert.deepEqual(mistakesOf('['.repeat(100_000)), ['nested deeper than 32 levels']);
  assert.deepEqual(mistakesOf('{"__proto__": {"flow": "pic"}, "version": 1, "title": "t", "flow": "pic"}'), [
    '“__proto__” is not known here: expected one of $schema, version, title, description, flow, parameters, stimuli, edits, seed, chapters, notes, expectations',
  ]);
});

test('of what a JSON editor has nothing to say, the extension tells', () => {
  for (const text of [' '.repeat(LONGEST + 1), '['.repeat(40), '\u0000', `{ "title": "${'x\u0000'.repeat(9)}" }`])
    assert.deepEqual(
      readJson(text).mistakes.map(({ kind }) => kind),
      ['meaning'],
    );
  assert.deepEqual(mistakesOf('{\u0000"\u0000v'), ['this is no text: expected JSON in UTF-8']);
});

test('of very many mistakes the first are told', () => {
  const many = (piece: (index: number) => string): string => Array.from({ length: 50_000 }, (_, index) => piece(index)).join(',');
  for (const text of [`{${many(() => '')}`, `{${many((n) => `"a${n}": 1`)}}`, `{${many(() => '"a": 1')}}`]) {
    const told = mistakesOf(text);
    assert.ok(told.length >= 100 && told.length <= 300, `${told.length} mistakes`);
  }
});

const good = readFileSync('test/fixtures/scenarios/intx-one-interrupt.virtflow.json', 'utf8');

test('a file that is cut off anywhere is told so, within its text', () => {
  for (let end = 0; end < good.trimEnd().length; end++) {
    for (const text of [good.slice(0, end), `${good.slice(0, end)}/*`]) {
      const read = readScenario(text);
      assert.ok(read.kind === 'malformed' && read.mistakes.length > 0, `cut off at ${end}`);
      for (const { offset, length } of read.mistakes)
        assert.ok(offset >= 0 && offset + length <= text.length, `${offset}+${length} of ${end}`);
    }
  }
});

test('no text makes the reader throw, and mistakes lie within it', () => {
  const damaged = fc
    .tuple(
      fc.nat(good.length),
      fc.nat(40),
      fc.oneof(fc.string(), fc.json(), fc.constantFrom('{', '}', '[', '"', ':', ',', '//', '/*', '\\', '\u0000')),
    )
    .map(([at, cut, instead]) => good.slice(0, at) + instead + good.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string(), damaged), (text) => {
      const read = readScenario(text);
      if (read.kind === 'malformed')
        for (const { offset, length } of read.mistakes) assert.ok(offset >= 0 && length >= 0 && offset + length <= text.length);
    }),
    { numRuns: 500 },
  );
});

test('a mistake is at the same line and column however lines end', () => {
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const places = (of: string) => {
      const read = readScenario(of);
      return read.kind === 'malformed' ? read.mistakes.map(({ offset, message }) => ({ ...lineAndColumn(of, offset), message })) : [];
    };
    for (const end of ['\r\n', '\r']) assert.deepEqual(places(text.replaceAll('\n', end)), places(text), file);
  }
});

test('comments and trailing commas are no mistakes', () => {
  assert.deepEqual(readJson('{ // why\n "a": [1, /* two */ 2,], }').mistakes, []);
});
