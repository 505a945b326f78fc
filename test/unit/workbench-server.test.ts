import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { MountedFolder } from '../workbench/folders';
import { serveWeb, type RunningServer } from '../workbench/web/server';

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

suite("the web workbench's server", () => {
  const box = mkdtempSync(path.join(os.tmpdir(), 'virtflow-files-'));
  const linux = path.join(box, 'linux');
  const qemu = path.join(box, 'qemu');
  const folders: readonly MountedFolder[] = [
    { name: 'linux', path: linux },
    { name: 'qemu', path: qemu },
  ];
  let server: RunningServer;

  before(async () => {
    for (const folder of [path.join(linux, 'virt/kvm'), qemu]) mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(linux, 'virt/kvm/eventfd.c'), 'int answer;\n');
    writeFileSync(path.join(linux, 'a #1?.c'), '');
    writeFileSync(path.join(box, 'secret'), 'secret\n');
    symlinkSync('virt/kvm/eventfd.c', path.join(linux, 'inside'));
    symlinkSync('../secret', path.join(linux, 'outside'));
    symlinkSync('..', path.join(qemu, 'up'));
    server = await serveWeb({ folders });
  });
  after(async () => {
    await server.close();
    rmSync(box, { recursive: true });
  });

  /** A request as it is written: neither fetch nor URL would let `..` or a foreign Host through. */
  function get(target: string, options: http.RequestOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url);
      const request = http.request({ hostname, port, path: target, agent: false, ...options }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      });
      request.on('error', reject).end();
    });
  }

  test('shows the mounted folders side by side', async () => {
    assert.deepEqual(JSON.parse((await get('/mount/?readdir')).body), [
      { name: 'linux', type: 2 },
      { name: 'qemu', type: 2 },
    ]);
    const workspace = JSON.parse((await get('/mount/virtflow.code-workspace')).body);
    assert.deepEqual(workspace, {
      folders: [
        { name: 'linux', uri: 'mount:/linux' },
        { name: 'qemu', uri: 'mount:/qemu' },
      ],
    });
  });

  test('lists, describes and reads', async () => {
    assert.deepEqual(JSON.parse((await get('/mount/linux/virt?readdir')).body), [{ name: 'kvm', type: 2 }]);
    const stat = JSON.parse((await get('/mount/linux/virt/kvm/eventfd.c?stat')).body);
    assert.equal(stat.type, 1);
    assert.equal(stat.size, 12);
    assert.equal((await get('/mount/linux/virt/kvm/eventfd.c')).body, 'int answer;\n');
    assert.equal((await get('/mount/linux/inside')).body, 'int answer;\n');
    assert.equal((await get('/mount/linux/a%20%231%3F.c')).status, 200);
  });

  test('answers HEAD with the length alone', async () => {
    const { status, headers, body } = await get('/mount/linux/virt/kvm/eventfd.c', { method: 'HEAD' });
    assert.deepEqual([status, headers['content-length'], body], [200, '12', '']);
  });

  const unreachable = [
    '/mount/linux/../secret',
    '/mount/linux/%2e%2e/secret',
    '/mount/linux/..%2fsecret',
    '/mount/linux/..%5csecret',
    '/mount/linux/virt/../../secret',
    '/mount/linux/outside',
    '/mount/linux/outside?stat',
    '/mount/qemu/up/secret',
    '/mount/qemu/up?readdir',
    '/mount/../secret',
    '/mount/other/secret',
    '/mount/linux/virt',
    '/mount/linux/absent.c?stat',
    '/mount/linux/%00',
    '/mount/linux/%zz',
    '/extension/package-lock.json',
    '/extension/.git/HEAD',
    '/extension/dist/../package-lock.json',
    '/extension/dist/%2e%2e/package-lock.json',
    '/vscode/%2e%2e/%2e%2e/package.json',
    '//etc/passwd',
    '/nowhere',
  ];
  for (const target of unreachable) {
    test(`has nothing at ${target}`, async () => {
      const { status, body } = await get(target);
      assert.equal(status, 404);
      assert.doesNotMatch(body, new RegExp(`^secret$|${box}`, 'm'));
    });
  }

  test('does not wait for a named pipe', { skip: process.platform === 'win32' }, async () => {
    execFileSync('mkfifo', [path.join(linux, 'pipe')]);
    assert.equal((await get('/mount/linux/pipe')).status, 404);
  });

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
    test(`refuses ${method}`, async () => assert.equal((await get('/mount/linux/virt', { method })).status, 405));
  }

  for (const host of ['example.org', '127.0.0.1.example.org', 'localhost.example.org:80', '10.0.0.1']) {
    test(`refuses the name "${host}"`, async () => assert.equal((await get('/', { headers: { Host: host } })).status, 403));
  }

  test('answers to localhost and listens on this machine only', async () => {
    assert.equal(new URL(server.url).hostname, '127.0.0.1');
    const { status, body, headers } = await get('/', { headers: { Host: 'localhost:80' } });
    assert.equal(status, 200);
    assert.match(body, /vscode-workbench-web-configuration/);
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  test('says when the port is taken', async () => {
    await assert.rejects(serveWeb({ port: Number(new URL(server.url).port) }), /EADDRINUSE/);
  });
});
