/** Runs the suites inside a real extension host: `run.mjs web` or `run.mjs node`. */
import path from 'node:path';
import { runInBrowser } from './inside';
import { ROOT } from '../workbench/paths';
import { serveNode } from '../workbench/node/server';
import { serveWeb } from '../workbench/web/server';
import { HOSTS, type Host } from '../workbench/hosts';

const chosen = HOSTS.find((host) => host === process.argv[2]);
if (!chosen) throw new Error(`usage: run.mjs ${HOSTS.join('|')}`);
process.exitCode = await runSuites(chosen);

async function runSuites(host: Host): Promise<number> {
  console.log(`in the ${host} extension host`);
  switch (host) {
    case 'web':
      return runInBrowser(await serveWeb({ tests: 'dist/test/host/web/index.js' }));
    case 'node':
      return runInBrowser(await serveNode({ tests: path.join(ROOT, 'dist/test/host/node/index.js') }));
  }
}
