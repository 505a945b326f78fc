import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { nodeFiles } from '../../../src/cli/files';
import { MAX_SOURCE_BYTES, readText, type SourceFiles } from '../../../src/sources/files';
import { memoryFiles } from './support';

describe('readText', () => {
  it('reads text, with its byte order mark dropped and broken UTF-8 replaced', async () => {
    const files = memoryFiles({ 'a.c': new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x62]) });
    assert.deepEqual(await readText(files, 'a.c'), { kind: 'text', text: 'a\ufffdb' });
  });

  it('says when nothing is there', async () => {
    assert.deepEqual(await readText(memoryFiles({}), 'a.c'), { kind: 'absent' });
  });

  it('refuses a huge file with its size, without reading it', async () => {
    const files: SourceFiles = {
      stat: () => Promise.resolve({ type: 'file', size: MAX_SOURCE_BYTES + 1 }),
      read: () => assert.fail('it was read'),
    };
    await refuses(files, /a\.c has 8388609 bytes/);
  });

  it('refuses a file that grew while it was read', async () => {
    const files: SourceFiles = {
      stat: () => Promise.resolve({ type: 'file', size: 1 }),
      read: () => Promise.resolve(new Uint8Array(MAX_SOURCE_BYTES + 1)),
    };
    await refuses(files, /8388609 bytes/);
  });

  it('refuses binary content', () => refuses(memoryFiles({ 'a.c': 'int a;\0' }), /a\.c is binary/));

  it('refuses a directory', () => refuses(memoryFiles({ 'a.c/b': '' }), /a\.c is not a regular file/));

  it('refuses what cannot be read', async () => {
    const files: SourceFiles = { ...memoryFiles({ 'a.c': '' }), read: () => Promise.reject(new Error('a.c: disk on fire')) };
    await refuses(files, /disk on fire/);
  });
});

describe('nodeFiles', () => {
  let directory = '';
  let files: SourceFiles;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sources-'));
    const tree = join(directory, 'tree');
    await mkdir(join(tree, 'sub'), { recursive: true });
    await writeFile(join(directory, 'outside.c'), 'secret');
    await writeFile(join(tree, 'sub', 'a.c'), 'int a;');
    await symlink('sub/a.c', join(tree, 'inside.c'));
    await symlink('../outside.c', join(tree, 'out.c'));
    await symlink('..', join(tree, 'up'));
    await symlink('loop.c', join(tree, 'loop.c'));
    await symlink('nowhere.c', join(tree, 'dangling.c'));
    execFileSync('mkfifo', [join(tree, 'pipe.c')]);
    files = nodeFiles(tree);
  });

  after(() => rm(directory, { recursive: true }));

  it('reads a file, directly and through a link inside the tree', async () => {
    assert.deepEqual(await readText(files, 'sub/a.c'), { kind: 'text', text: 'int a;' });
    assert.deepEqual(await readText(files, 'inside.c'), { kind: 'text', text: 'int a;' });
  });

  it('knows directories', async () => assert.equal((await files.stat('sub'))?.type, 'directory'));

  for (const path of ['absent.c', 'sub/a.c/b.c', 'dangling.c']) {
    it(`finds nothing at ${path}`, async () => assert.deepEqual(await readText(files, path), { kind: 'absent' }));
  }

  it('refuses a link out of the tree', () => refuses(files, /out\.c is a link that leads out of/, 'out.c'));
  it('refuses a link out of the tree on the way', () => refuses(files, /leads out of/, 'up/outside.c'));
  it('refuses a link in a circle', () => refuses(files, /loop\.c is a link that leads in a circle/, 'loop.c'));
  it('refuses a path out of the tree', () => refuses(files, /\.\.\/outside\.c leads out of/, '../outside.c'));
  it('refuses a pipe, without waiting for it', () => refuses(files, /pipe\.c is not a regular file/, 'pipe.c'));
  it('does not open a pipe when asked directly', () => assert.rejects(files.read('pipe.c'), /not a regular file/));
  it('names a root that is not there', () => refuses(nodeFiles(join(directory, 'no')), /there is no directory .*no$/));
});

async function refuses(files: SourceFiles, message: RegExp, path = 'a.c'): Promise<void> {
  const result = await readText(files, path);
  assert.ok(result.kind === 'refused', result.kind);
  assert.match(result.message, message);
}
