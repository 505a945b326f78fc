import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Anchor, Claims, IndirectEdge, Project, Reference } from '../../../src/engine/reference';
import { checkSources, type CheckReport } from '../../../src/sources/check';
import { createResolver, type Resolver } from '../../../src/sources/resolver';
import type { History } from '../../../src/sources/history';
import { LINUX, memoryFiles } from './support';

const linux = (symbol: string, path = 'a.c'): Reference => ({ project: 'linux', path, symbol });
const qemu = (symbol: string): Reference => ({ project: 'qemu', path: 'q.c', symbol });

const TEXTS: Readonly<Record<string, string>> = {
  'a.c': `
#define wake(x) wake_key(x, 0)
int handler(int irq) { wake(irq); }
int wake_key(int x, int y) { x->func(y); request(handler); }
static struct ops table = { .func = callback };
int callback(void) { /* wake_key(); */ }
`,
  'q.c': 'int realize(void) { setup(on_event); }',
};

const VIA_TABLE: IndirectEdge = {
  kind: 'indirect',
  caller: linux('wake_key'),
  dispatch: 'func',
  callee: linux('callback'),
  registration: { reference: linux('table'), token: 'callback' },
};

describe('checkSources', () => {
  it('confirms references and edges, each once', async () => {
    const [report] = await check(['linux'], {
      references: [linux('handler'), { symbol: 'handler', path: 'a.c', project: 'linux' }, linux('callback')],
      edges: [
        { kind: 'direct', caller: linux('wake'), callee: 'wake_key' },
        { kind: 'direct', caller: linux('handler'), callee: 'wake_key', via: 'wake' },
        { kind: 'direct', caller: linux('handler'), callee: 'wake_key', via: 'wake' },
        VIA_TABLE,
      ],
    });
    assert.deepEqual(report, {
      project: 'linux',
      version: '6.1.192',
      references: { total: 2, resolved: 2, absent: 0 },
      edges: { direct: { total: 2, confirmed: 2, absent: 0 }, indirect: { total: 1, confirmed: 1, absent: 0, skipped: 0 } },
      confidence: 'checked',
      drift: [],
      failures: [],
    });
  });

  it('fails a call that is not there, or stands in a comment', async () => {
    const [report] = await check(['linux'], {
      references: [linux('vanished')],
      edges: [
        { kind: 'direct', caller: linux('callback'), callee: 'wake_key' },
        { kind: 'direct', caller: linux('wake_key'), callee: 'handler' },
      ],
    });
    assert.deepEqual(report?.references, { total: 1, resolved: 0, absent: 0 });
    assert.deepEqual(report?.edges.direct, { total: 2, confirmed: 0, absent: 0 });
    assert.deepEqual(
      report?.failures.map(({ kind, place, expected }) => `${kind} ${place} | ${expected}`),
      [
        'reference linux:a.c vanished | a definition of vanished',
        'direct linux:a.c callback › wake_key | a call of wake_key',
        'direct linux:a.c wake_key › handler | a call of handler',
      ],
    );
  });

  it('fails a function pointer that is not called, or not stored', async () => {
    const [report] = await check(['linux'], {
      references: [],
      edges: [
        { ...VIA_TABLE, dispatch: 'poll' },
        { ...VIA_TABLE, registration: { reference: linux('table'), token: 'handler' } },
      ],
    });
    assert.deepEqual(report?.edges.indirect, { total: 2, confirmed: 0, absent: 0, skipped: 0 });
    assert.match(report.failures.map(({ message }) => message).join('\n'), /wake_key.*poll\n.*table in a\.c does not contain handler/);
  });

  it('counts apart what upstream’s history says is not in this version', async () => {
    const history: History = {
      checked: ['6.1'],
      names: {},
      files: {
        'a.c': { wake_locked: [{ until: '6.2', symbol: 'wake_key', absent: 'wake_key did it' }] },
        'later.c': { '*': [{ until: '6.2', nowhere: 'the driver came later' }] },
      },
    };
    const resolvers = [createResolver(LINUX, memoryFiles(TEXTS), history)];
    const [report] = await checkSources(resolvers, {
      references: [linux('wake_locked'), linux('wake_key'), linux('later', 'later.c')],
      edges: [
        { kind: 'direct', caller: linux('wake_locked'), callee: 'wake' },
        { kind: 'direct', caller: linux('later', 'later.c'), callee: 'wake' },
        VIA_TABLE,
      ],
    });
    assert.deepEqual(report?.references, { total: 3, resolved: 1, absent: 2 });
    assert.deepEqual(report?.edges.direct, { total: 2, confirmed: 0, absent: 2 });
    assert.equal(report?.edges.indirect.confirmed, 1);
    assert.deepEqual(report?.failures, []);
  });

  it('tells what moved, what has another name and what is not in this version, each function once', async () => {
    const history: History = {
      checked: ['6.1'],
      names: { stop: [{ until: '6.2', symbol: 'halt' }] },
      files: {
        'new.c': { go: [{ until: '6.2', path: 'old.c' }] },
        'old.c': {
          walk: [{ until: '6.2', symbol: 'run' }],
          'walk call leap': [{ until: '6.2', symbol: 'go' }],
          fly: [{ until: '6.2', symbol: 'go', absent: 'go did it' }],
        },
        'later.c': { '*': [{ until: '6.2', nowhere: 'the driver came later' }] },
      },
    };
    const texts = { 'old.c': 'int go(int x) { x = 1; leap(); }\nint run(void) { halt(); }\n' };
    const named = (symbol: string, path: string, anchor?: Anchor): Reference => ({ ...linux(symbol, path), ...(anchor ? { anchor } : {}) });
    const [report] = await checkSources([createResolver(LINUX, memoryFiles(texts), history)], {
      references: [
        named('go', 'new.c'),
        named('go', 'new.c', { token: 'x', as: 'write' }),
        named('walk', 'old.c'),
        named('walk', 'old.c', { token: 'stop', as: 'call' }),
        named('walk', 'old.c', { token: 'leap', as: 'call' }),
        named('fly', 'old.c'),
        named('fly', 'old.c', { token: 'wings', as: 'name' }),
        named('later', 'later.c'),
        named('gone', 'old.c'),
      ],
      edges: [],
    });
    assert.deepEqual(
      report?.drift.map(({ kind, place, spot }) => `${kind} ${place} ${spot.path}:${spot.line}`),
      [
        'moved linux:new.c go old.c:1',
        'renamed linux:old.c walk old.c:2',
        'moved linux:old.c walk › leap old.c:1',
        'absent linux:old.c fly old.c:1',
        'absent linux:later.c later later.c:undefined',
      ],
    );
    assert.deepEqual(
      report.failures.map(({ place, spot }) => ({ place, spot })),
      [{ place: 'linux:old.c gone', spot: { project: 'linux', path: 'old.c' } }],
    );
  });

  it('holds the same claims against several trees of a project', async () => {
    const reports = await checkSources(
      ['6.1.192', '6.17.3'].map((version) => createResolver({ project: 'linux', version }, memoryFiles(TEXTS))),
      { references: [linux('handler')], edges: [VIA_TABLE] },
    );
    assert.deepEqual(
      reports.map(({ version, references, edges, confidence }) => [version, references.resolved, edges.indirect.confirmed, confidence]),
      [
        ['6.1.192', 1, 1, 'checked'],
        ['6.17.3', 1, 1, 'inferred'],
      ],
    );
  });

  describe('across projects', () => {
    const across: IndirectEdge = { ...VIA_TABLE, registration: { reference: qemu('realize'), token: 'on_event' } };

    it('checks a registration in another tree, and counts the edge for its caller', async () => {
      const reports = await check(['linux', 'qemu'], { references: [qemu('realize')], edges: [across] });
      assert.deepEqual(
        reports.map(({ project, references, edges }) => [project, references.resolved, edges.indirect.confirmed]),
        [
          ['linux', 0, 1],
          ['qemu', 1, 0],
        ],
      );
    });

    it('holds a registration against each tree of its project, and says in which it fails', async () => {
      const missing: IndirectEdge = { ...across, registration: { reference: qemu('realize'), token: 'on_nothing' } };
      const reports = await check(['linux', 'qemu', 'qemu'], { references: [], edges: [across, missing] });
      assert.deepEqual(
        reports.map(({ edges, failures }) => [edges.indirect.confirmed, failures.map(({ spot }) => `${spot.project} ${spot.path}`)]),
        [
          [2, []],
          [0, ['qemu q.c']],
          [0, ['qemu q.c']],
        ],
      );
    });

    it('skips a registration whose tree is not given', async () => {
      const [report] = await check(['linux'], { references: [qemu('realize')], edges: [across] });
      assert.deepEqual(report?.edges.indirect, { total: 1, confirmed: 0, absent: 0, skipped: 1 });
      assert.deepEqual(report.failures, []);
      assert.equal(report.references.total, 0);
    });

    it('but not one whose caller already fails', async () => {
      const [report] = await check(['linux'], { references: [], edges: [{ ...across, dispatch: 'poll' }] });
      assert.equal(report?.edges.indirect.skipped, 0);
      assert.equal(report.failures.length, 1);
    });
  });
});

function check(projects: readonly Project[], claims: Claims): Promise<readonly CheckReport[]> {
  const resolvers = projects.map((project): Resolver => {
    const version = project === 'linux' ? '6.1.192' : '7.2.0';
    return createResolver({ project, version }, memoryFiles(TEXTS));
  });
  return checkSources(resolvers, claims);
}
