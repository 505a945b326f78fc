import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WELCOME, workspaceFile, type MountedFolder } from '../folders';
import { linkServerDependencies, nodeForServer, ROOT, VSCODE } from '../paths';
import { QUIET_SETTINGS } from '../settings';
import type { RunningServer } from '../web/server';

export interface NodeServerOptions {
  readonly folders?: readonly MountedFolder[];
  /** The extension's folder; this repository unless given. */
  readonly extension?: string;
  /** Path of a bundle that exports `run()`: the workbench runs it and exits. */
  readonly tests?: string;
}

/**
 * Starts VS Code's own server, whose extension host is a Node process, with fresh settings and storage of its own.
 * Undefined where no Node is new enough for it.
 *
 * @throws with the server's output when it does not answer within 20 s
 */
export async function serveNode(options: NodeServerOptions = {}): Promise<RunningServer | undefined> {
  const node = nodeForServer();
  if (node === undefined) return undefined;
  linkServerDependencies();
  const data = mkdtempSync(path.join(os.tmpdir(), 'virtflow-server-'));
  writeSettings(data);
  const port = await freePort();
  const token = randomUUID();
  const server = spawn(node, serverArguments(port, token, data), { stdio: ['ignore', 'pipe', 'pipe'] });
  const close = async () => {
    await stop(server);
    // Its extension host may write into its log for some seconds yet.
    rmSync(data, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    await answering(server, `http://127.0.0.1:${port}/version`);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: startUrl(`127.0.0.1:${port}`, token, data, options), close };
}

function serverArguments(port: number, token: string, data: string): readonly string[] {
  return [
    path.join(VSCODE, 'out/server-main.js'),
    ...['--host', '127.0.0.1', '--port', String(port), '--connection-token', token, '--server-data-dir', data],
    ...['--accept-server-license-terms', '--telemetry-level', 'off', '--disable-workspace-trust'],
    // Without this the address's payload, and with it the extension under development, is ignored.
    '--enable-smoke-test-driver',
  ];
}

function startUrl(host: string, token: string, data: string, options: NodeServerOptions): string {
  const remote = (file: string) => `vscode-remote://${host}${file}`;
  const payload = [
    ['extensionDevelopmentPath', remote(options.extension ?? ROOT)],
    ['skipWelcome', 'true'],
    ...(options.tests === undefined ? [] : [['extensionTestsPath', remote(options.tests)]]),
  ];
  const query = new URLSearchParams({
    tkn: token,
    ...workspace(data, options.folders ?? WELCOME, remote),
    payload: JSON.stringify(payload),
  });
  return `http://${host}/?${query}`;
}

function workspace(data: string, folders: readonly MountedFolder[], remote: (file: string) => string): Record<string, string> {
  const [only, ...others] = folders;
  if (only && others.length === 0) return { folder: only.path };
  const file = path.join(data, 'virtflow.code-workspace');
  writeFileSync(
    file,
    workspaceFile(folders, (folder) => remote(folder.path)),
  );
  return { workspace: file };
}

function writeSettings(data: string): void {
  const folder = path.join(data, 'data/User');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'settings.json'), JSON.stringify(QUIET_SETTINGS));
}

async function answering(server: ChildProcess, url: string): Promise<void> {
  const output: string[] = [];
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk) => output.push(String(chunk)));
  const deadline = Date.now() + 20_000;
  while (
    !(await fetch(url).then(
      (response) => response.ok,
      () => false,
    ))
  ) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`VS Code's server did not start:\n${output.join('')}`);
    await delay(50);
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    server.once('exit', () => resolve());
    server.kill();
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
