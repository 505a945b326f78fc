import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Reference } from '../../../src/engine/reference';
import type { History } from '../../../src/sources/history';
import { buildIndex, type LineIndex } from '../../../src/sources/lineIndex';
import { upstreamVersions, webLink } from '../../../src/sources/links';
import { createResolver } from '../../../src/sources/resolver';
import { LINUX, memoryFiles } from './support';

const HANDLER: Reference = { project: 'linux', path: 'kernel/a.c', symbol: 'handler' };
const ANCHORED: Reference = { ...HANDLER, anchor: { token: 'go', as: 'call' } };
const INDEX: LineIndex = {
  linux: {
    '6.12.117': {},
    '6.1.192': {
      'kernel/a.c': { handler: { line: 7, anchors: { 'call go': 9 } } },
      'kernel/old.c': { moved: { line: 3 } },
    },
  },
};

describe('webLink', () => {
  const page = 'https://elixir.bootlin.com/linux/v6.1.192/source/kernel/a.c';

  it('points at a definition and at an anchor', () => {
    assert.deepEqual(webLink(HANDLER, '6.1.192', INDEX), { kind: 'line', url: `${page}#L7`, line: 7 });
    assert.deepEqual(webLink(ANCHORED, '6.1.192', INDEX), { kind: 'line', url: `${page}#L9`, line: 9 });
  });

  it('says so when it knows the definition alone', () => {
    const link = webLink({ ...HANDLER, anchor: { token: 'stop', as: 'call' } }, '6.1.192', INDEX);
    assert.ok(link.kind === 'definition');
    assert.equal(link.url, `${page}#L7`);
    assert.match(link.message, /no line is known for stop in handler in linux 6\.1\.192/);
  });

  it('says so when it knows the file alone', () => {
    for (const version of ['6.12.117', '9.9']) {
      const link = webLink(HANDLER, version, INDEX);
      assert.ok(link.kind === 'file');
      assert.equal(link.url, `https://elixir.bootlin.com/linux/v${version}/source/kernel/a.c`);
      assert.match(link.message, /no line is known for linux:kernel\/a\.c handler/);
    }
  });

  it('points at the place that holds for the version', () => {
    const moved: Reference = { ...HANDLER, symbol: 'moved' };
    const history: History = {
      checked: ['6.1', '6.12'],
      names: {},
      files: { 'kernel/a.c': { moved: [{ until: '6.2', path: 'kernel/old.c' }] } },
    };
    const link = (version: string): string => webLink(moved, version, INDEX, history).url;
    assert.match(link('6.1.192'), /kernel\/old\.c#L3$/);
    assert.match(link('6.1'), /v6\.1\/source\/kernel\/old\.c$/);
    assert.match(link('6.12.117'), /kernel\/a\.c$/);
  });

  it('knows the pages of each project', () => {
    const at = (project: Reference['project'], version: string) => webLink({ ...HANDLER, project }, version, {}).url;
    assert.equal(at('qemu', '7.2.0'), 'https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/kernel/a.c');
    assert.equal(at('acrn', '3.2'), 'https://github.com/projectacrn/acrn-hypervisor/blob/v3.2/kernel/a.c');
    assert.equal(at('acrn', '3.4-unstable'), 'https://github.com/projectacrn/acrn-hypervisor/blob/master/kernel/a.c');
  });
});

describe('upstreamVersions', () => {
  it('lists what the index knows, oldest first', () => {
    assert.deepEqual(upstreamVersions('linux', INDEX), ['6.1.192', '6.12.117']);
    assert.deepEqual(upstreamVersions('acrn', INDEX), []);
  });

  it('knows the committed versions', () => {
    assert.deepEqual(upstreamVersions('linux'), ['6.1.192', '6.12.117']);
    assert.deepEqual(upstreamVersions('qemu'), ['7.2.0']);
  });
});

describe('buildIndex', () => {
  const files = { 'kernel/a.c': '\nint handler(void)\n{\n go();\n x = 1;\n}\nint b(void) {}\n', 'arch/z.c': 'int z(void) {}' };
  const references: readonly Reference[] = [
    HANDLER,
    ANCHORED,
    { ...HANDLER, anchor: { token: 'x', as: 'write' } },
    { ...HANDLER, anchor: { token: 'absent', as: 'name' } },
    { ...HANDLER, symbol: 'b' },
    { ...HANDLER, symbol: 'absent' },
    { ...HANDLER, path: 'arch/z.c', symbol: 'z' },
    { ...HANDLER, project: 'qemu' },
  ];
  const expected = '{"arch/z.c":{"z":{"line":1}},"kernel/a.c":{"b":{"line":7},"handler":{"line":2,"anchors":{"call go":4,"write x":5}}}}';

  it('is the same text in whatever order the references come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...references], { minLength: references.length }), async (shuffled) => {
        const lines = await buildIndex(createResolver(LINUX, memoryFiles(files)), shuffled);
        assert.equal(JSON.stringify(lines), expected);
      }),
      { numRuns: 20 },
    );
  });

  it('is what links are made of', async () => {
    const lines = await buildIndex(createResolver(LINUX, memoryFiles(files)), references);
    const link = webLink(ANCHORED, LINUX.version, { linux: { [LINUX.version]: lines } });
    assert.match(link.url, /kernel\/a\.c#L4$/);
  });
});
