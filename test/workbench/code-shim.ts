#!/usr/bin/env node
/**
 * Takes the place of the desktop's `code` for @vscode/test-electron where there is none: understands the arguments that matter
 * for running tests, and runs them in VS Code's server.
 */
import path from 'node:path';
import { runInBrowser } from '../host/inside';
import { serveNode } from './node/server';

const [folder] = process.argv.slice(2).filter((word) => !word.startsWith('-'));

process.exitCode = await runInBrowser(
  await serveNode({
    extension: argument('extensionDevelopmentPath'),
    tests: argument('extensionTestsPath'),
    ...(folder ? { folders: [{ name: path.basename(folder), path: path.resolve(folder) }] } : {}),
  }),
);

function argument(name: string): string {
  const given = process.argv.find((word) => word.startsWith(`--${name}=`));
  if (!given) throw new Error(`expected --${name}=PATH`);
  return path.resolve(given.slice(`--${name}=`.length));
}
