import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

/** `virtflow run FILE`, as a person reads it and as a CI job does: by its exit status. */

const scratch = mkdtempSync(path.join(os.tmpdir(), 'virtflow-scenario-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const folder = 'test/fixtures/scenarios';
const examples = readdirSync(folder)
  .filter((file) => file.endsWith('.virtflow.json'))
  .map((file) => path.join(folder, file));

function run(...args: string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', 'run', ...args], { encoding: 'utf8', timeout: 300_000 });
  return { status, out: stdout, err: stderr };
}

interface Printed {
  readonly file: string;
  readonly flow: string;
  readonly steps: number;
  readonly expectations: readonly { readonly kind: string; readonly holds: boolean; readonly line: number; readonly found: string }[];
}

test('the examples hold, all in one run', () => {
  const { status, out } = run(...examples, '--json');
  const printed = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Printed);
  assert.equal(status, 0, out);
  assert.deepEqual(
    printed.map(({ file }) => file),
    examples,
  );
  for (const { expectations, steps } of printed)
    assert.ok(steps > 0 && expectations.length > 0 && expectations.every(({ holds }) => holds));
});

const text = readFileSync(path.join(folder, 'intx-one-interrupt.virtflow.json'), 'utf8');

test('an expectation that fails is told with its place and its reason, and makes the exit status 1', () => {
  const file = path.join(scratch, 'fails.virtflow.json');
  writeFileSync(file, text.replace('"times": 1', '"times": 2'));
  const line = text.split('\n').findIndex((each) => each.includes('"times": 1')) + 1;
  const { status, out } = run(file);
  assert.equal(status, 1);
  assert.match(out, /^FAILED {2}vfio_intx_handler is reached 2×: it is reached 1×$/m);
  assert.ok(out.includes(`${file}:${line}:5`), out);
  assert.ok(out.includes('one assertion, one host interrupt'));
  assert.match(out, /^ok {6}the run ends: idle$/m);
  assert.equal(run(file, examples[0]!).status, 1);
  const printed = JSON.parse(run(file, '--json').out) as Printed;
  assert.deepEqual(
    printed.expectations.filter(({ holds }) => !holds).map((each) => [each.kind, each.line, each.found]),
    [['reached', line, 'it is reached 1×']],
  );
});

test('the outline has the chapters and what happens from outside, where it does', () => {
  const { out } = run(path.join(folder, 'msix-masked-and-pending.virtflow.json'));
  const lines = out.split('\n').map((line) => line.replace(/^ *\d+ {2}/, ''));
  const order = ['! The guest masks a vector', '§ The message waits', '! The guest unmasks it', '§ The unmask sends it'].map((line) =>
    lines.indexOf(line),
  );
  assert.ok(!order.includes(-1), out);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test('what is no file, or a huge one, is refused', () => {
  const missing = run(path.join(scratch, 'none.virtflow.json'));
  assert.deepEqual([missing.status, missing.out], [2, '']);
  assert.match(missing.err, /none\.virtflow\.json: there is no such file or directory\n/);
  assert.deepEqual(JSON.parse(run('--json', `${scratch}.json`).out), {
    file: `${scratch}.json`,
    problem: 'there is no such file or directory',
  });
  const huge = path.join(scratch, 'huge.virtflow.json');
  writeFileSync(huge, ' '.repeat(4_000_001));
  const { status, err } = run(huge);
  assert.equal(status, 2);
  assert.match(err, /huge\.virtflow\.json: the file is longer than 1000000 characters/);
});

test('a file that cannot be read stops none of the others, and the exit status is the worst', () => {
  const fails = path.join(scratch, 'fails.virtflow.json');
  writeFileSync(fails, text.replace('"times": 1', '"times": 2'));
  const directory = path.join(scratch, 'folder.virtflow.json');
  mkdirSync(directory);
  const missing = path.join(scratch, 'none.virtflow.json');
  const { status, out, err } = run(fails, missing, directory, examples[0]!);
  assert.equal(status, 2);
  assert.equal(err, `${missing}: there is no such file or directory\n${directory}: this is no file\n`);
  assert.equal(out.match(/^\d+ steps; /gm)?.length, 2);
  assert.match(out, /^FAILED {2}vfio_intx_handler is reached 2×/m);
  assert.ok(out.includes((JSON.parse(readFileSync(examples[0]!, 'utf8')) as { readonly title: string }).title));
});

test('a terminal is told texts, not what would move its cursor', () => {
  const file = path.join(scratch, 'escape.virtflow.json');
  const told = { title: 'A\u001b[2J\nB', flow: 'pic', chapters: [{ title: 'C\u0007', prose: '…', at: { step: 3 } }] };
  writeFileSync(file, JSON.stringify({ version: 1, ...told }));
  const { status, out } = run(file);
  assert.equal(status, 0);
  assert.match(out, /^A \[2J B \(pic\)\n +3 {2}§ C \n/);
  writeFileSync(file, JSON.stringify({ version: 1, ...told, 'D\u001b[31m': 1 }));
  assert.match(run(file).err, /“D \[31m” is not known here/);
});

test('a byte-order mark is no mistake', () => {
  const file = path.join(scratch, 'bom.virtflow.json');
  writeFileSync(file, `\uFEFF${text}`);
  assert.equal(run(file).status, 0);
});
