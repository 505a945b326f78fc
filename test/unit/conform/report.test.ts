import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { kvm } from '../../conform/kvm';
import type { Op, Scenario } from '../../conform/recording';
import { replay } from '../../conform/replay';
import { agrees, replayFile, reportText } from '../../conform/report';

/** The runner itself: it must not agree with a recording that is wrong. */

const folder = mkdtempSync(path.join(os.tmpdir(), 'conform-'));
after(() => rmSync(folder, { recursive: true }));

const recorded = gunzipSync(readFileSync('test/fixtures/recordings/kvm/directed.jsonl.gz')).toString().trim().split('\n');
const scenario = (n: number): Scenario => JSON.parse(recorded[n]!) as Scenario;

function file(name: string, lines: readonly (string | object)[]): string {
  const at = path.join(folder, name);
  writeFileSync(at, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  return at;
}

const withOp = (of: Scenario, index: number, change: (op: Op) => object): Scenario => ({
  ...of,
  ops: of.ops.map((op, n) => (n === index ? (change(op) as Op) : op)),
});

describe('a replay', () => {
  it('finds a result that is another, where it is', () => {
    const original = scenario(0);
    const index = original.ops.findIndex((op) => op.op === 'irq_line_status');
    const { mismatches } = replay(
      withOp(original, index, (op) => ({ ...op, ret: 7 })),
      kvm,
    );
    assert.deepEqual(mismatches, [{ op: index, name: 'irq_line_status', leaf: 'ret', expected: 7, got: original.ops[index]!['ret'] }]);
  });

  it('finds a register that is another, and the initial state as well', () => {
    const original = scenario(0);
    const { mismatches } = replay(
      withOp(original, original.ops.length - 1, (op) => ({ ...op, state: { ...op.state, pic1: { elcr: 0x20 } } })),
      kvm,
    );
    assert.deepEqual(
      mismatches.map(({ op, leaf, expected, got }) => ({ op, leaf, expected, got })),
      [{ op: original.ops.length - 1, leaf: 'pic1.elcr', expected: 0x20, got: 0 }],
    );
    const initial = { ...original.initial, pic0: { ...(original.initial['pic0'] as object), elcr: 8 } };
    assert.equal(replay({ ...original, initial }, kvm).mismatches[0]?.op, -1);
  });

  it('names an operation that it does not know, and ends where the models throw', () => {
    const unknown = replay(
      withOp(scenario(0), 3, (op) => ({ ...op, op: 'bend' })),
      kvm,
    );
    assert.deepEqual([...unknown.skipped], [['bend', 1]]);
    const odd = replay(
      withOp(scenario(0), 3, (op) => ({ ...op, cpu: 9 })),
      kvm,
    );
    assert.match(String(odd.mismatches.at(-1)?.got), /there is no CPU 9/);
    assert.equal(odd.operations, 4);
  });
});

describe('a report', () => {
  it('names file and line of what is malformed, and goes on', async () => {
    const name = file('malformed.jsonl', [
      scenario(0),
      '{"family":',
      '',
      '[]',
      { ...scenario(1), seed: 'one' },
      { ...scenario(1), initial: { pic0: { irr: {}, isr: [{}] } } },
      { ...scenario(1), ops: [{ op: 'inb', state: 3 }] },
      { ...scenario(1), source: 'a toaster' },
      scenario(1),
    ]);
    const report = await replayFile(name);
    assert.equal(report.scenarios, 2);
    assert.equal(report.mismatches, 0);
    assert.equal(agrees(report), false);
    assert.deepEqual(
      report.malformed.map(({ line, problem }) => `${line} ${problem.replace(/^not JSON: .*/, 'not JSON')}`),
      [
        '2 not JSON',
        '4 expected an object',
        '5 "seed": expected a number',
        '6 "initial": expected registers by name',
        '7 "ops"[0] (inb): "state": expected registers by name',
        '8 "source": "a toaster" is none that is known',
      ],
    );
    assert.match(reportText(report), new RegExp(`${path.basename(name)}:7: malformed: `));
  });

  it('shows the first mismatches in full and counts the others', async () => {
    const name = file('wrong.jsonl', [withOp(scenario(0), 0, (op) => ({ ...op, state: { pic0: { irr: 1 } } }))]);
    const report = await replayFile(name);
    assert.ok(report.mismatches > 10);
    assert.equal(report.first.length, 10);
    assert.match(reportText(report), /wrong\.jsonl:1: directed\/\w+ seed 1, operation 0 \(outb\): pic0\.irr: expected 1, got 0\n/);
    assert.match(reportText(report), new RegExp(`and ${report.mismatches - 10} more`));
  });
});

describe('the command', () => {
  const run = (...args: readonly string[]) => spawnSync(process.execPath, ['dist/test/conform/main.mjs', ...args], { encoding: 'utf8' });

  it('ends with 0 if all agrees, with 1 if not or if a file cannot be read, with 2 if it was not understood', () => {
    const good = file('good.jsonl', recorded.slice(0, 3));
    const bad = file('bad.jsonl', [withOp(scenario(0), 2, (op) => ({ ...op, op: 'bend' }))]);
    assert.equal(run(good).status, 0);
    assert.match(run(good).stdout, /good\.jsonl: 3 scenarios, \d+ operations, \d+ values compared, 0 mismatches\n/);
    const skipped = run(good, bad);
    assert.equal(skipped.status, 1);
    assert.match(skipped.stdout, /skipped bend: 1 times\n/);
    const missing = run('nowhere.jsonl', good);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /nowhere\.jsonl: ENOENT/);
    assert.match(missing.stdout, /good\.jsonl: 3 scenarios/);
    assert.equal(run(file('broken.jsonl.gz', ['no gzip'])).status, 1);
    assert.equal(run().status, 2);
    assert.equal(run('--color', good).status, 2);
  });

  it('prints JSON for programs', () => {
    const { status, stdout } = run('--json', file('json.jsonl', recorded.slice(0, 2)));
    const { ok, files } = JSON.parse(stdout) as { ok: boolean; files: { scenarios: number; mismatches: number }[] };
    assert.deepEqual(
      { status, ok, scenarios: files[0]?.scenarios, mismatches: files[0]?.mismatches },
      { status: 0, ok: true, scenarios: 2, mismatches: 0 },
    );
  });
});
