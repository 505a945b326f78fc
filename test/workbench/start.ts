/**
 * `npm start`: serves VS Code with Virtflow in it and prints where.
 *
 *     npm start -- [--linux DIR] [--qemu DIR] [--acrn DIR] [--port N] [DIR]
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { WELCOME, type MountedFolder } from './folders';
import { serveWeb } from './web/server';

const USAGE = 'npm start -- [--linux DIR] [--qemu DIR] [--acrn DIR] [--port N] [DIR]';

try {
  const { port, folders } = parse(process.argv.slice(2));
  const { url } = await serveWeb({ port, folders });
  for (const folder of folders) console.log(`  ${folder.name.padEnd(8)} ${folder.path}`);
  console.log(`\nVirtflow is at  ${url}\n\nEdits stay in the browser. Press Ctrl+C to stop.`);
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`);
  process.exitCode = 2;
}

function parse(args: readonly string[]): { readonly port: number; readonly folders: readonly MountedFolder[] } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      linux: { type: 'string' },
      qemu: { type: 'string' },
      acrn: { type: 'string' },
      port: { type: 'string', default: '3200' },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port: expected 0 to 65535, got "${values.port}"`);
  const trees = (['linux', 'qemu', 'acrn'] as const).flatMap((name) => mounted(name, values[name]));
  const others = positionals.flatMap((given) => mounted(path.basename(path.resolve(given)), given));
  const folders = [...others, ...trees];
  const twice = folders.find(({ name }, index) => folders.findIndex((other) => other.name === name) < index);
  if (twice) throw new Error(`two folders would be called "${twice.name}"`);
  return { port, folders: folders.length > 0 ? folders : WELCOME };
}

function mounted(name: string, given: string | undefined): readonly MountedFolder[] {
  if (given === undefined) return [];
  const resolved = path.resolve(given);
  if (!statSync(resolved, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${name}: expected a folder, got "${given}"`);
  return [{ name, path: resolved }];
}
