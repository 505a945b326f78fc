import { t } from '@vscode/l10n';
import { PROJECTS, type Project } from '../engine/reference';
import { ParameterError } from '../flows/flow';
import { createResolver, type Resolver } from '../sources/resolver';
import { recogniseTree } from '../sources/tree';
import { nodeFiles } from './files';

/** The source trees that a command line names: as many of a project as one likes. */
export type Directories = { readonly [P in Project]?: readonly string[] | undefined };

/**
 * Opens them, project by project, in the order given.
 * @throws ParameterError naming the directory that is no tree, or of another project
 */
export async function openTrees(options: Directories): Promise<readonly Resolver[]> {
  const resolvers: Resolver[] = [];
  for (const project of PROJECTS) for (const directory of options[project] ?? []) resolvers.push(await openTree(project, directory));
  return resolvers;
}

async function openTree(project: Project, directory: string): Promise<Resolver> {
  const files = nodeFiles(directory);
  const recognition = await recogniseTree(files);
  if (recognition.kind === 'unknown') throw new ParameterError(`--${project} ${directory}: ${recognition.message}`);
  if (recognition.tree.project !== project)
    throw new ParameterError(
      t('--{0} {1}: this is a tree of {2} {3}', project, directory, recognition.tree.project, recognition.tree.version),
    );
  return createResolver(recognition.tree, files);
}

/** The same, for what cannot do without. @throws ParameterError if none is given */
export async function openSomeTrees(options: Directories): Promise<readonly Resolver[]> {
  const resolvers = await openTrees(options);
  if (resolvers.length === 0) throw new ParameterError(t('give at least one source tree: --linux DIR, --qemu DIR or --acrn DIR'));
  return resolvers;
}
