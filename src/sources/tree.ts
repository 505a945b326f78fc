import { t } from '@vscode/l10n';
import type { Project } from '../engine/reference';
import { readText, type SourceFiles } from './files';

/** An upstream source tree; `version` is spelled as the upstream tag, without its 'v' (or, untagged, 3.4-unstable). */
export interface Tree {
  readonly project: Project;
  readonly version: string;
}

export type TreeRecognition = { readonly kind: 'tree'; readonly tree: Tree } | { readonly kind: 'unknown'; readonly message: string };

/** How a project's tree, or a part of it, shows itself: the file that holds its version, and what stands beside it. */
interface Signature {
  readonly project: Project;
  readonly title: string;
  readonly versionFile: string;
  /** One of these is enough; none is in other projects that say their version in the same way, such as U-Boot. */
  readonly beside: readonly string[];
  readonly versionLine: string;
  readonly readVersion: (text: string) => string | undefined;
}

const SIGNATURES: readonly Signature[] = [
  {
    project: 'linux',
    title: 'Linux',
    versionFile: 'Makefile',
    beside: ['kernel', 'virt/kvm', 'drivers/vfio'],
    versionLine: 'VERSION = 6, PATCHLEVEL = 1, SUBLEVEL = 192',
    readVersion: linuxVersion,
  },
  {
    project: 'acrn',
    title: 'ACRN',
    versionFile: 'VERSION',
    beside: ['hypervisor', 'devicemodel'],
    versionLine: 'MAJOR_VERSION=3, MINOR_VERSION=4',
    readVersion: acrnVersion,
  },
  {
    project: 'qemu',
    title: 'QEMU',
    versionFile: 'VERSION',
    beside: ['include/qemu', 'accel/kvm', 'hw/vfio'],
    versionLine: '7.2.0',
    readVersion: qemuVersion,
  },
];

/** The file in which a project's trees say what version they are. */
export const versionFileOf = (project: Project): string => SIGNATURES.find((signature) => signature.project === project)!.versionFile;

/** A project's name for people. */
export const titleOf = (project: Project): string => SIGNATURES.find((signature) => signature.project === project)!.title;

/** A tree for people: `Linux 6.12.117`. */
export const treeName = ({ project, version }: Tree): string => `${titleOf(project)} ${version}`;

/** No version file is longer than this in any release; the version stands near the top. */
const MAX_EXCERPT = 40;

/**
 * Says which project and version a tree is, by the tree's own version files. If it is none of the known, the
 * message says for each project what was expected and what was found.
 */
export async function recogniseTree(files: SourceFiles): Promise<TreeRecognition> {
  const problem = await problemOfRoot(files);
  if (problem !== undefined) return { kind: 'unknown', message: problem };
  const objections: string[] = [];
  for (const signature of SIGNATURES) {
    const result = await match(files, signature);
    if (result.kind === 'version') {
      return { kind: 'tree', tree: { project: signature.project, version: result.version } };
    }
    objections.push(t('not {0}: {1}', signature.title, result.message));
  }
  return { kind: 'unknown', message: t('not a source tree of Linux, QEMU or ACRN ({0})', objections.join('; ')) };
}

/** Why no tree can be there at all: a root that is no directory, or cannot be looked at. */
async function problemOfRoot(files: SourceFiles): Promise<string | undefined> {
  try {
    const root = await files.stat('');
    return root === undefined || root.type === 'directory' ? undefined : t('this is no directory, expected the root of a source tree');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

type Match = { readonly kind: 'version'; readonly version: string } | { readonly kind: 'other'; readonly message: string };

async function match(files: SourceFiles, signature: Signature): Promise<Match> {
  const { versionFile, versionLine, beside } = signature;
  const content = await readText(files, versionFile);
  switch (content.kind) {
    case 'absent':
      return other(t('there is no {0}', versionFile));
    case 'refused':
      return other(content.message);
    case 'text': {
      const version = signature.readVersion(content.text);
      if (version === undefined) {
        return other(t('expected a version such as “{0}” in {1}, which has “{2}”', versionLine, versionFile, excerpt(content.text)));
      }
      if (await isAnyThere(files, beside)) return { kind: 'version', version };
      return other(t('expected one of {0} beside {1}', beside.join(', '), versionFile));
    }
  }
}

async function isAnyThere(files: SourceFiles, paths: readonly string[]): Promise<boolean> {
  const stats = await Promise.all(paths.map((path) => files.stat(path).catch(() => undefined)));
  return stats.some((stat) => stat !== undefined);
}

function linuxVersion(makefile: string): string | undefined {
  const version = assigned(makefile, 'VERSION', /^\d+$/);
  const patchLevel = assigned(makefile, 'PATCHLEVEL', /^\d+$/);
  const subLevel = assigned(makefile, 'SUBLEVEL', /^\d+$/);
  if (version === undefined || patchLevel === undefined || subLevel === undefined) return undefined;
  // Linux tags the first release of a series without its zero: v6.12.
  const release = subLevel === '0' ? `${version}.${patchLevel}` : `${version}.${patchLevel}.${subLevel}`;
  // What a distributor or a developer adds does not change which release this is.
  return release + (assigned(makefile, 'EXTRAVERSION', /^-rc\d+/) ?? '');
}

function acrnVersion(text: string): string | undefined {
  const major = assigned(text, 'MAJOR_VERSION', /^\d+$/);
  const minor = assigned(text, 'MINOR_VERSION', /^\d+$/);
  if (major === undefined || minor === undefined) return undefined;
  const update = assigned(text, 'EXTRA_VERSION', /^\d+$/);
  if (update !== undefined) return `${major}.${minor}.${update}`;
  return `${major}.${minor}${assigned(text, 'EXTRA_VERSION', /^-(unstable|rc\d+)/) ?? ''}`;
}

function qemuVersion(text: string): string | undefined {
  const [, release, major, minor, micro, candidate = ''] = /^((\d+)\.(\d+)(?:\.(\d+))?)(-rc\d+)?(?![\d.])/.exec(text.trim()) ?? [];
  if (release === undefined) return undefined;
  // 10.0.50 is on its way to 10.1, and 10.0.91 is 10.1.0-rc1; a major version has three minor ones.
  const next = minor === '2' ? `${Number(major) + 1}.0` : `${major}.${Number(minor) + 1}`;
  const patch = Number(micro ?? 0);
  if (patch >= 90) return `${next}.0-rc${patch - 90}`;
  return patch >= 50 ? `${next}-unstable` : release + candidate;
}

/** What of the value of the first line `name = value` has the expected form. */
function assigned(text: string, name: string, form: RegExp): string | undefined {
  const [, value = ''] = new RegExp(`^[ \\t]*${name}[ \\t]*[:?]?=([^#\\r\\n]*)`, 'm').exec(text) ?? [];
  return form.exec(value.trim())?.[0];
}

/** The line that should hold the version, else the first. */
function excerpt(text: string): string {
  const line = /^.*VERSION.*$/m.exec(text)?.[0] ?? text.split('\n', 1)[0]!;
  return line.length > MAX_EXCERPT ? `${line.slice(0, MAX_EXCERPT)}…` : line;
}

function other(message: string): Match {
  return { kind: 'other', message };
}
