import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import * as fc from 'fast-check';
import { recogniseTree } from '../../../src/sources/tree';
import { compareVersions, isVersion } from '../../../src/sources/versions';
import { memoryFiles } from './support';

const LINUX = { Makefile: makefile('6.1.192'), 'kernel/fork.c': '' };
const QEMU = { VERSION: '7.2.0\n', 'include/qemu/a.h': '' };
const ACRN = { VERSION: acrnVersion('3.4', '-unstable'), 'hypervisor/Makefile': '' };

describe('recogniseTree knows', () => {
  const trees: readonly (readonly [what: string, texts: Record<string, string>, expected: string])[] = [
    ['Linux', LINUX, 'linux 6.1.192'],
    ['QEMU', QEMU, 'qemu 7.2.0'],
    ['ACRN', ACRN, 'acrn 3.4-unstable'],
    ['Linux’s first release of a series, by its tag', { ...LINUX, Makefile: makefile('6.12.0') }, 'linux 6.12'],
    ['a candidate of Linux', { ...LINUX, Makefile: makefile('6.12.0', '-rc3') }, 'linux 6.12-rc3'],
    ['a candidate of Linux with local changes', { ...LINUX, Makefile: makefile('6.12.0', '-rc3-mine+') }, 'linux 6.12-rc3'],
    ['a distributor’s Linux', { ...LINUX, Makefile: makefile('6.1.192', '-5-amd64') }, 'linux 6.1.192'],
    ['Linux with a real-time patch', { ...LINUX, Makefile: makefile('6.6.5', '-rt16') }, 'linux 6.6.5'],
    ['a part of Linux', { Makefile: LINUX.Makefile, 'drivers/vfio/vfio_main.c': '' }, 'linux 6.1.192'],
    ['Linux as Windows keeps it', { ...LINUX, Makefile: LINUX.Makefile.replaceAll('\n', '\r\n') }, 'linux 6.1.192'],
    ['a release of Linux that is to come', { ...LINUX, Makefile: makefile('12.3.4') }, 'linux 12.3.4'],
    ['QEMU on its way to 10.1', { ...QEMU, VERSION: '10.0.50\n' }, 'qemu 10.1-unstable'],
    ['QEMU on its way to the next major version', { ...QEMU, VERSION: '10.2.50\n' }, 'qemu 11.0-unstable'],
    ['a candidate of QEMU', { ...QEMU, VERSION: '5.1.91\n' }, 'qemu 5.2.0-rc1'],
    ['a candidate of QEMU, named as such', { ...QEMU, VERSION: '5.2.0-rc1' }, 'qemu 5.2.0-rc1'],
    ['an update of QEMU', { ...QEMU, VERSION: '7.2.22\n' }, 'qemu 7.2.22'],
    ['a distributor’s QEMU', { ...QEMU, VERSION: '8.2.0 (qemu-kvm-8.2.0-11.el9)' }, 'qemu 8.2.0'],
    ['a part of QEMU', { VERSION: '7.2.0', 'hw/vfio/pci.c': '' }, 'qemu 7.2.0'],
    ['ACRN’s first release', { ...ACRN, VERSION: acrnVersion('0.1') }, 'acrn 0.1'],
    ['ACRN before 3.0', { ...ACRN, VERSION: acrnVersion('2.7') }, 'acrn 2.7'],
    ['an update of ACRN', { ...ACRN, VERSION: acrnVersion('3.0', '1') }, 'acrn 3.0.1'],
    ['a candidate of ACRN', { ...ACRN, VERSION: acrnVersion('3.0', '-rc2') }, 'acrn 3.0-rc2'],
    ['the device model of ACRN alone', { VERSION: ACRN.VERSION, 'devicemodel/Makefile': '' }, 'acrn 3.4-unstable'],
  ];
  for (const [what, texts, expected] of trees) it(what, () => recognises(texts, expected));

  it('versions that can be ordered, whatever a version file has', async () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^(VERSION|MAJOR_VERSION|PATCHLEVEL|SUBLEVEL|\d|[-. =\n]|rc|unstable)*$/));
    await fc.assert(
      fc.asyncProperty(text, async (file) => {
        const result = await recogniseTree(memoryFiles({ ...LINUX, ...QEMU, ...ACRN, Makefile: file, VERSION: file }));
        if (result.kind === 'tree') assert.equal(compareVersions(result.tree.version, result.tree.version), 0);
        else assert.match(result.message, /not Linux: .*not ACRN: .*not QEMU: /s);
      }),
    );
  });
});

