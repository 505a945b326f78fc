import path from 'node:path';
import { ROOT } from './paths';

/** A folder of this machine that the workbench shows under a name of its own. */
export interface MountedFolder {
  readonly name: string;
  readonly path: string;
}

/** What `npm start` and the tests open unless told otherwise. */
export const WELCOME: readonly MountedFolder[] = [{ name: 'welcome', path: path.join(ROOT, 'test/workbench/welcome') }];

/**
 * The text of a .code-workspace file that opens the folders, each at the place `uri` gives it.
 */
export function workspaceFile(folders: readonly MountedFolder[], uri: (folder: MountedFolder) => string): string {
  return JSON.stringify({ folders: folders.map((folder) => ({ name: folder.name, uri: uri(folder) })) }, undefined, 2);
}
