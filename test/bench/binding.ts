import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { nodeFiles } from '../../src/cli/files';
import type { Reference } from '../../src/engine/reference';
import { CATALOGUE } from '../../src/flows/catalogue';
import { claimsOf, everyRun } from '../../src/flows/places';
import { createResolver } from '../../src/sources/resolver';
import { recogniseTree, type Tree } from '../../src/sources/tree';
import { atLeast, figure, type Figure } from './figure';

const ROUNDS = 3;

/** A subsystem that no flow passes: a tree without it was cut down for tests. */
const FULL = 'drivers/gpu/drm';

/** What it costs to find every line that the flows name in a whole Linux tree, against an index of that tree. */
export async function* bindingFigures(): AsyncGenerator<Figure> {
  const root = process.env['VIRTFLOW_LINUX'];
  if (root === undefined) return skip('VIRTFLOW_LINUX names no Linux tree');
  const recognition = await recogniseTree(nodeFiles(root));
  if (recognition.kind === 'unknown') return skip(`VIRTFLOW_LINUX: ${recognition.message}`);
  if (!existsSync(`${root}/${FULL}`)) return skip(`VIRTFLOW_LINUX: ${root} is not a whole tree, it has no ${FULL}`);

  const cold = forgetFiles();
  const indexing = indexed(root);
  if (indexing === undefined) return skip('there is no universal-ctags');
  const references = claimsOf(everyRunOfAll()).references.filter(({ project }) => project === recognition.tree.project);
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    forgetFiles();
    samples.push(indexing / (await bound(root, recognition.tree, references)));
  }
  const compared = `\`ctags -R\` over Linux ${recognition.tree.version} to binding ${references.length} references in it${cold ? ', nothing cached' : ''}`;
  yield figure('binding', compared, '×', samples, atLeast(100));
}

function skip(why: string): void {
  console.error(`binding           skipped: ${why}`);
}

function* everyRunOfAll() {
  for (const flow of CATALOGUE) yield* everyRun(flow, {});
}

/** How long it takes to resolve these references in a tree of which nothing is known yet. */
async function bound(root: string, tree: Tree, references: readonly Reference[]): Promise<number> {
  const started = performance.now();
  const resolver = createResolver(tree, nodeFiles(root));
  await Promise.all(references.map((reference) => resolver.resolve(reference)));
  return performance.now() - started;
}

/** How long ctags takes; undefined if it is not there. What it finds is thrown away. */
function indexed(root: string): number | undefined {
  const started = performance.now();
  const { status } = spawnSync('ctags', ['-R', '-f', '-', root], { stdio: 'ignore' });
  return status === 0 ? performance.now() - started : undefined;
}

/** Makes the next reader of a file wait for the disk, if we may. */
function forgetFiles(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}
