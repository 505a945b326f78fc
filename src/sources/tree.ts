import { t } from '@vscode/l10n';
import type { Project } from '../engine/reference';
import { readText, type SourceFiles } from './files';

/** An upstream source tree; `version` is spelled as the upstream tag, without its 'v' (or, untagged, 3.4-unstable). */
export interface Tree {
  readonly project: Project;
  readonly version: string;
}

export type TreeRecognition = { readonly kind: 'tree'; readonly tree: Tree } | { readonly kind: 'unknown'; readonly message: string };

/** How a project's tree shows itself: the file that holds its version, and what must stand beside it. */
interface Signature {
  readonly project: Project;
  readonly title: string;
  readonly versionFile: string;
  readonly beside: readonly string[];
  readonly versionLine: string;
  readonly readVersion: (text: string) => string | undefined;
}

const SIGNATURES: readonly Signature[] = [
  {
    project: 'linux',
    title: 'Linux',
    versionFile: 'Makefile',
    beside: ['Kbuild', 'Kconfig'],
    versionLine: 'VERSION = 6, PATCHLEVEL = 1, SUBLEVEL = 192',
    readVersion: linuxVersion,
  },
  {
    project: 'acrn',
    title: 'ACRN',
    versionFile: 'VERSION',
    beside: ['hypervisor'],
    versionLine: 'MAJOR_VERSION=3, MINOR_VERSION=4',
    readVersion: acrnVersion,
  },
  {
    project: 'qemu',
    title: 'QEMU',
    versionFile: 'VERSION',
    beside: ['meson.build', 'include/qemu'],
    versionLine: '7.2.0',
    readVersion: qemuVersion,
  },
];

/** The file in which a project's trees say what version they are. */
export const versionFileOf = (project: Project): string => SIGNATURES.find((signature) => signature.project === project)!.versionFile;

/** A project's name for people. */
export const titleOf = (project: Project): string => SIGNATURES.find((signature) => signature.project === project)!.title;

/** No version file is longer than this in any release; the version stands near the top. */
const MAX_EXCERPT = 40;

/**
 * Says which project and version a tree is, by the tree's own version files. If it is none of the known, the
 * message says for each project what was expected and what was found.
 */
export async function recogniseTree(files: SourceFiles): Promise<TreeRecognition> {
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
        return other(
          t('expected a version such as “{0}” in {1}, which starts with “{2}”', versionLine, versionFile, excerpt(content.text)),
        );
      }
      const missing = await firstAbsent(files, beside);
      return missing === undefined ? { kind: 'version', version } : other(t('expected {0} beside {1}', missing, versionFile));
    }
  }
}

async function firstAbsent(files: SourceFiles, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if ((await files.stat(path).catch(() => undefined)) === undefined) return path;
  }
  return undefined;
}

function linuxVersion(makefile: string): string | undefined {
  const version = assigned(makefile, 'VERSION', /^\d+$/);
  const patchLevel = assigned(makefile, 'PATCHLEVEL', /^\d+$/);
  const subLevel = assigned(makefile, 'SUBLEVEL', /^\d+$/);
  if (version === undefined || patchLevel === undefined || subLevel === undefined) return undefined;
  // Linux tags the first release of a series without its zero: v6.12.
  const release = subLevel === '0' ? `${version}.${patchLevel}` : `${version}.${patchLevel}.${subLevel}`;
  return release + (assigned(makefile, 'EXTRAVERSION', /^-rc\d+$/) ?? '');
}

function acrnVersion(text: string): string | undefined {
  const major = assigned(text, 'MAJOR_VERSION', /^\d+$/);
  const minor = assigned(text, 'MINOR_VERSION', /^\d+$/);
  if (major === undefined || minor === undefined) return undefined;
  return `${major}.${minor}${assigned(text, 'EXTRA_VERSION', /^-(unstable|rc\d+)$/) ?? ''}`;
}

function qemuVersion(text: string): string | undefined {
  const version = text.trim();
  return /^\d+\.\d+\.\d+$/.test(version) ? version : undefined;
}

/** The value of the first line `name = value`, if it has the expected form. */
function assigned(text: string, name: string, form: RegExp): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.split('=')[0]?.trim() === name);
  const value = line?.slice(line.indexOf('=') + 1).trim();
  return value !== undefined && form.test(value) ? value : undefined;
}

function excerpt(text: string): string {
  const [line = ''] = text.split('\n', 1);
  return line.length > MAX_EXCERPT ? `${line.slice(0, MAX_EXCERPT)}…` : line;
}

function other(message: string): Match {
  return { kind: 'other', message };
}
