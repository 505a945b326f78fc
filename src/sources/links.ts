import { t } from '@vscode/l10n';
import { anchorKey, describeReference, type Project, type Reference } from '../engine/reference';
import { historyOf, placesOf, type History } from './history';
import { indexedIn, linesOf, type LineIndex, type SymbolLines } from './lineIndex';
import committedLines from './lines.json';

/**
 * An upstream page. `line`: at the very line that the reference means, counted from 1. `definition`: at the
 * symbol's definition, as the index does not know the anchor. `file`: at no line, as it does not know the symbol.
 */
export type WebLink =
  | { readonly kind: 'line'; readonly url: string; readonly line: number }
  | { readonly kind: 'definition'; readonly url: string; readonly line: number; readonly message: string }
  | { readonly kind: 'file'; readonly url: string; readonly message: string };

const LINES: LineIndex = committedLines;

/** The versions of a project that the index knows, oldest first. */
export const upstreamVersions = (project: Project, index = LINES): readonly string[] => index[project]?.versions ?? [];

/** The version that web links lead to beside what models a series (6.12): one of that series, else the newest that the index knows. */
export function versionNear(project: Project, series: unknown, index = LINES): string {
  const known = upstreamVersions(project, index);
  const ofSeries = typeof series === 'string' ? known.find((version) => version === series || version.startsWith(`${series}.`)) : undefined;
  return ofSeries ?? known.at(-1) ?? String(series ?? '');
}

/** Every reference that is known of a file in any version: its symbols, and the identifiers in them. */
export const referencesIn = (project: Project, path: string, index = LINES): readonly Reference[] =>
  indexedIn(index[project], project, path);

/**
 * The upstream page of a reference in a version (spelled as the tag, without its 'v'). Works without any tree;
 * a version that the index does not know gives a link to the file alone. What a version does not have leads to the newest that has it.
 */
export function webLink(reference: Reference, version: string, index = LINES, history = historyOf(reference.project)): WebLink {
  const { project } = reference;
  const places = placesOf(reference, version, history);
  const found = places.flatMap((place) => {
    const lines = linesOf(index[project], version, place.path, place.symbol);
    return lines === undefined ? [] : [{ ...place, lines }];
  })[0];
  if (found === undefined) {
    const other = places[0]?.standing.kind === 'nowhere' ? newestWith(reference, index, history) : undefined;
    if (other !== undefined) return webLink(reference, other, index, history);
    const message = t('no line is known for {0} in {1} {2}', describeReference(reference), project, version);
    return { kind: 'file', url: pageOf(project, version, places[0]?.path ?? reference.path), message };
  }

  const { path, symbol, anchor, lines } = found;
  const page = pageOf(project, version, path);
  const whole = page + extentOf(project, lines);
  if (anchor === undefined) return { kind: 'line', url: whole, line: lines.line };
  const line = lines.anchors.get(anchorKey(anchor));
  if (line !== undefined) return { kind: 'line', url: `${page}#L${line}`, line };
  const message = t('no line is known for {0} in {1} in {2} {3}', anchor.token, symbol, project, version);
  return { kind: 'definition', url: whole, line: lines.line, message };
}

/** The newest version in which the index knows a line of a reference. */
function newestWith(reference: Reference, index: LineIndex, history: History): string | undefined {
  const { project } = reference;
  const isIn = (version: string): boolean =>
    placesOf(reference, version, history).some(({ path, symbol }) => linesOf(index[project], version, path, symbol) !== undefined);
  return upstreamVersions(project, index).findLast(isIn);
}

/** A definition's first and last line, as a project's browser marks them. */
function extentOf(project: Project, { line, length }: SymbolLines): string {
  if (length === 1) return `#L${line}`;
  const last = line + length - 1;
  switch (project) {
    case 'linux':
    case 'acrn':
      return `#L${line}-L${last}`;
    case 'qemu':
      return `#L${line}-${last}`;
  }
}

function pageOf(project: Project, version: string, path: string): string {
  // ACRN's tree calls itself unstable between releases, when it has no tag.
  const tag = version.endsWith('-unstable') ? 'master' : encodeURIComponent(`v${version}`);
  const file = path.split('/').map(encodeURIComponent).join('/');
  switch (project) {
    case 'linux':
      return `https://elixir.bootlin.com/linux/${tag}/source/${file}`;
    case 'qemu':
      return `https://gitlab.com/qemu-project/qemu/-/blob/${tag}/${file}`;
    case 'acrn':
      return `https://github.com/projectacrn/acrn-hypervisor/blob/${tag}/${file}`;
  }
}
