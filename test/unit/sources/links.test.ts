import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROJECTS, type Reference } from '../../../src/engine/reference';
import type { History } from '../../../src/sources/history';
import type { LineIndex } from '../../../src/sources/lineIndex';
import { upstreamVersions, webLink } from '../../../src/sources/links';

const HANDLER: Reference = { project: 'linux', path: 'kernel/a.c', symbol: 'handler' };
const ANCHORED: Reference = { ...HANDLER, anchor: { token: 'go', as: 'call' } };
const INDEX: LineIndex = {
  linux: {
    versions: ['6.1.192', '6.12.117'],
    files: {
      'kernel/a.c': { handler: { line: '7,-', length: '5,-', anchors: { 'call go': '2,-' } } },
      'kernel/old.c': { moved: { line: '3,-', length: '1,-' } },
    },
  },
};

describe('webLink', () => {
  const page = 'https://elixir.bootlin.com/linux/v6.1.192/source/kernel/a.c';

  it('points at a definition and at an anchor', () => {
    assert.deepEqual(webLink(HANDLER, '6.1.192', INDEX), { kind: 'line', url: `${page}#L7-L11`, line: 7 });
    assert.deepEqual(webLink(ANCHORED, '6.1.192', INDEX), { kind: 'line', url: `${page}#L9`, line: 9 });
  });

  it('says so when it knows the definition alone', () => {
    const link = webLink({ ...HANDLER, anchor: { token: 'stop', as: 'call' } }, '6.1.192', INDEX);
    assert.ok(link.kind === 'definition');
    assert.equal(link.url, `${page}#L7-L11`);
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

  it('leads to the newest version that has it, where a version does not', () => {
    const history: History = {
      checked: ['5.10', '6.1'],
      names: {},
      files: { 'kernel/a.c': { handler: [{ until: '6.0', nowhere: 'it came later' }] } },
    };
    assert.equal(webLink(HANDLER, '5.10.223', INDEX, history).url, `${page}#L7-L11`);
    assert.equal(webLink(ANCHORED, '5.10.223', INDEX, history).url, `${page}#L9`);
  });

  it('knows the pages of each project', () => {
    const at = (project: Reference['project'], version: string) => webLink({ ...HANDLER, project }, version, {}).url;
    assert.equal(at('qemu', '7.2.0'), 'https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/kernel/a.c');
    assert.equal(at('acrn', '3.2'), 'https://github.com/projectacrn/acrn-hypervisor/blob/v3.2/kernel/a.c');
    assert.equal(at('acrn', '3.4-unstable'), 'https://github.com/projectacrn/acrn-hypervisor/blob/master/kernel/a.c');
  });
});

describe('the lines of a definition', () => {
  it('are marked as each browser does it', () => {
    const lines = { versions: ['1.0'], files: { 'kernel/a.c': { handler: { line: '7', length: '5' } } } };
    const at = (project: Reference['project']) => new URL(webLink({ ...HANDLER, project }, '1.0', { [project]: lines }).url).hash;
    assert.deepEqual([at('linux'), at('qemu'), at('acrn')], ['#L7-L11', '#L7-11', '#L7-L11']);
  });
});

describe('upstreamVersions', () => {
  it('lists what the index knows, oldest first', () => {
    assert.deepEqual(upstreamVersions('linux', INDEX), ['6.1.192', '6.12.117']);
    assert.deepEqual(upstreamVersions('acrn', INDEX), []);
  });

  it('knows a release of each series that readers are promised', () => {
    const promised = {
      linux: ['5.10', '6.1', '6.12', '7.1'],
      qemu: ['5.2', '7.2', '10.0'],
      acrn: ['3.0', '3.1', '3.2', '3.3', '3.4-unstable'],
    };
    for (const project of PROJECTS)
      for (const series of promised[project])
        assert.ok(
          upstreamVersions(project).some((version) => version === series || version.startsWith(`${series}.`)),
          `${project} ${series}`,
        );
  });
});
