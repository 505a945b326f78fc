import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { recogniseTree } from '../../../src/sources/tree';
import { compareVersions } from '../../../src/sources/versions';
import { memoryFiles } from './support';

const LINUX = { Makefile: '# x\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\nEXTRAVERSION =\n', Kbuild: '', Kconfig: '' };
const QEMU = { VERSION: '7.2.0\n', 'meson.build': '', 'include/qemu/a.h': '' };
const ACRN = { VERSION: 'MAJOR_VERSION=3\nMINOR_VERSION=4\nEXTRA_VERSION=-unstable\n', 'hypervisor/Makefile': '' };

describe('recogniseTree knows', () => {
  it('Linux', () => recognises(LINUX, 'linux 6.1.192'));
  it('QEMU', () => recognises(QEMU, 'qemu 7.2.0'));
  it('ACRN', () => recognises(ACRN, 'acrn 3.4-unstable'));

  it('Linux by its tag: no trailing zero, and the release candidate', () => {
    const makefile = 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n';
    return recognises({ ...LINUX, Makefile: makefile }, 'linux 6.12-rc3');
  });

  it("not a distributor's EXTRAVERSION", () => {
    const makefile = LINUX.Makefile.replace('EXTRAVERSION =', 'EXTRAVERSION = -5-amd64');
    return recognises({ ...LINUX, Makefile: makefile }, 'linux 6.1.192');
  });
});

describe('recogniseTree refuses, with what was expected and found,', () => {
  it('an empty directory', () => refuses({}, /not Linux: there is no Makefile.*not QEMU: there is no VERSION/));

  it("a Makefile that is not a kernel's", () =>
    refuses({ Makefile: 'all: prog\n\tcc' }, /expected a version such as “VERSION = 6.* in Makefile, which starts with “all: prog”/));

  it('a kernel Makefile alone', () => refuses({ Makefile: LINUX.Makefile }, /expected Kbuild beside Makefile/));
  it('a version that is none', () =>
    refuses({ ...LINUX, Makefile: 'VERSION = six\nPATCHLEVEL = 1\nSUBLEVEL = 1' }, /expected 'VERSION = 6'/));
  it('a VERSION of something else', () => refuses({ VERSION: '7.2.0' }, /not QEMU: expected meson\.build beside VERSION/));
  it('a binary Makefile', () => refuses({ Makefile: '\0' }, /not Linux: Makefile is binary/));
  it('a Makefile of one long line', () => refuses({ Makefile: 'x'.repeat(100_000) }, /^.{0,600}$/));
});

describe('compareVersions', () => {
  it('orders releases and candidates', () => {
    const ordered = ['4.19', '5.10', '5.10.3', '6.1-rc1', '6.1-rc10', '6.1', '6.1.192', '6.12-rc3', '6.12', '7.0'];
    assert.deepEqual(ordered.toReversed().toSorted(compareVersions), ordered);
  });

  it('takes missing parts for 0 and drops other suffixes', () => {
    assert.equal(compareVersions('6.12', '6.12.0'), 0);
    assert.equal(compareVersions('v3.4-unstable', '3.4'), 0);
  });

  it('is a total order', () => {
    const version = fc.stringMatching(/^\d{1,2}(\.\d{1,2}){0,2}(-rc\d)?$/);
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0);
      }),
    );
  });

  for (const nonsense of ['', 'next', '6.', 'x6.1']) {
    it(`throws on '${nonsense}'`, () => assert.throws(() => compareVersions(nonsense, '6.1'), /is no version: expected/));
  }
});

async function recognises(texts: Record<string, string>, expected: string): Promise<void> {
  const result = await recogniseTree(memoryFiles(texts));
  assert.ok(result.kind === 'tree', result.kind === 'unknown' ? result.message : '');
  assert.equal(`${result.tree.project} ${result.tree.version}`, expected);
}

async function refuses(texts: Record<string, string>, message: RegExp): Promise<void> {
  const result = await recogniseTree(memoryFiles(texts));
  assert.ok(result.kind === 'unknown');
  assert.match(result.message, message);
}
