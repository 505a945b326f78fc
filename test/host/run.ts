/** Runs the suites inside a real extension host: `run.mjs web` or `run.mjs node`. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runInBrowser } from './inside';
import { ROOT } from '../workbench/paths';
import { serveNode } from '../workbench/node/server';
import type { MountedFolder } from '../workbench/folders';
import { serveWeb, type RunningServer } from '../workbench/web/server';
import { HOSTS, type Host } from '../workbench/hosts';

const chosen = HOSTS.find((host) => host === process.argv[2]);
if (!chosen) throw new Error(`usage: run.mjs ${HOSTS.join('|')}`);
process.exitCode = await runSuites(chosen);

async function runSuites(host: Host): Promise<number> {
  console.log(`in the ${host} extension host`);
  // Of their own: they write into it, in the node host on disk.
  const folder = mkdtempSync(path.join(os.tmpdir(), 'virtflow-suites-'));
  try {
    return await runInBrowser(await serveWith(host, [{ name: 'suites', path: folder }]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function serveWith(host: Host, folders: readonly MountedFolder[]): Promise<RunningServer | undefined> {
  switch (host) {
    case 'web':
      return serveWeb({ folders, tests: 'dist/test/host/web/index.js' });
    case 'node':
      return serveNode({ folders, tests: path.join(ROOT, 'dist/test/host/node/index.js') });
  }
}
