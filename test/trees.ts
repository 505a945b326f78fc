import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { nodeFiles } from '../src/cli/files';
import { createResolver, type Resolver } from '../src/sources/resolver';
import { recogniseTree } from '../src/sources/tree';

/** Real source trees: those that `.ci/run` has put into its cache, or those in the folder that VIRTFLOW_SOURCES names. Tests do without where there are none. */

const FOLDER =
  process.env['VIRTFLOW_SOURCES'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'virtflow-sources');

export interface RealTree {
  /** As its folder is called: `linux-6.12`. */
  readonly name: string;
  readonly root: string;
  readonly resolver: Resolver;
}

/** Every tree that is there, by name. */
export async function realTrees(): Promise<readonly RealTree[]> {
  if (!existsSync(FOLDER)) return [];
  const trees: RealTree[] = [];
  for (const name of readdirSync(FOLDER).toSorted()) {
    const root = path.join(FOLDER, name);
    const files = nodeFiles(root);
    const recognition = await recogniseTree(files);
    if (recognition.kind === 'tree') trees.push({ name, root, resolver: createResolver(recognition.tree, files) });
  }
  return trees;
}