describe('recogniseTree refuses, with what was expected and found,', () => {
  it('an empty directory', () => refuses({}, /not Linux: there is no Makefile.*not QEMU: there is no VERSION/));

  it("a Makefile that is not a kernel's", () =>
    refuses({ Makefile: 'all: prog\n\tcc' }, /expected a version such as “VERSION = 6.* in Makefile, which has “all: prog”/));

  it('a kernel Makefile alone', () =>
    refuses({ Makefile: LINUX.Makefile }, /expected one of kernel, virt\/kvm, drivers\/vfio beside Makefile/));
  it('U-Boot, whose Makefile says its version as Linux does', () =>
    refuses({ Makefile: makefile('2024.1.0'), Kbuild: '', Kconfig: '', 'include/linux/a.h': '' }, /expected one of kernel/));
  it('a version that is none', () =>
    refuses({ ...LINUX, Makefile: '# SPDX\nVERSION = six\nPATCHLEVEL = 1\nSUBLEVEL = 1' }, /in Makefile, which has “VERSION = six”/));
  it('a version of QEMU that is none', () =>
    refuses({ ...QEMU, VERSION: 'master\n' }, /not QEMU: expected a version such as “7.2.0”.*“master”/));
  it('a VERSION of something else', () => refuses({ VERSION: '7.2.0' }, /not QEMU: expected one of include\/qemu, .* beside VERSION/));
  it('a binary Makefile', () => refuses({ Makefile: '\0' }, /not Linux: Makefile is binary/));
  it('a Makefile of one long line', () => refuses({ Makefile: 'x'.repeat(100_000) }, /^.{0,600}$/));
});

describe('compareVersions', () => {
  it('orders releases and candidates', () => {
    const ordered = ['4.19', '5.10', '5.10.3', '6.1-unstable', '6.1-rc1', '6.1-rc10', '6.1', '6.1.192', '6.12-rc3', '6.12', '7.0'];
    assert.deepEqual(ordered.toReversed().toSorted(compareVersions), ordered);
  });

  it('takes missing parts for 0 and drops other suffixes', () => {
    assert.equal(compareVersions('6.12', '6.12.0'), 0);
    assert.equal(compareVersions('v3.4-mine', '3.4'), 0);
  });

  it('is a total order', () => {
    const version = fc.stringMatching(/^\d{1,2}(\.\d{1,2}){0,2}(-unstable|-rc\d)?$/);
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

test('a version is one to its end', () => {
  for (const version of ['5.10', 'v6.12-rc3', '7.2.0', '3.4-unstable']) assert.ok(isVersion(version), version);
  for (const other of ['', 'next', '6.12-mine', '6.1](command:x)', '6.1\n', '../6.1']) assert.ok(!isVersion(other), other);
});

function makefile(version: string, extra = ''): string {
  const [major, patchLevel, subLevel] = version.split('.');
  return `# SPDX\nVERSION = ${major}\nPATCHLEVEL = ${patchLevel}\nSUBLEVEL = ${subLevel}\nEXTRAVERSION = ${extra}\nNAME = x\n`;
}

function acrnVersion(version: string, extra = ''): string {
  const [major, minor] = version.split('.');
  return `MAJOR_VERSION=${major}\nMINOR_VERSION=${minor}\nEXTRA_VERSION=${extra}\n`;
}

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

test('a root that is no directory is told as that, not as what a directory would lack', async () => {
  const result = await recogniseTree({ ...memoryFiles({}), stat: async () => ({ type: 'file', size: 5 }) });
  assert.deepEqual(result, { kind: 'unknown', message: 'this is no directory, expected the root of a source tree' });
  const unreadable = await recogniseTree({ ...memoryFiles({}), stat: () => Promise.reject(new Error('permission denied')) });
  assert.deepEqual(unreadable, { kind: 'unknown', message: 'permission denied' });
});
